"""Commands that tell the memory what is so: remember, correct, confirm, unpin, unsupersede."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import Context, json_option, now_ms, pass_context
from mnemolog.gateway.cli.requesting import no_wait_option, node_argument, send_request, statements, tell
from mnemolog.producers.requests import checked_text
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, cell_of, fact, find_fact
from mnemolog.projections.verdicts import retiring
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import EventIds


def _found(context: Context, node: str) -> Fact:
    """The fact that a node id, or the beginning of one, names. Raises InvalidInput and SpaceNotFound."""
    with context.reader() as connection, read_transaction(connection):
        found = fact(connection, find_fact(connection, node), now_ms())
    if found is None:
        raise InvalidInput(f"there is no fact {node!r}")
    return found


@click.command()
@click.argument("text")
@click.option("--speaker", help="Who says so: a stable name or id.")
@no_wait_option
@json_option
@pass_context
def remember(context: Context, text: str, speaker: str | None, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Have something remembered as it is said: believed fully, without a model.

    What the rules do not understand is kept as a note in its own words.

    \b
    mnemolog remember "My locker is number 17." --speaker Ada
    """
    event_id = EventIds().mint()
    cells = statements().read_cells(checked_text(text), event_id, speaker, now_ms())
    done = send_request(context, lambda ask: ask.remember(text, cells, event_id, speaker=speaker), no_wait=no_wait)
    tell(done, "remembered", as_json=as_json)


@click.command()
@node_argument
@click.argument("text")
@no_wait_option
@json_option
@pass_context
def correct(context: Context, node: str, text: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Say what is true instead of a fact that never was: TEXT takes its place from its beginning.

    NODE is a fact's id, or the beginning of it. TEXT is a sentence, or the right value alone. A fact that was true
    and is not any more is not corrected: say what is true now, with `publish` or `remember`.

    \b
    mnemolog correct ce-1f0c "I work at Bolt."
    """
    with context.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        wrong = cell_of(connection, node_id)
    event_id = EventIds().mint()
    cells = statements().read_correction(checked_text(text), event_id, wrong, now_ms())
    done = send_request(
        context,
        lambda ask: ask.correct(node_id, text, cells, event_id, speaker=wrong.stated_by or wrong.subject),
        no_wait=no_wait,
    )
    tell(done, f"corrected {node_id}: {wrong.content}", as_json=as_json)


@click.command()
@node_argument
@no_wait_option
@json_option
@pass_context
def confirm(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Confirm a fact: it does not fade any more. What is said later still supersedes it.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog confirm ce-1f0c
    """
    found = _found(context, node)
    if found.status in ("forgotten", "corrected"):
        raise InvalidInput(f"{found.node_id} was {found.status}: there is nothing to confirm")
    done = send_request(context, lambda ask: ask.confirm(found.node_id), no_wait=no_wait)
    tell(done, f"confirmed {found.node_id}: {found.content}", as_json=as_json)


@click.command()
@node_argument
@no_wait_option
@json_option
@pass_context
def unpin(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Take a confirmation back: the fact fades again unless it is recalled.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog unpin ce-1f0c
    """
    found = _found(context, node)
    done = send_request(context, lambda ask: ask.unpin(found.node_id), no_wait=no_wait)
    tell(done, f"unpinned {found.node_id}: {found.content}", as_json=as_json)


@click.command()
@node_argument
@no_wait_option
@json_option
@pass_context
def unsupersede(context: Context, node: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Say that a fact still holds beside those that took its place: it is live again, and no engine changes that.

    NODE is a fact's id, or the beginning of it.

    \b
    mnemolog unsupersede ce-1f0c
    """
    with context.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        others = retiring(connection, node_id)
        content = cell_of(connection, node_id).content
    done = send_request(context, lambda ask: ask.separate(node_id, others)[-1], no_wait=no_wait)
    tell(done, f"{node_id} holds beside {', '.join(others)}: {content}", as_json=as_json)


COMMANDS = (remember, correct, confirm, unpin, unsupersede)
