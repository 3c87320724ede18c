"""The command that takes conclusions back: undo."""

from __future__ import annotations

from typing import Any

import click

from mnemolog.gateway.cli.context import Context, Time, json_option, pass_context, print_json, progress_bar
from mnemolog.gateway.cli.requesting import no_wait_option
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.folding import Folded, await_folded
from mnemolog.producers import Producer
from mnemolog.producers.requests import Requests
from mnemolog.projections import jobs
from mnemolog.projections.fact_diff import ComparedFact
from mnemolog.projections.reasons.decisions import Decision
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position
from mnemolog.schema.times import show as show_time
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.voids import undo as undoing
from mnemolog.workers.voids.trial import Effects

#: A large memory takes a while to be built again.
TIMEOUT_S = 600.0
SHOWN = 20


class _Since(Time):
    """A time, or a position of the log."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The position; of a time, the one right before it."""
        try:
            return Position.parse(value)
        except InvalidInput:
            return Position(super().convert(value, param, ctx), 0)


_SINCE = _Since()


@click.command()
@click.option("--source", metavar="X", help="What was extracted from a session, or from all of `chat` or `import`.")
@click.option("--job", metavar="KEY", help="What a job concluded: its key, or the beginning of it.")
@click.option("--engine", metavar="M", help="What an engine or a model concluded.")
@click.option("--since", type=_SINCE, metavar="POSITION", help="What was concluded after a position or a time.")
@click.option("--void", type=_SINCE, metavar="POSITION", help="Undo an undo: what it took back counts again.")
@click.option("--reason", default="", help="Why, for those who ask later.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and leave it at that.")
@no_wait_option
@json_option
@pass_context
def undo(
    context: Context, /, *, yes: bool, dry_run: bool, no_wait: bool, as_json: bool, reason: str, **given: Any
) -> None:
    """Take back what engines concluded, after showing what that changes; what people said and asked for stays.

    The outcomes stay on the log and can be made to count again. Their jobs are not done again unless you ask
    (`mnemolog jobs requeue`).

    \b
    mnemolog undo --engine gpt-large --since 2026-03-09T10:00:00+01:00
    mnemolog undo --job 3f2a --yes
    """
    wanted = _wanted(context, given)
    with context.reader() as connection:
        positions = undoing.chosen(connection, wanted)
    with progress_bar("folding without them", replay.total_entries(context.settings)) as advance:
        found = undoing.tried(context.settings, context.embedder(), positions, reason, advance)
    if not as_json:
        _show(len(positions), found.effects)
    if not dry_run and not yes and not (not as_json and click.confirm("Undo?", err=True)):
        raise InvalidInput("nothing was undone: it takes --yes, or a yes")
    done = [] if dry_run else _send(context, found, no_wait=no_wait)
    if as_json:
        undone = [{"event_id": one.event_id, "position": one.position, "folded": one.folded} for one in done]
        print_json({"outcomes": found.outcomes, "effects": found.effects, "undone": undone})
        return
    for one in done:
        click.echo(f"undone at {one.position}; to take that back: mnemolog undo --void {one.position}")
        if one.why_not:
            click.echo(f"mnemolog: {one.why_not}", err=True)


def _wanted(context: Context, given: dict[str, Any]) -> undoing.Wanted:
    job = given.pop("job")
    key = None
    if job is not None:
        with context.reader() as connection:
            key = jobs.generations(connection, job)[-1].job_key
    if given["void"] is not None and any(value is not None for value in (job, *_others(given))):
        raise InvalidInput("--void names what was undone by itself: leave the other options out")
    return undoing.Wanted(job_key=key, **given)


def _others(given: dict[str, Any]) -> list[Any]:
    return [value for name, value in given.items() if name != "void"]


def _send(context: Context, found: undoing.Undoing, *, no_wait: bool) -> list[Folded]:
    """Appends the voids and waits until the file is what they make of it, where a writer runs."""
    with context.redis() as url:
        with Producer(context.settings.space, redis_url=url) as producer:
            requests = Requests(producer)
            sent = [requests.send(event.payload, event.id) for event in found.events]
        stream = context.stream(url)
        return [await_folded(context.settings, stream, one, wait=not no_wait, timeout_s=TIMEOUT_S) for one in sent]


def _show(outcomes: int, found: Effects) -> None:
    click.echo(f"{outcomes} outcomes would not count any more")
    lost = [*found.diff.lost, *(pair.before for pair in found.diff.changed)]
    show_facts("facts that vanish", lost)
    show_facts("facts that come", found.diff.added)
    show_facts("facts that are live again", found.revived)
    scenes = ", ".join(map(short, found.scenes[:SHOWN]))
    click.echo(f"scenes concerned: {len(found.scenes)}{': ' if scenes else ''}{scenes}")
    show_decisions(found.decisions)


def show_facts(what: str, found: list[ComparedFact] | tuple[ComparedFact, ...]) -> None:
    """A count of facts, and the first of them."""
    click.echo(f"{what}: {len(found)}")
    for fact in found[:SHOWN]:
        click.echo(f"    {fact.node_id}  {short(fact.content)}")
    if len(found) > SHOWN:
        click.echo(f"    … and {len(found) - SHOWN} more (--json tells all)")


def show_decisions(found: tuple[Decision, ...]) -> None:
    """People's decisions that no longer find their fact."""
    click.echo(f"decisions that no longer find their fact: {len(found)}")
    for decision in found[:SHOWN]:
        said = f" “{short(decision.text)}”" if decision.text else ""
        click.echo(f"    {show_time(decision.at)}  {decision.kind} {' '.join(decision.node_ids)}{said}")
    if len(found) > SHOWN:
        click.echo(f"    … and {len(found) - SHOWN} more (--json tells all)")


COMMANDS = (undo,)
