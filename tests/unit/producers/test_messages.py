"""Messages as callers give them: what is accepted, what is refused, and which events they become."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.producers.messages import Builder, Message, closing, moment, outgoing, payload_of
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import InvalidContent, InvalidInput, InvalidSpaceName, InvalidTime
from mnemolog.schema.events import MAX_CONTENT_BYTES, MAX_METADATA_BYTES, MessagePublished, PolicySet, SpaceCreated
from mnemolog.schema.policy import Policy
from mnemolog.schema.times import MAX_MS

NOW = 1_773_050_400_000
BERLIN = timezone(timedelta(hours=1))


def message(**changes: Any) -> Message:
    return Message(**{"role": "user", "content": "I prefer Python.", "session": "s1"} | changes)


def builder() -> Builder:
    return Builder("home", lambda: NOW)


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        (datetime(2026, 3, 9, 10, tzinfo=UTC), (NOW, 0)),
        (datetime(2026, 3, 9, 11, tzinfo=BERLIN), (NOW, 60)),
        ("2026-03-09T11:00:00+01:00", (NOW, 60)),
        (NOW, (NOW, 0)),
        (0, (0, 0)),
        (-1, (-1, 0)),
    ],
)
def test_a_time_is_accepted_in_three_forms(given_time: Any, expected: tuple[int, int]) -> None:
    assert moment(given_time) == expected


@pytest.mark.parametrize(
    ("given_time", "said"),
    [
        (datetime(2026, 3, 9, 10), "has no offset"),  # noqa: DTZ001
        ("2026-03-09T10:00:00", "has no offset"),
        ("soon", "is not a time"),
        (MAX_MS + 1, "years 1 to 9999"),
        (1_773_050_400.25, "not float"),
        (Decimal(NOW), "not Decimal"),
        (date(2026, 3, 9), "not date"),
        (b"2026-03-09T10:00:00Z", "not bytes"),
    ],
)
def test_other_times_are_refused(given_time: Any, said: str) -> None:
    with pytest.raises(InvalidTime, match=said):
        payload_of(message(occurred_at=given_time))
    with pytest.raises(InvalidTime, match=said):
        closing("s1", given_time)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role": "judge"}, "role is one of user, assistant, system, tool, not 'judge'"),
        ({"role": None}, "role is one of"),
        ({"session": ""}, "session has 1 to 200 characters, not 0"),
        ({"session": "x" * 201}, "session has 1 to 200 characters, not 201"),
        ({"session": None}, "session is text, not NoneType"),
        ({"session": "a\x00"}, "session has a NUL"),
        ({"session": "a\ud800"}, "session has a lone surrogate"),
        ({"speaker": ""}, "speaker has 1 to 200 characters"),
        ({"speaker": 7}, "speaker is text, not int"),
        ({"event_id": "x" * 201}, "event_id has 1 to 200 characters"),
        ({"event_id": "a\x00"}, "event_id has a NUL"),
        ({"event_id": "\ud800"}, "event_id has a lone surrogate"),
        ({"event_id": 7}, "event_id is text, not int"),
        ({"seq": -1}, "seq is a counter"),
        ({"seq": 2**63}, "seq is a counter"),
        ({"seq": "3"}, "seq is a counter"),
        ({"seq": 3.0}, "seq is a counter"),
        ({"seq": True}, "Expected `int"),
        ({"occurred_at": True}, "Expected `int"),
        ({"content": None}, "content is text"),
        ({"content": "\ud83d"}, "lone surrogate"),
        ({"content": "a\x00"}, "NUL"),
        ({"content": "x" * (MAX_CONTENT_BYTES + 1)}, "the most is 2,097,152"),
        ({"metadata": "text"}, "metadata is an object of names and JSON values, not str"),
        ({"metadata": [1]}, "metadata is an object"),
        ({"metadata": {"a": 1j}}, "metadata cannot be written as JSON"),
        ({"metadata": {"a": {1, 2j}}}, "metadata cannot be written as JSON"),
        ({"metadata": {"a": "x" * MAX_METADATA_BYTES}}, "the most is 65,536"),
        ({"source_type": "rumour"}, "Invalid enum value 'rumour'"),
        ({"line": -1}, "Expected `int`"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_message_that_cannot_be_stored_becomes_no_event(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        builder().message(message(**changes))


def test_metadata_nested_too_deep_becomes_no_event() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"in": deep}
    with pytest.raises(InvalidContent, match="nested more than 100 deep"):
        builder().message(message(metadata=deep))
    builder().message(message(metadata=deep["in"]))


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.lists(st.integers(), max_size=2),
)
# allow_nan: msgspec, as JavaScript does, writes NaN and Infinity as null, which reads back as another value.
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "tool"]) | anything,
            "content": st.text() | anything,
            "session": st.text(max_size=210) | anything,
            "speaker": anything,
            "occurred_at": anything,
            "event_id": anything,
            "seq": anything,
            "line": anything,
            "metadata": st.dictionaries(st.text(max_size=5), nested, max_size=3) | anything,
            "source_type": st.sampled_from(["chat", "recall"]) | anything,
        },
    )
)
def test_whatever_is_given_either_can_be_folded_or_is_refused_with_a_typed_error(changes: dict[str, Any]) -> None:
    given_message = message(**changes)
    try:
        event = builder().message(given_message)
    except InvalidInput:
        return
    payload = decode(event.body).payload
    assert isinstance(payload, MessagePublished)
    assert (payload.content, payload.session, payload.speaker) == (
        given_message.content,
        given_message.session,
        given_message.speaker,
    )
    assert payload.metadata == (given_message.metadata or {})


def test_the_callers_id_and_time_are_kept_and_the_producers_clock_stands_beside_them() -> None:
    event = decode(
        builder()
        .message(message(event_id="m1", occurred_at="2026-03-09T08:00:00+01:00", seq=4, metadata={"a": 1}))
        .body
    )
    assert (event.id, event.at) == ("m1", NOW)
    assert event.payload == MessagePublished(
        session="s1",
        role="user",
        content="I prefer Python.",
        occurred_at=NOW - 3 * 3_600_000,
        utc_offset_min=60,
        seq=4,
        metadata={"a": 1},
    )


def test_a_message_without_a_time_has_none_of_its_own() -> None:
    payload = decode(builder().message(message()).body).payload
    assert isinstance(payload, MessagePublished)
    assert payload.occurred_at is None


def test_ids_are_minted_in_order_where_the_caller_gives_none() -> None:
    one = builder()
    minted = [one.message(message()).event_id for _ in range(100)]
    assert minted == sorted(set(minted))


def test_the_first_event_of_a_space_holds_the_whole_policy() -> None:
    event = decode(builder().creation("ab" * 16).body)
    assert event.payload == SpaceCreated(space="home", salt="ab" * 16, policy=Policy())
    assert b'"exponent":0.8' in builder().creation("ab" * 16).body


def test_any_payload_becomes_an_event_with_the_id_that_is_given() -> None:
    event = builder().event(PolicySet(policy=Policy()), "p1")
    assert (event.event_id, decode(event.body).id) == ("p1", "p1")


def test_an_event_that_the_writer_would_park_is_refused_at_the_door() -> None:
    with pytest.raises(InvalidContent, match="cannot be stored: Expected `str` matching regex"):
        outgoing("c1", NOW, SpaceCreated(space="home", salt="pepper", policy=Policy()))


def test_a_builder_of_an_impossible_space_is_not_made() -> None:
    with pytest.raises(InvalidSpaceName):
        Builder("a/b", lambda: NOW)
