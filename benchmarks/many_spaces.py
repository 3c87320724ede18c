"""Many spaces on one machine: one writer, a message every now and then in each, and nothing lost.

python benchmarks/many_spaces.py --spaces 1000 --rate 200 --seconds 60

Publishes round and round to all spaces at a steady rate while `mnemolog ingest --all` takes and folds them, waits until
all is folded, then looks into every archive and every file for every message that was acknowledged, and at what the
writer costs while nothing is said. Ends with status 1 when a message is lost or doubled.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec
import psutil
from conversation import messages
from machine import describe, peak_rss_mb
from results import Figure, table
from rich.console import Console
from workbench import SEED, Workbench, environment, mnemolog, workbench

from mnemolog.producers import Producer
from mnemolog.projections.connection import open_reader
from mnemolog.schema import archive, keys
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings

POLL_S = 0.2
IDLE_S = 20.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was published: the ids by space, how long each call took, and the seconds that it all took."""

    ids: dict[str, list[str]]
    call_ms: list[float]
    seconds: float


@contextmanager
def _writer(settings: Settings) -> Iterator[psutil.Popen]:
    with (settings.data / "writer.log").open("wb") as log:
        process = psutil.Popen(
            mnemolog(settings, "ingest", "--all"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(300)


def _publish(bench: Workbench, spaces: list[str], rate: float, seconds: float) -> Load:
    """Messages at a steady rate, to one space after the other."""
    count = max(len(spaces), round(rate * seconds))
    ids: dict[str, list[str]] = {space: [] for space in spaces}
    call_ms = []
    producers = {space: Producer(space, client=bench.client) for space in spaces}
    started = time.perf_counter()
    for index, message in enumerate(messages(count, SEED)):
        space = spaces[index % len(spaces)]
        time.sleep(max(0.0, started + index / rate - time.perf_counter()))
        called = time.perf_counter()
        published = producers[space].publish(
            message.role, message.content, message.session, speaker=message.speaker, occurred_at=message.occurred_at
        )
        call_ms.append((time.perf_counter() - called) * 1e3)
        ids[space].append(published.event_id)
    return Load(ids=ids, call_ms=call_ms, seconds=time.perf_counter() - started)


def _await_folded(bench: Workbench, spaces: list[str], process: psutil.Popen, most_s: float) -> float:
    """Seconds until the writer of every space is at the end of its stream."""
    started = time.monotonic()
    left = set(spaces)
    while left:
        if process.poll() is not None or time.monotonic() - started > most_s:
            raise TimeoutError(f"{len(left)} spaces are not folded; the writer: {process.poll() or 'runs'}")
        left = {space for space in left if not _is_folded(bench, space)}
        time.sleep(POLL_S)
    return time.monotonic() - started


def _is_folded(bench: Workbench, space: str) -> bool:
    told = bench.client.get(keys.progress(space))
    newest = bench.client.xrevrange(keys.stream(space), count=1)
    return told is not None and Position.parse(told.decode()) >= Position.parse(newest[0][0])


def _wrong(settings: Settings, load: Load) -> list[str]:
    """The spaces whose archive or file does not hold every acknowledged message once, in order."""
    wrong = []
    for space, ids in load.ids.items():
        of_space = settings.of_space(space)
        archived = [str(msgspec.json.decode(entry.body)["id"]) for entry in archive.read(of_space.archive)]
        with closing(open_reader(of_space.file)) as connection:
            found = connection.execute("SELECT event_id FROM nodes WHERE type = 'episodic' ORDER BY number").fetchall()
        said = set(ids)
        if [id_ for id_ in archived if id_ in said] != ids or [id_ for (id_,) in found] != ids:
            wrong.append(space)
    return wrong


def _processor_s(process: psutil.Popen) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _idle_share(process: psutil.Popen) -> float:
    """The share of a core that the writer takes while nothing is said, in percent."""
    time.sleep(5.0)
    before = _processor_s(process)
    time.sleep(IDLE_S)
    return round(100 * (_processor_s(process) - before) / IDLE_S, 1)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(bench: Workbench, count: int, rate: float, seconds: float) -> tuple[list[Figure], list[str]]:
    """The figures of one run, and the spaces in which something is lost or doubled."""
    settings = bench.settings("many", "default")
    settings.data.mkdir(parents=True)
    spaces = [f"space-{number:05}" for number in range(count)]
    with _writer(settings) as process:
        load = _publish(bench, spaces, rate, seconds)
        behind_s = _await_folded(bench, spaces, process, 600.0)
        busy_s = _processor_s(process)
        files, connections = process.num_fds(), len(process.net_connections(kind="unix"))
        idle = _idle_share(process)
        peak = peak_rss_mb(process.pid)
        stopping = time.monotonic()
    stopped_s = time.monotonic() - stopping
    with _writer(settings) as process:
        started_s = _await_folded(bench, spaces, process, 600.0)
    took = sorted(load.call_ms)
    values = {
        ("acknowledged", "messages/s"): round(len(took) / load.seconds, 1),
        ("publish p50", "ms"): round(took[len(took) // 2], 2),
        ("publish p99", "ms"): round(took[len(took) * 99 // 100], 2),
        ("folded after the last message", "s"): round(behind_s, 1),
        ("writer, processor time", "s"): round(busy_s, 1),
        ("writer, resident at most", "MB"): round(peak, 0),
        ("writer, open files", "files"): files,
        ("writer, connections to Redis", "connections"): connections,
        ("writer while nothing is said", "% of a core"): idle,
        ("writer drained and stopped", "s"): round(stopped_s, 1),
        ("writer started again, all spaces written", "s"): round(started_s, 1),
        ("on disk a space", "MB"): round(_bytes_in(settings.data) / count / 1e6, 2),
    }
    figures = [
        Figure(name=f"{count} spaces: {name}", unit=unit, values=[value], better="less")
        for (name, unit), value in values.items()
    ]
    return figures, _wrong(settings, load)


@click.command(help=__doc__)
@click.option("--spaces", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1), default=200.0, show_default=True, help="Messages a second, in all.")
@click.option("--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True)
def main(spaces: int, rate: float, seconds: float) -> None:
    """See the module."""
    console = Console(width=110)
    with workbench() as bench:
        console.print(describe(bench.client).line())
        figures, wrong = measure(bench, spaces, rate, seconds)
    console.print(table(figures))
    console.print(f"spaces in which a message is lost or doubled: {len(wrong)} {wrong[:5] or ''}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
