"""Commands that put what is said on the log: publish, close."""

from __future__ import annotations

import sys
from typing import Any, cast

import click
import msgspec

from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context, print_answer, print_json
from mnemolog.gateway.cli.lifting import force_option, lifted
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.spooling import producer_with, spool_options
from mnemolog.gateway.memory.publishing import close_session
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import ROLES, Role


@click.command()
@click.argument("text")
@click.option("--role", type=click.Choice(ROLES), required=True, help="Who speaks.")
@click.option("--session", required=True, help="The conversation it belongs to.")
@click.option("--speaker", help="A stable name or id of who speaks.")
@click.option("--at", type=TIME, help="When it was said; now unless given.")
@click.option("--event-id", help="An id of yours: publishing it again adds nothing.")
@click.option("--seq", type=int, help="Your counter, for messages of the same time.")
@click.option("--metadata", help="A JSON object to keep with it.")
@force_option
@spool_options
@json_option
@pass_context
def publish(
    context: Context, /, *, text: str, role: str, as_json: bool, metadata: str | None, force: bool, **given: Any
) -> None:
    """Publish one message; returns when the stream has acknowledged it. TEXT - reads standard input.

    Put -- before a text that begins with a dash.

    \b
    mnemolog publish "I moved to Berlin." --role user --session monday --speaker Ada
    """
    content = sys.stdin.read() if text == "-" else text
    extra = _metadata(metadata)
    event_id = given["event_id"]
    ids = [event_id] if event_id else []
    with (
        context.redis() as url,
        producer_with(context, url, given["spool"], given["spool_bytes"]) as producer,
        lifted(context, producer, ids, force=force) as was_erased,
    ):
        if any(map(was_erased, ids)):
            raise InvalidInput(f"event {event_id} was erased; --force publishes it all the same")
        published = producer.publish(
            cast("Role", role),
            content,
            given["session"],
            speaker=given["speaker"],
            occurred_at=given["at"],
            event_id=event_id,
            seq=given["seq"],
            metadata=extra,
        )
    if as_json:
        print_json(published)
    elif published.spooled:
        click.echo(f"{published.event_id} waits in the spool {given['spool']}: Redis does not take it yet")
    else:
        click.echo(f"{published.event_id} at {published.position}")


@click.command()
@click.argument("session")
@click.option("--at", type=TIME, help="When it was over; now unless given.")
@json_option
@pass_context
def close(context: Context, session: str, at: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Say that a session is over, so that its facts need not wait until it has been quiet for a while.

    What is said in it later is remembered all the same.

    \b
    mnemolog close monday
    """
    with place_of(context) as place:
        closed = close_session(place, session, occurred_at=at)
    if as_json:
        print_answer(closed)
    else:
        click.echo(f"{closed.event_id} at {closed.position}")


def _metadata(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"--metadata is not a JSON object: {error}") from None


COMMANDS = (publish, close)
