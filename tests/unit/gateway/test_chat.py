"""The chat agent: both turns are published, what was recalled is not, and the model is told what is data."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from mnemolog.gateway.chat import Chat, Said
from mnemolog.producers import Published
from mnemolog.projections.context import Context
from mnemolog.schema.errors import EngineError
from mnemolog.schema.ids import EventId, Position
from mnemolog.schema.recalled import BEGIN, END

BLOCK = f"{BEGIN}\nFacts:\n- [ce-1] Ada prefers Rust.\n{END}"
FOUND = Context(BLOCK, 20, (), ("ce-1",), ())
NOTHING = Context("", 0, (), (), ())


class Log:
    """Takes what is published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str | None]] = []

    def publish(self, role: str, content: str, session: str, *, speaker: str | None = None) -> Published:
        self.events.append((role, content, session, speaker))
        return Published(EventId(f"e{len(self.events)}"), Position(1, len(self.events)))


class Model:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[Sequence[Said]] = []

    def __call__(self, messages: Sequence[Said]) -> str:
        self.asked.append(messages)
        return self.replies.pop(0)


def test_both_turns_are_published_and_nothing_else() -> None:
    log, model = Log(), Model("Use Rust.")
    chat = Chat(log, "monday", lambda *_: FOUND, model, speaker="Ada")
    assert chat.turn("Which language?").reply == "Use Rust."
    assert log.events == [
        ("user", "Which language?", "monday", "Ada"),
        ("assistant", "Use Rust.", "monday", None),
    ]


def test_what_was_recalled_stands_in_the_users_message_and_never_among_the_instructions() -> None:
    model = Model("Use Rust.")
    Chat(Log(), "s", lambda *_: FOUND, model).turn("Which language?")
    (asked,) = model.asked
    assert [message.role for message in asked] == ["system", "user"]
    assert "prefers Rust" not in asked[0].content
    assert asked[1].content == f"{BLOCK}\n\nWhich language?"


def test_the_conversation_goes_on_without_what_was_recalled_for_earlier_turns() -> None:
    model = Model("Use Rust.", "Because you prefer it.")
    contexts = [FOUND, NOTHING]
    chat = Chat(Log(), "s", lambda *_: contexts.pop(0), model)
    chat.turn("Which language?")
    chat.turn("Why?")
    assert [message.content for message in model.asked[1][1:]] == ["Which language?", "Use Rust.", "Why?"]


def test_recollection_is_told_which_message_asks_and_which_ones_the_model_has_already() -> None:
    told: list[tuple[str, frozenset[str]]] = []

    def recollect(_: str, asked_by: str, without: frozenset[str]) -> Context:
        told.append((asked_by, without))
        return NOTHING

    chat = Chat(Log(), "s", recollect, Model("One.", "Two."))
    chat.turn("First")
    chat.turn("Second")
    assert told == [("e1", frozenset({"e1"})), ("e3", frozenset({"e1", "e2", "e3"}))]


@pytest.mark.parametrize(
    ("reply", "published"), [(f"You know: {BLOCK} Rust.", "You know:  Rust."), (BLOCK, None), (f"Hm. {BEGIN} x", "Hm.")]
)
def test_a_model_that_repeats_what_was_recalled_is_not_published_with_it(reply: str, published: str | None) -> None:
    log = Log()
    turn = Chat(log, "s", lambda *_: FOUND, Model(reply)).turn("Which language?")
    assert [content for role, content, *_ in log.events if role == "assistant"] == ([published] if published else [])
    assert bool(turn.problem) == (published is None)


def test_without_a_model_the_context_is_there_and_only_the_users_turn_is_published() -> None:
    log = Log()
    turn = Chat(log, "s", lambda *_: FOUND, None).turn("Which language?")
    assert (turn.context, turn.reply, turn.problem) == (FOUND, "", "")
    assert [role for role, *_ in log.events] == ["user"]


def test_a_model_that_fails_ends_the_turn_and_not_the_conversation() -> None:
    log = Log()

    def fail(_: Sequence[Said]) -> str:
        raise EngineError("the model is away")

    chat = Chat(log, "s", lambda *_: FOUND, fail)
    assert chat.turn("Which language?").problem == "the model is away"
    assert chat.turn("Still there?").problem == "the model is away"
    assert [role for role, *_ in log.events] == ["user", "user"]


def test_a_message_of_the_chat_is_a_struct_that_a_client_can_send() -> None:
    assert msgspec.to_builtins(Said("user", "hi")) == {"role": "user", "content": "hi"}
