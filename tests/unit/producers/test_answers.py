"""Any answer can be recorded: in bounded sizes, in what the log can hold, and without a text that is not wanted there."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mnemolog.producers.answers import answered
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import MAX_LINES, MAX_QUERY_CHARS, Answer, AnswerLine, query_hash, text_digest
from mnemolog.schema.requests import NodesRecalled
from mnemolog.schema.times import MAX_MS, MIN_MS

SALT = "0" * 32


def made(query: str = "Where?", **fields: Any) -> Answer:
    given_: dict[str, Any] = {
        "kind": "recall",
        "text": "the answer",
        "lines": (AnswerLine("fact", "ce-1"),),
        "position": Position(1, 0),
        "at": 1,
        "about": 1,
        "options": {},
        "reinforces": True,
        "salt": SALT,
        "keep": "text",
    }
    return answered(query=query, **{**given_, **fields})


def on_the_log(answer: Answer) -> Answer:
    payload = decode(encode("e", 1, NodesRecalled(answers=(answer,)))).payload
    assert isinstance(payload, NodesRecalled)
    return payload.answers[0]


words = st.text(st.characters(codec=None), max_size=300)
options = st.dictionaries(
    st.sampled_from(["limit", "speakers", "asker", "types", "least"]),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | words | st.lists(words).map(tuple),
)


@given(words, options, st.sampled_from(["text", "hash"]), st.none() | st.just("m1"), st.integers(MIN_MS, MAX_MS))
def test_whatever_is_asked_reads_back_from_the_log(
    query: str, options: dict[str, Any], keep: str, message: str | None, about: int
) -> None:
    answer = made(query, options=options, keep=keep, message=message, about=about)
    assert on_the_log(answer) == answer


def test_a_long_question_is_cut_and_hashed_whole() -> None:
    long = "東" * 1_000_000
    answer = on_the_log(made(long))
    assert (answer.query, answer.query_chars) == ("東" * MAX_QUERY_CHARS, 1_000_000)
    assert answer.query_hash == query_hash(SALT, long) != query_hash(SALT, answer.query)


def test_more_lines_than_can_be_kept_are_cut() -> None:
    answer = made(lines=[AnswerLine("fact", f"ce-{number}") for number in range(MAX_LINES + 1)])
    assert len(on_the_log(answer).lines) == MAX_LINES


def test_a_hashed_answer_has_no_word_of_the_question_nor_of_its_options() -> None:
    answer = made("Where is Ada?", keep="hash", options={"asker": "Ben", "speakers": ("Ada",), "types": ("episodic",)})
    written = encode("e", 1, NodesRecalled(answers=(answer,)))
    assert b"episodic" in written
    for word in (b"Ada", b"Ben", b"Where"):
        assert word not in written
    assert (answer.query_hash, answer.query_chars) == (query_hash(SALT, "Where is Ada?"), 13)


def test_a_question_that_was_a_message_is_kept_as_its_id() -> None:
    answer = made("Where is Ada?", message="m1")
    assert (answer.query, answer.message) == ("", "m1")


def test_an_option_that_was_not_given_is_left_out_and_of_the_answer_only_a_digest_is_kept() -> None:
    answer = made(options={"limit": 7, "asker": None})
    assert answer.options == {"limit": 7}
    assert answer.digest == text_digest(SALT, "the answer")
