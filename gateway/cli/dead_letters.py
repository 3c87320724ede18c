"""Commands for entries that could not be folded: dead-letters list, show, requeue, discard, park."""

from __future__ import annotations

from typing import Any

import click

from mnemolog.gateway.cli.context import POSITION, Context, json_option, pass_context, print_json, say_if_none
from mnemolog.gateway.cli.telling import short, shown
from mnemolog.producers import Producer
from mnemolog.projections import dead_letters as letters
from mnemolog.projections.dead_letters import DeadLetter
from mnemolog.schema import archive
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import DeadLetterDiscarded, DeadLetterRequeued, EntryParked, PositionPayload
from mnemolog.schema.ids import Position
from mnemolog.schema.times import show as show_time

_position = click.argument("position", type=POSITION)


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Entries that could not be folded: each is kept with its reason and bytes, and the rest goes on.

    \b
    mnemolog dead-letters list
    """


@dead_letters.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Requeued and discarded ones too.")
@json_option
@pass_context
def list_(context: Context, everything: bool, as_json: bool) -> None:  # noqa: FBT001
    """List what is parked.

    \b
    mnemolog dead-letters list --all
    """
    with context.reader() as connection:
        found = letters.listed(connection, everything=everything)
    if as_json:
        print_json([_summary(letter) for letter in found])
        return
    say_if_none(found, "there are no dead letters" if everything else "no entry is parked")
    for letter in found:
        click.echo(f"{letter.position}  {letter.state:9} {letter.reason}: {short(letter.detail, 100)}")


def _summary(letter: DeadLetter) -> dict[str, Any]:
    return {
        "position": letter.position,
        "recorded_at": show_time(letter.position.ms),
        "event_id": letter.event_id,
        "reason": letter.reason,
        "detail": letter.detail,
        "state": letter.state,
        "bytes": len(letter.body),
    }


@dead_letters.command()
@_position
@json_option
@pass_context
def show(context: Context, position: Position, as_json: bool) -> None:  # noqa: FBT001
    """Show one entry with its bytes.

    \b
    mnemolog dead-letters show 1757000000000-0
    """
    letter = _letter(context, position)
    body = letter.body.decode("utf-8", "backslashreplace")
    if as_json:
        print_json({**_summary(letter), "body": body})
        return
    for name, value in _summary(letter).items():
        click.echo(f"{name:12} {shown(str(value))}")
    click.echo(shown(body))


def _letter(context: Context, position: Position) -> DeadLetter:
    with context.reader() as connection:
        letter = letters.at(connection, position)
    if letter is None:
        raise InvalidInput(f"nothing is parked at {position}: `mnemolog dead-letters list` shows what is")
    return letter


def _send(context: Context, payload: PositionPayload) -> None:
    with context.redis() as url, Producer(context.settings.space, redis_url=url) as producer:
        published = producer.send(producer.event(payload))
    click.echo(f"{payload.TYPE} at {published.position}; the writer acts on it when it runs")


@dead_letters.command()
@_position
@pass_context
def requeue(context: Context, position: Position) -> None:
    """Fold a parked entry again, after what was wrong has been mended (a newer mnemolog, for instance).

    \b
    mnemolog dead-letters requeue 1757000000000-0
    """
    _letter(context, position)
    _send(context, DeadLetterRequeued(ms=position.ms, seq=position.seq))


@dead_letters.command()
@_position
@pass_context
def discard(context: Context, position: Position) -> None:
    """Say that a parked entry needs nothing more. It stays readable with `list --all`.

    \b
    mnemolog dead-letters discard 1757000000000-0
    """
    _letter(context, position)
    _send(context, DeadLetterDiscarded(ms=position.ms, seq=position.seq))


@dead_letters.command()
@_position
@pass_context
def park(context: Context, position: Position) -> None:
    """Let the writer pass an entry of a newer version, at which it stopped: it becomes a dead letter.

    \b
    mnemolog dead-letters park 1757000000000-0
    """
    folder = context.settings.archive
    with context.redis() as url:
        stream = context.stream(url)
        logged = stream.entry(position) or archive.entry(folder, position)
        last = archive.last_entry(folder)
        if logged is not None and last is not None and stream.bounds() is None:
            # What is sent to a stream that is gone would begin another one.
            stream.restore(last)
    if logged is None:
        raise InvalidInput(f"neither archive nor stream of space {context.settings.space!r} has an entry at {position}")
    _send(context, EntryParked(ms=position.ms, seq=position.seq))


COMMANDS = (dead_letters,)
