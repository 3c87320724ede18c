"""Commands that read facts: facts, scenes, history."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import TIME, Context, json_option, now_ms, pass_context, print_json
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, find_fact
from mnemolog.projections.facts import facts as facts_at
from mnemolog.projections.history import Link, Quotation
from mnemolog.projections.history import history as history_of
from mnemolog.projections.scenes import scenes as scenes_of
from mnemolog.schema.times import show

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
    return f"{fact.node_id}  {fact.confidence_now:.2f}  {fact.content}  ({'; '.join(notes)})"


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is not live, with the reason.")
@click.option("--scene", help="Only facts of this scene.")
@click.option("--now", type=TIME, help="Answer as at this time.")
@click.option("--as-of", type=TIME, help="What was live at this time (goes before --now).")
@json_option
@pass_context
def facts(context: Context, /, everything: bool, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """List the facts that are live: what they say, since when, how sure they are, and from which messages.

    Live at a time is what has begun, has not ended or been superseded, and has not faded. A fact that has faded since
    is live again when it is asked about a day on which it had not.

    \b
    mnemolog facts --scene career
    mnemolog facts --all --as-of 2026-03-09T00:00:00Z --json
    """
    at = next(time for time in (given["as_of"], given["now"], now_ms()) if time is not None)
    with context.reader() as connection, read_transaction(connection):
        found = facts_at(connection, at, everything=everything, scene=given["scene"])
    if as_json:
        print_json([as_object(fact) for fact in found])
        return
    for fact in found:
        click.echo(as_line(fact))


@click.command()
@json_option
@pass_context
def scenes(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """List the topics that facts group under, the largest first, with their summaries.

    A summary is stale when facts changed since it was made; the workers make a new one.

    \b
    mnemolog scenes
    """
    with context.reader() as connection:
        found = scenes_of(connection)
    if as_json:
        print_json([{**msgspec.structs.asdict(scene), "updated_at": show(scene.updated_at)} for scene in found])
        return
    for scene in found:
        stale = ", summary is stale" if scene.stale else ""
        click.echo(f"{scene.scene}  ({scene.cells} facts, changed {show(scene.updated_at)[:10]}{stale})")
        click.echo(f"    {scene.summary or 'no summary yet'}")


@click.command()
@click.argument("node")
@click.option("--now", type=TIME, help="Answer as at this time.")
@json_option
@pass_context
def history(context: Context, node: str, now: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Show how a fact came about and what became of it: the chain that it stands in, oldest first, with its evidence.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog history ce-1f0c
    """
    with context.reader() as connection, read_transaction(connection):
        links = history_of(connection, find_fact(connection, node), now_ms() if now is None else now)
    if as_json:
        print_json([_link_object(link) for link in links])
        return
    for link in links:
        click.echo(as_line(link.fact))
        for said in link.evidence:
            click.echo(f"    {show(said.occurred_at)}  {said.speaker or 'somebody'}: {_shown(said)}")
        for verdict in link.verdicts:
            state = "" if verdict.state == "in_force" else f" [{verdict.state}]"
            why = f" ({verdict.kind})" if verdict.kind else ""
            click.echo(f"    {verdict.judge}: {verdict.ruling}{why} with {verdict.other}{state}")


def _shown(said: Quotation) -> str:
    whole = " ".join(said.content.split()) == " ".join(said.quote.split())
    return f"“{said.quote}”" + ("" if whole else f" in {said.event_id}")


def _link_object(link: Link) -> dict[str, Any]:
    return {
        **as_object(link.fact),
        "evidence": [{**msgspec.structs.asdict(said), "occurred_at": show(said.occurred_at)} for said in link.evidence],
        "verdicts": [msgspec.structs.asdict(verdict) for verdict in link.verdicts],
    }


COMMANDS = (facts, scenes, history)
