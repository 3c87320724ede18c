"""Conversations on the wire: what is read from a request, and what is left as it came."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mnemolog.gateway.proxy.conversation import Turn, read, with_context
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import MAX_CONTENT_BYTES
from mnemolog.schema.recalled import BEGIN, END

BLOCK = f"{BEGIN}\nFacts:\n- Ada prefers Rust.\n{END}"


def body(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


def turns(*messages: Any) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in read(body(*messages)).turns]


def test_the_words_of_each_message_are_read_with_their_role() -> None:
    found = turns(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": " Which language?\r\n"},
        {"role": "assistant", "content": "Rust."},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    )
    assert found == [("system", "Be brief."), ("user", "Which language?"), ("assistant", "Rust."), ("tool", "42")]


def test_parts_that_are_no_text_are_named() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "plan.pdf", "file_data": "AAAA"}},
    ]
    assert turns({"role": "user", "content": parts}) == [("user", "What is this?\n[image]\n[audio]\n[file: plan.pdf]")]


def test_a_message_that_only_calls_a_tool_says_nothing() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    assert turns({"role": "assistant", "content": None, "tool_calls": [call]}) == []
    assert turns({"role": "assistant", "content": "I look.", "tool_calls": [call]}) == [("assistant", "I look.")]


def test_what_was_recalled_and_what_was_only_thought_is_not_said() -> None:
    assert turns({"role": "user", "content": f"{BLOCK}\n\nWhich language?"}) == [("user", "Which language?")]
    assert turns({"role": "user", "content": BLOCK}) == []
    assert turns({"role": "assistant", "content": "<think>She likes Rust.</think>\n\nRust."}) == [
        ("assistant", "Rust.")
    ]


def test_messages_of_an_unknown_form_are_passed_over() -> None:
    strange = [{"role": "oracle", "content": "?"}, 7, {"content": "who?"}, {"role": "user", "content": 7}, ["user"]]
    assert turns(*strange, {"role": "user", "content": "Hello."}) == [("user", "Hello.")]


def test_what_the_log_could_not_hold_is_made_so_that_it_can() -> None:
    ((_, text),) = turns({"role": "user", "content": "a\x00b" + "é" * MAX_CONTENT_BYTES})
    assert text.startswith("a\ufffdb")
    assert len(text.encode()) <= MAX_CONTENT_BYTES


@pytest.mark.parametrize(
    "broken", [b"", b"[]", b"{", b'{"messages": 7}', b'{"model": "m"}', b'{"messages": ' + b"[" * 5_000]
)
def test_what_is_no_chat_completion_is_refused(broken: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(broken)


def test_a_context_stands_before_the_last_message_of_the_user_and_all_else_is_as_it_came() -> None:
    text = (
        b'{"model" : "m", "temperature":0.70, "unknown":{"a" : [1,2.50]}, "messages":['
        b'{"role":"user","content":"h\\u00e9 \\ud83d\\ude00"} , {"role" : "assistant","content":"b"},'
        b'{"content":"Which\\nlanguage?","name":"Ada","role":"user", "x":1e3}, {"role":"tool","content":"t"}]}'
    )
    told = with_context(read(text), BLOCK)
    for kept in (
        b'"temperature":0.70',
        b'"unknown":{"a" : [1,2.50]}',
        b'{"role":"user","content":"h\\u00e9 \\ud83d\\ude00"}',
        b'{"role" : "assistant","content":"b"}',
        b'"x":1e3',
        b'Which\\nlanguage?"',
    ):
        assert kept in told
    decoded = json.loads(told)
    assert decoded["messages"][2]["content"] == f"{BLOCK}\n\nWhich\nlanguage?"
    decoded["messages"][2]["content"] = "Which\nlanguage?"
    assert decoded == json.loads(text)
    assert list(json.loads(told)) == ["model", "temperature", "unknown", "messages"]


@pytest.mark.parametrize(
    "parts", [[], [{"type": "text", "text": "Hi"}], [{"type": "image_url", "image_url": {"url": "u"}}]]
)
def test_among_parts_a_context_is_the_first(parts: list[Any]) -> None:
    told = json.loads(with_context(read(body({"role": "user", "content": parts})), BLOCK))
    assert told["messages"][0]["content"] == [{"type": "text", "text": BLOCK}, *parts]


def test_the_fields_that_matter_are_read_and_those_of_another_type_are_left_to_the_upstream() -> None:
    found = read(body({"role": "user", "content": "Hi", "name": "ada"}, user="u-1"))
    assert (found.user, found.question, found.turns) == ("u-1", "Hi", (Turn("user", "Hi", "ada"),))
    found = read(body({"role": "user", "content": "Hi", "name": 7}, user=5))
    assert (found.user, found.turns) == (None, (Turn("user", "Hi"),))


def test_what_tools_gave_after_a_question_goes_on_with_it() -> None:
    asked = {"role": "user", "content": "Hi"}
    assert not read(body(asked)).goes_on
    assert read(body(asked, {"role": "tool", "content": "42"})).goes_on
    assert not read(body({"role": "system", "content": "x"})).goes_on


def test_a_request_without_a_user_is_forwarded_as_it_is() -> None:
    given = read(body({"role": "system", "content": "x"}))
    assert msgspec.json.decode(with_context(given, BLOCK)) == json.loads(body({"role": "system", "content": "x"}))
