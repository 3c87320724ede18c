"""Commands that read facts: facts, scenes, history."""

from __future__ import annotations

from typing import Any

import click

from mnemolog.gateway.cli.axes import axes_of, time_options
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer, say_if_none
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import counted, day, short
from mnemolog.gateway.memory import facts as telling
from mnemolog.gateway.memory.facts import Fact, Quotation

MOST_SUMMARY_CHARS = 2_000


def as_line(fact: Fact) -> str:
    """A fact on one line: what it says, since when, and why it is not live if it is not."""
    notes = [f"since {day(fact.since, fact.utc_offset_min)}"]
    if fact.valid_until is not None:
        notes.append(f"until {day(fact.valid_until, fact.utc_offset_min)}")
    if fact.status != "live":
        notes.append(fact.status + (f" by {fact.superseded_by}" if fact.status == "superseded" else ""))
    notes += [fact.note] if fact.note else []
    notes += ["pinned"] if fact.pinned else []
    notes += [f"waiting for you: {counted(len(fact.held), 'verdict')}"] if fact.held else []
    return f"{fact.node_id}  {fact.confidence_now:.2f}  {short(fact.content)}  ({'; '.join(notes)})"


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is not live, with the reason.")
@click.option("--scene", help="Only facts of this scene.")
@time_options
@json_option
@pass_context
def facts(context: Context, /, everything: bool, as_json: bool, scene: str | None, **given: Any) -> None:  # noqa: FBT001
    """List the facts that are live: what they say, since when, how sure they are, and from which messages.

    Live at a time is what has begun, has not ended or been superseded, and has not faded. A fact that has faded since
    is live again when it is asked about a day on which it had not. --known-at answers with what the memory had learned
    by then, however it was later changed.

    \b
    mnemolog facts --scene career
    mnemolog facts --all --as-of 2026-03-09T00:00:00Z --json
    """
    axes = axes_of(given)
    with place_of(context) as place:
        found = telling.facts(place, axes, everything=everything, scene=scene)
    if as_json:
        print_answer(found)
        return
    is_narrowed = scene is not None or axes.is_past
    say_if_none(found, "no such facts" if is_narrowed else "no facts: talk becomes facts when its window closes")
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
    with place_of(context) as place:
        found = telling.scenes(place, axes_of(given))
    if as_json:
        print_answer(found)
        return
    say_if_none(found, "no topics: they come with facts")
    for scene in found:
        stale = ", summary is stale" if scene.stale else ""
        click.echo(f"{short(scene.scene)}  ({counted(scene.cells, 'fact')}, changed {day(scene.updated_at)}{stale})")
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
    with place_of(context) as place:
        links = telling.history(place, node, axes_of(given))
    if as_json:
        print_answer(links)
        return
    for link in links:
        click.echo(as_line(link))
        for said in link.evidence:
            click.echo(f"    {said.occurred_at}  {short(said.speaker or 'somebody')}: {_shown(said)}")
        for verdict in link.verdicts:
            state = "" if verdict.state == "in_force" else f" [{verdict.state}]"
            why = f" ({verdict.kind})" if verdict.kind else ""
            click.echo(f"    {verdict.judge}: {verdict.ruling}{why} with {verdict.other}{state}")


def _shown(said: Quotation) -> str:
    whole = " ".join(said.content.split()) == " ".join(said.quote.split())
    return f"“{short(said.quote)}”" + ("" if whole else f" in {said.event_id}")


COMMANDS = (facts, scenes, history)
