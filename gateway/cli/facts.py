"""Commands that read facts: facts, scenes, history."""

from __future__ import annotations

from typing import Any

import apsw
import click
import msgspec

from mnemolog.gateway.cli.axes import Axes, axes_of, reading, time_options
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json
from mnemolog.gateway.cli.telling import short
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, find_fact
from mnemolog.projections.facts import facts as facts_at
from mnemolog.projections.history import Link, Quotation
from mnemolog.projections.history import history as history_of
from mnemolog.projections.scenes import scenes as scenes_of
from mnemolog.projections.scenes import scenes_at
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import show

MOST_SUMMARY_CHARS = 2_000
_TIMES = ("valid_from", "valid_until", "since", "due", "fades_at", "occurred_at")


def as_object(fact: Fact) -> dict[str, Any]:
    """A fact for JSON: times as ISO 8601 in UTC."""
    found = msgspec.structs.asdict(fact)
    return {name: show(value) if name in _TIMES and value is not None else value for name, value in found.items()}


def as_line(fact: Fact) -> str:
    """A fact on one line: what it says, since when, and why it is not live if it is not."""
    notes = [f"since {show(fact.since)[:10]}"]
    if fact.valid_until is not None:
        notes.append(f"until {show(fact.valid_until)[:10]}")
    if fact.status != "live":
        notes.append(fact.status + (f" by {fact.superseded_by}" if fact.status == "superseded" else ""))
    notes += [fact.note] if fact.note else []
    notes += ["pinned"] if fact.pinned else []
    notes += [f"{len(fact.held)} verdicts wait for you"] if fact.held else []
    return f"{fact.node_id}  {fact.confidence_now:.2f}  {short(fact.content)}  ({'; '.join(notes)})"


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is not live, with the reason.")
@click.option("--scene", help="Only facts of this scene.")
@time_options
@json_option
@pass_context
def facts(context: Context, /, everything: bool, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """List the facts that are live: what they say, since when, how sure they are, and from which messages.

    Live at a time is what has begun, has not ended or been superseded, and has not faded. A fact that has faded since
    is live again when it is asked about a day on which it had not. --known-at answers with what the memory had learned
    by then, however it was later changed.

    \b
    mnemolog facts --scene career
    mnemolog facts --all --as-of 2026-03-09T00:00:00Z --json
    """
    axes = axes_of(given)
    with reading(context, axes) as connection, read_transaction(connection):
        found = facts_at(connection, axes.at, everything=everything, scene=given["scene"])
    if as_json:
        print_json([as_object(fact) for fact in found])
        return
    for fact in found:
        click.echo(as_line(fact))


@click.command()
@time_options
@json_option
@pass_context
def scenes(context: Context, /, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """List the topics that facts group under, the largest first, with their summaries.

    A summary is stale when facts changed since it was made; the workers make a new one. Of another time it is told
    where the same facts were live then; else the facts of that time stand in for it, the most salient first.

    \b
    mnemolog scenes
    mnemolog scenes --as-of 2026-03-09T00:00:00Z
    """
    axes = axes_of(given)
    with reading(context, axes) as connection, read_transaction(connection):
        is_present = axes.as_of is None and axes.now is None
        found = scenes_of(connection) if is_present else scenes_at(connection, axes.at)
    if as_json:
        print_json([{**msgspec.structs.asdict(scene), "updated_at": show(scene.updated_at)} for scene in found])
        return
    for scene in found:
        stale = ", summary is stale" if scene.stale else ""
        click.echo(f"{short(scene.scene)}  ({scene.cells} facts, changed {show(scene.updated_at)[:10]}{stale})")
        click.echo(f"    {short(scene.summary, MOST_SUMMARY_CHARS) or 'no summary yet'}")


@click.command()
@click.argument("node")
@time_options
@json_option
@pass_context
def history(context: Context, /, node: str, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Show how a fact came about and what became of it: the chain that it stands in, oldest first, with its evidence.

    NODE is a fact's id, or the beginning of it. With --as-of what had begun and been said by then; with --known-at what
    had been learned by then.

    \b
    mnemolog history ce-1f0c
    """
    axes = axes_of(given)
    with reading(context, axes) as connection, read_transaction(connection):
        node_id = _named(context, connection, node, axes)
        links = [] if node_id is None else history_of(connection, node_id, axes.at, until=axes.as_of)
    if as_json:
        print_json([_link_object(link) for link in links])
        return
    for link in links:
        click.echo(as_line(link.fact))
        for said in link.evidence:
            click.echo(f"    {show(said.occurred_at)}  {short(said.speaker or 'somebody')}: {_shown(said)}")
        for verdict in link.verdicts:
            state = "" if verdict.state == "in_force" else f" [{verdict.state}]"
            why = f" ({verdict.kind})" if verdict.kind else ""
            click.echo(f"    {verdict.judge}: {verdict.ruling}{why} with {verdict.other}{state}")


def _named(context: Context, connection: apsw.Connection, node: str, axes: Axes) -> str | None:
    """The fact that an id, or the beginning of one, names; None for one that was not known yet. Raises InvalidInput."""
    try:
        return find_fact(connection, node)
    except InvalidInput:
        if axes.known_at is None:
            raise
        with context.reader() as live:
            found = find_fact(live, node)
    click.echo(f"{found} was not known yet", err=True)
    return None


def _shown(said: Quotation) -> str:
    whole = " ".join(said.content.split()) == " ".join(said.quote.split())
    return f"“{short(said.quote)}”" + ("" if whole else f" in {said.event_id}")


def _link_object(link: Link) -> dict[str, Any]:
    return {
        **as_object(link.fact),
        "evidence": [{**msgspec.structs.asdict(said), "occurred_at": show(said.occurred_at)} for said in link.evidence],
        "verdicts": [msgspec.structs.asdict(verdict) for verdict in link.verdicts],
    }


COMMANDS = (facts, scenes, history)
