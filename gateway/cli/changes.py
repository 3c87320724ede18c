"""The command that tells what changed in a memory: changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import click

from mnemolog.gateway.cli.axes import Moment
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import day, short
from mnemolog.gateway.memory import changes as telling
from mnemolog.gateway.memory.changes import Change, Digest
from mnemolog.schema.ids import Position

_ITSELF = "the memory itself"


@click.command()
@click.option("--since", type=Moment(), required=True, help="From this time on, or after this position of the log.")
@click.option("--until", type=Moment(), help="Up to this time or position; now unless given.")
@click.option("--all", "everything", is_flag=True, help="Also the words of what was forgotten since.")
@json_option
@pass_context
def changes(
    context: Context,
    since: int | Position,
    until: int | Position | None,
    everything: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Tell what the memory learned, replaced, let fade, was told to forget, and could not do, between two moments.

    By subject, the newest last. What was learned, judged or asked counts when the log recorded it, what fades, ends
    or is due by the clock at its time.

    \b
    mnemolog changes --since 2026-03-09T00:00:00Z
    mnemolog changes --since 1757000000000-0 --json
    """
    with place_of(context) as place:
        digest = telling.changes(place, since, until, everything=everything)
    if as_json:
        print_answer(digest)
        return
    for line in _lines(digest):
        click.echo(line)


def _lines(digest: Digest) -> Iterator[str]:
    counts = ", ".join(f"{count} {kind}" for kind, count in digest.counts.items()) or "nothing changed"
    said = f"{digest.messages} messages in {digest.sessions} sessions"
    yield f"{digest.since} to {digest.until}: {said}; {counts}"
    if digest.calls:
        tokens = f"{digest.tokens_in} + {digest.tokens_out} tokens, ${digest.cost_usd:.4f}"
        yield f"{digest.calls} calls of models, {tokens}"
    for subject, found in groupby(digest.changes, key=lambda change: change.subject):
        yield short(subject) or _ITSELF
        for change in found:
            yield f"  {day(change.at)}  {change.kind:9}  {_told(change)}"


def _told(change: Change) -> str:
    told = _words(change.content, change.node_id)
    if change.replaced is not None:
        until = f" until {day(change.replaced.valid_until)}" if change.replaced.valid_until is not None else ""
        before = _words(change.replaced.content, change.replaced.node_id)
        told = f"{before} (from {day(change.replaced.valid_from)}{until}) → {told}"
    notes = [*filter(None, (change.detail, change.scene, change.by and f"by {change.by}", change.node_id))]
    return f"{told}  ({short('; '.join(notes), 400)})" if notes else told


def _words(content: str, node_id: str | None) -> str:
    return short(content) or ("(forgotten)" if node_id else "")


COMMANDS = (changes,)
