"""Measures mnemolog on this machine, prints the figures beside their targets and writes them as JSON.

make bench                          everything, 100,000 messages, three runs each
make bench ARGS="--quick"           a tenth of the size, one run
make bench ARGS="--only publish"    one measurement
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import consolidation
import ingesting
import msgspec
import publishing
import rebuilding
import recallable
import recalling
from machine import describe
from results import Figure, Report, table
from rich.console import Console
from workbench import Workbench, workbench

from mnemolog.schema.errors import MnemologError

RESULTS = Path(__file__).with_name("results")
QUICK = 10

Measurement = Callable[[Workbench, "Plan"], list[Figure]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured: messages of the large and the small space, seconds at a steady rate, runs of each."""

    messages: int
    seconds: float
    runs: int

    @property
    def small(self) -> int:
        """The size of the small space."""
        return self.messages // 10

    @property
    def calls(self) -> int:
        """How many single calls are timed in a run."""
        return min(5_000, self.messages)

    @property
    def asked(self) -> int:
        """How many questions are asked in a run."""
        return min(500, self.messages)


def _recallable(bench: Workbench, plan: Plan) -> list[Figure]:
    return [
        *recallable.fresh(bench, plan.seconds, plan.runs),
        *recallable.filled(bench, plan.messages, plan.seconds, plan.runs),
    ]


def _recall(bench: Workbench, plan: Plan) -> list[Figure]:
    sizes = (plan.small, plan.messages)
    return [figure for nodes in sizes for figure in recalling.answers(bench, nodes, plan.asked, plan.runs)]


def _publish(bench: Workbench, plan: Plan) -> list[Figure]:
    return [
        *publishing.one_at_a_time(bench, plan.calls, plan.runs),
        *publishing.pipelined(bench, min(20_000, plan.messages), plan.runs),
    ]


MEASUREMENTS: dict[str, Measurement] = {
    "publish": _publish,
    "recallable": _recallable,
    "ingest": lambda bench, plan: ingesting.backlog(bench, plan.messages, plan.runs),
    "replay": lambda bench, plan: rebuilding.replay(bench, plan.messages, plan.runs),
    "vectors": lambda bench, plan: rebuilding.vectors_alone(bench, plan.messages, plan.runs),
    "recall": _recall,
    "calls": lambda bench, plan: consolidation.costs(bench, min(plan.messages, 800)),
    "jobs": lambda bench, plan: consolidation.jobs(bench, plan.messages, plan.runs),
    "facts": lambda bench, plan: consolidation.soon(bench, max(5, min(50, plan.messages // 100))),
}


def measure(names: Sequence[str], plan: Plan, console: Console) -> Report:
    """Runs the named measurements one after the other, on a workbench that is gone afterwards.

    One that cannot be made is named among the failures, and the others go on.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    with workbench() as bench:
        machine = describe(bench.client)
        console.print(machine.line())
        for name in names:
            with console.status(f"measuring {name}"):
                try:
                    figures += MEASUREMENTS[name](bench, plan)
                except (MnemologError, RuntimeError, TimeoutError) as error:
                    failures[name] = str(error)
                    console.print(f"{name}: {error}", style="bold red")
    return Report(
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 1),
        arguments=sys.argv[1:],
        machine=machine,
        figures=figures,
        failures=failures,
    )


def _write(report: Report, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=0) + b"\n")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(list(MEASUREMENTS)), multiple=True, help="Measure this alone; repeatable.")
@click.option("--quick", is_flag=True, help="A tenth of the messages and seconds, one run.")
@click.option("--messages", type=click.IntRange(200), default=100_000, show_default=True, help="Size of the space.")
@click.option("--seconds", type=click.FloatRange(0.2), default=20.0, show_default=True, help="Of the steady rate.")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="How often each is measured.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: benchmarks/results/<date>.json")
def main(only: tuple[str, ...], quick: bool, messages: int, seconds: float, runs: int, out: Path | None) -> None:  # noqa: FBT001
    """See the module."""
    plan = Plan(messages=messages, seconds=seconds, runs=runs)
    if quick:
        plan = Plan(messages=messages // QUICK, seconds=seconds / QUICK, runs=1)
    # Lines of a log are as long as the table needs.
    console = Console(width=max(100, Console().width))
    report = measure(only or list(MEASUREMENTS), plan, console)
    out = out or RESULTS / f"{report.started_at[:10]}.json"
    _write(report, out)
    console.print(table(report.figures))
    console.print(f"measured in {report.seconds:.0f} s; all samples are in {out}")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
