"""Files to import: which lines are good, what is said of bad ones, and which events the good ones become."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.producers.importer import ImportFile, closing_id, parse_line
from mnemolog.producers.messages import outgoing
from mnemolog.schema.codec import decode, digest
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import MAX_CONTENT_BYTES, MAX_EVENT_BYTES, MAX_NESTING, MessagePublished

MARCH = 1_773_050_400_000


def line(**changes: Any) -> dict[str, Any]:
    return {"session": "s1", "role": "user", "content": "Hello.", "at": "2026-03-09T10:00:00Z"} | changes


def raw(**changes: Any) -> bytes:
    return json.dumps(line(**changes)).encode()


def checked(path: Path, *lines: bytes, default_at: int | None = None) -> ImportFile:
    path.write_bytes(b"\n".join(lines))
    file = ImportFile(path, default_at)
    file.check()
    return file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.jsonl"


# ---- good lines ------------------------------------------------------------------------------------------------


def test_a_line_becomes_the_message_it_tells_of() -> None:
    event = parse_line(
        raw(id="m1", speaker="Ada", seq=4, metadata={"a": [1]}, at="2026-03-09T11:00:00+01:00"), 17, default_at=None
    )
    assert event.event_id == "m1"
    assert event.payload == MessagePublished(
        session="s1",
        role="user",
        content="Hello.",
        speaker="Ada",
        occurred_at=MARCH,
        utc_offset_min=60,
        seq=4,
        line=17,
        source_type="import",
        metadata={"a": [1]},
    )


def test_a_time_may_be_milliseconds() -> None:
    assert parse_line(raw(at=MARCH), 1, None).payload.occurred_at == MARCH


def test_lines_without_a_time_get_the_one_given_for_all() -> None:
    without = json.dumps({"session": "s", "role": "user", "content": "x"}).encode()
    assert parse_line(without, 1, MARCH).payload.occurred_at == MARCH
    assert parse_line(raw(at=5), 1, MARCH).payload.occurred_at == 5
    assert parse_line(raw(at=None), 1, 0).payload.occurred_at == 0


def test_a_line_without_an_id_gets_the_same_one_wherever_it_stands() -> None:
    one = parse_line(raw(metadata={"a": 1, "b": 2}), 1, None)
    other = parse_line(json.dumps(dict(reversed(line(metadata={"b": 2, "a": 1}).items()))).encode(), 99, None)
    assert one.event_id == other.event_id
    assert one.event_id.startswith("line-")
    assert one.digest == other.digest


@pytest.mark.parametrize(
    "change",
    [
        {"session": "s2"},
        {"role": "tool"},
        {"content": "Hi."},
        {"speaker": "A"},
        {"at": 1},
        {"seq": 1},
        {"metadata": {"a": 1}},
    ],
)
def test_lines_that_say_different_things_get_different_ids(change: dict[str, Any]) -> None:
    assert parse_line(raw(**change), 1, None).event_id != parse_line(raw(), 1, None).event_id


def test_the_same_moment_in_another_offset_is_the_same_line() -> None:
    berlin = parse_line(raw(at="2026-03-09T11:00:00+01:00"), 1, None)
    assert berlin.event_id == parse_line(raw(at=MARCH), 2, None).event_id


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_no_problem(path: Path) -> None:
    file = checked(path, b"\xef\xbb\xbf" + raw(id="a") + b"\r", b"", b"  \t\r", raw(id="b") + b"\r", b"\r")
    assert file.problems == []
    assert [(event.line, event.event_id) for event in file.events()] == [(1, "a"), (4, "b")]


def test_a_file_of_a_byte_order_mark_alone_is_empty(path: Path) -> None:
    file = checked(path, b"\xef\xbb\xbf")
    assert (file.good, file.problems) == (0, [])


def test_the_last_line_needs_no_line_break(path: Path) -> None:
    assert checked(path, raw(id="a"), raw(id="b")).good == 2
    assert checked(path, raw(id="a"), raw(id="b"), b"").good == 2


def test_a_line_of_more_than_a_megabyte_is_good(path: Path) -> None:
    file = checked(path, raw(id="a"), raw(id="b", content="é" * 750_000), raw(id="c"))
    assert (file.good, file.problems) == (3, [])
    assert [len(event.payload.content) for event in file.events()] == [6, 750_000, 6]


def test_the_digest_is_the_one_that_the_writer_will_know(path: Path) -> None:
    event = parse_line(raw(metadata={"a": 1.0, "b": 12345678901234567890123}), 1, None)
    sent = outgoing(event.event_id, MARCH, event.payload)
    assert decode(sent.body).digest == event.digest == digest(event.payload)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*line(), "id", "speaker", "seq", "metadata", "text"]), values, max_size=6),
    st.binary(max_size=8),
)
def test_any_line_is_an_event_that_the_writer_folds_or_is_refused(changes: dict[str, Any], tail: bytes) -> None:
    try:
        event = parse_line(raw(**changes) + tail.strip(), 1, None)
    except InvalidInput:
        return
    assert decode(outgoing(event.event_id, MARCH, event.payload).body).payload == event.payload


# ---- bad lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{", "truncated"),
        (b"hello", "malformed"),
        (b"[1]", "Expected `object`, got `array`"),
        (raw() + b" x", "malformed"),
        (b'{"session":"s1","role":"user"}', "missing required field `content`"),
        (raw(text="x"), "unknown field `text`; a line may have session, role, content, id, speaker, at, seq, metadata"),
        (raw(role="judge"), r"Invalid enum value 'judge' - at `\$.role`"),
        (raw(content=7), r"Expected `str`, got `int` - at `\$.content`"),
        (raw(content="a\x00"), "content has a NUL character"),
        (raw(content="\ud800"), "surrogate|truncated|malformed"),
        (raw(content="#").replace(b"#", b"\xff\xfe"), "utf-8"),
        (raw(content="#").replace(b"#", b"caf\xe9"), "utf-8"),
        (raw(content="x" * (MAX_CONTENT_BYTES + 1)), "content has 2,097,153 bytes"),
        (raw(session=""), "session has 1 to 200 characters"),
        (raw(id=""), "id has 1 to 200 characters"),
        (raw(id="a\x00"), "id has a NUL"),
        (raw(at="2026-03-09T10:00:00"), "has no offset"),
        (raw(at="soon"), "is not a time"),
        (raw(at=1.5), "Expected `int | str | null`, got `float`"),
        (raw(at=None), "it has no `at`: add the time, or give one for all such lines with --at"),
        (raw(seq=-1), "seq is a counter"),
        (raw(metadata=[1]), "Expected `object`"),
        (raw(metadata={"a": "\x00"}), "metadata has a NUL"),
        (raw(metadata={"a": "x" * 70_000}), "metadata has 70,008 bytes"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested more than"),
        (raw(metadata={"a": "#"}).replace(b'"#"', b"[" * MAX_NESTING + b"]" * MAX_NESTING), "nested more than"),
        (raw(metadata={"a": "#"}).replace(b'"#"', b"1" * 5_000), "out of range"),
        (raw(metadata={"a": "#"}).replace(b'"#"', b"NaN"), "malformed"),
        (b'"' + b"x" * (MAX_EVENT_BYTES + 1) + b'"', "the line has .* bytes; the most is"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_bad_line_is_named_by_number_and_reason(path: Path, bad: bytes, said: str) -> None:
    file = checked(path, raw(id="a"), b"", bad, raw(id="b"))
    assert [number for number, _ in file.problems] == [3]
    assert file.good == 2
    assert [event.event_id for event in file.events()] == ["a", "b"]
    with pytest.raises(InvalidInput, match=said):
        parse_line(bad.strip(), 3, None)


def test_an_id_that_stands_for_two_things_in_a_file_is_a_problem_of_the_second_line(path: Path) -> None:
    file = checked(path, raw(id="a"), raw(id="b"), raw(id="a", content="Something else."))
    assert file.problems == [(3, "its id 'a' stands for something else on line 1")]
    assert [event.line for event in file.events()] == [1, 2]


def test_a_line_that_is_repeated_is_no_problem(path: Path) -> None:
    file = checked(path, raw(id="a"), raw(id="a"), raw())
    assert (file.good, file.problems) == (3, [])


def test_a_file_that_is_not_there_raises_what_the_system_says(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ImportFile(path).check()


def test_progress_adds_up_to_the_file(path: Path) -> None:
    path.write_bytes(raw(id="a") + b"\n" + raw(id="b") + b"\n{\n")
    told: list[int] = []
    ImportFile(path).check(told.append)
    assert len(told) == 3
    assert sum(told) == path.stat().st_size - 3


# ---- closing sessions ------------------------------------------------------------------------------------------


def closings(file: ImportFile) -> set[tuple[str, int, str]]:
    return {(session, end.newest_at, closing_id(session, end)) for session, end in file.sessions.items()}


def test_the_events_that_close_sessions_do_not_depend_on_the_order_of_lines(path: Path) -> None:
    lines = [raw(session=f"s{number % 3}", at=number, content=f"{number}") for number in range(30)]
    first = closings(checked(path, *lines))
    assert {(session, newest) for session, newest, _ in first} == {("s0", 27), ("s1", 28), ("s2", 29)}
    for seed in range(5):
        random.Random(seed).shuffle(lines)
        assert closings(checked(path, *lines)) == first
    assert closings(checked(path, *lines, *lines)) == first


@pytest.mark.parametrize(
    "changed",
    [
        [raw(id="a", at=1)],
        [raw(id="a", at=1), raw(id="c", at=2)],
        [raw(id="a", at=1), raw(id="b", at=3)],
        [raw(id="a", at=1), raw(id="b", at=2), raw(id="c", at=2)],
        [raw(id="a", at=1, session="s2"), raw(id="b", at=2, session="s2")],
    ],
)
def test_a_session_with_other_messages_is_closed_by_another_event(path: Path, changed: list[bytes]) -> None:
    before = {id_ for _, _, id_ in closings(checked(path, raw(id="a", at=1), raw(id="b", at=2)))}
    assert before.isdisjoint(id_ for _, _, id_ in closings(checked(path, *changed)))


def test_a_session_before_1970_is_closed_at_its_newest_time(path: Path) -> None:
    file = checked(path, raw(id="a", at=-5), raw(id="b", at=-3), raw(id="c", at=-4))
    assert file.sessions["s1"].newest_at == -3
