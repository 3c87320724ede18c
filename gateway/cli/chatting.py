"""Commands that reason with a memory: context, chat."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast

import click
import msgspec

from mnemolog.gateway.chat import Chat, Said, Turn
from mnemolog.gateway.cli.axes import time_options
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer, print_json
from mnemolog.gateway.cli.narrowing import narrowing_options, scope_of
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.memory import contexts
from mnemolog.gateway.memory.contexts import Wish
from mnemolog.gateway.memory.place import Place
from mnemolog.projections.context import DEFAULT_BUDGET, LEAST_BUDGET
from mnemolog.projections.context import Context as Recalled
from mnemolog.projections.progress import writer_position
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.model_settings import RULES

_budget = click.option(
    "--budget",
    type=click.IntRange(min=LEAST_BUDGET),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="The most tokens, counted by Llama 2's tokenizer.",
)


@click.command(name="context")
@click.argument("query")
@_budget
@time_options
@narrowing_options
@click.option("--no-record", is_flag=True, help="Leave no trace of this recall.")
@json_option
@pass_context
def context_(context: Context, /, query: str, budget: int, no_record: bool, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Print what is known about QUERY, packed for a prompt: topics, live facts, messages.

    It is marked as recalled data, every line is dated and attributed, and the ids in brackets name nodes. Put it into
    a user's message, never among instructions. Nothing relevant is no text at all. Facts in it are reinforced.

    --as-of tells what was true then and was said by then; --known-at what the memory had learned by then.

    \b
    mnemolog context "What language should I use for a CLI tool?" --budget 500
    """
    wish = Wish(scope=scope_of(given), budget=budget, record=not no_record)
    with place_of(context) as place:
        found = contexts.context(place, query, wish)
        if as_json:
            print_answer(found)
        elif found.text:
            click.echo(found.text)
        else:
            click.echo("nothing relevant", err=True)


@click.command()
@click.option("--session", help="The conversation that the turns belong to; a new one unless given.")
@click.option("--speaker", help="Who you are: a stable name or id.")
@_budget
@click.option("--no-record", is_flag=True, help="Leave no trace of what is recalled.")
@json_option
@pass_context
def chat(context: Context, /, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Talk with an agent that remembers. Every turn of both sides is published; Ctrl-D or Ctrl-C ends it.

    It answers with the model that MNEMOLOG_MODEL names, at OPENAI_BASE_URL. Without one it says so, and shows the
    context that the model would have been given. Run `mnemolog up` beside it, which learns from what is said.

    \b
    mnemolog chat --speaker Ada
    """
    name = given["session"] or f"chat-{datetime.now(UTC).isoformat(timespec='seconds')}"
    with place_of(context) as place:
        producer = place.producer()
        memory = _Memory(place, given["budget"], record=not given["no_record"])
        talk = Chat(producer, name, memory, _model(context), speaker=given["speaker"])
        if writer_position(place.needed_stream()) is None:
            click.echo("no writer is running: what is said is kept, and learnt from when `mnemolog up` runs", err=True)
        with suppress(KeyboardInterrupt):
            for text in _lines():
                _show(talk.turn(text), as_json=as_json)
        producer.close_session(name)


class _Memory:
    """What the chat recalls: a context from the file as it is at each turn, nothing while there is none."""

    def __init__(self, place: Place, budget: int, *, record: bool) -> None:
        self._place = place
        self._wish = Wish(scope=scope_of({}), budget=budget, record=record)

    def __call__(self, text: str, asked_by: str, without: frozenset[str]) -> Recalled:
        wish = msgspec.structs.replace(self._wish, without=without, message=asked_by)
        try:
            return contexts.recollected(self._place, text, wish)
        except SpaceNotFound:
            return Recalled("", 0, (), (), ())


def _model(context: Context) -> Callable[[Sequence[Said]], str] | None:
    """The model that the environment names, None where it names none."""
    if context.models.model == RULES:
        click.echo("no model: MNEMOLOG_MODEL names none. Instead of a reply you see what it would be given.", err=True)
        return None
    # Loading `openai` takes longer than the rest of a command: only who names a model waits for it.
    make = import_module("mnemolog.gateway.chat_model").chat_model
    return cast("Callable[[Sequence[Said]], str]", make(context.models, context.settings.space))


def _lines() -> Iterator[str]:
    """What the user types, line by line, blank lines left out."""
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        try:
            line = input(prompt)
        except EOFError:
            return
        if line.strip():
            yield line


def _show(turn: Turn, *, as_json: bool) -> None:
    if as_json:
        print_json(turn)
    elif turn.reply:
        click.echo(shown(turn.reply))
    elif turn.problem:
        click.echo(f"mnemolog: {turn.problem}", err=True)
    else:
        click.echo(shown(turn.context.text) or "(nothing relevant is remembered)")
    sys.stdout.flush()


COMMANDS = (context_, chat)
