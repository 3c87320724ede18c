"""Commands that tell the memory what is so: remember, correct, confirm, unpin, unsupersede."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.requesting import manner, no_wait_option, node_argument, tell
from mnemolog.gateway.memory import requests
from mnemolog.gateway.memory.requests import Statement

Command = TypeVar("Command", bound=Callable[..., Any])

_ORIGIN = (
    click.option("--at", type=TIME, help="When it was said; now unless given."),
    click.option("--event-id", help="An id of yours: asking again with it adds nothing."),
)


def _with_origin(command: Command) -> Command:
    for option in reversed(_ORIGIN):
        command = option(command)
    return command


@click.command()
@click.argument("text")
@click.option("--speaker", help="Who says so: a stable name or id.")
@_with_origin
@no_wait_option
@json_option
@pass_context
def remember(context: Context, /, text: str, no_wait: bool, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Have something remembered as it is said: believed fully, without a model.

    What the rules do not understand is kept as a note in its own words.

    \b
    mnemolog remember "My locker is number 17." --speaker Ada
    """
    with place_of(context) as place:
        statement = Statement(text=text, speaker=given["speaker"], occurred_at=given["at"])
        done = requests.remember(place, statement, manner(no_wait=no_wait, event_id=given["event_id"]))
    tell(done, "remembered", as_json=as_json)


@click.command()
@node_argument
@click.argument("text")
@_with_origin
@no_wait_option
@json_option
@pass_context
def correct(context: Context, /, node: str, text: str, no_wait: bool, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Say what is true instead of a fact that never was: TEXT takes its place from its beginning.

    NODE is a fact's id, or the beginning of it. TEXT is a sentence, or the right value alone. A fact that was true
    and is not any more is not corrected: say what is true now, with `publish` or `remember`.

    \b
    mnemolog correct ce-1f0c "I work at Bolt."
    """
    with place_of(context) as place:
        statement = Statement(text=text, occurred_at=given["at"])
        done, wrong = requests.correct(place, node, statement, manner(no_wait=no_wait, event_id=given["event_id"]))
    tell(done, f"corrected {wrong.node_id}: {wrong.content}", as_json=as_json)


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
    with place_of(context) as place:
        done, found = requests.confirm(place, node, manner(no_wait=no_wait))
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
    with place_of(context) as place:
        done, found = requests.unpin(place, node, manner(no_wait=no_wait))
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
    with place_of(context) as place:
        done = requests.unsupersede(place, node, manner(no_wait=no_wait))
    tell(done.folded, f"{done.node_id} holds beside {', '.join(done.others)}: {done.content}", as_json=as_json)


COMMANDS = (remember, correct, confirm, unpin, unsupersede)
