"""Events to bytes and back, and what is made of bytes that are no event."""

from __future__ import annotations

import sys
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnemolog.schema import codec, events
from mnemolog.schema.codec import check_nesting, check_payload, decode, digest, encode
from mnemolog.schema.errors import InvalidContent, NewerEvent, Undecodable
from mnemolog.schema.events import (
    MAX_CONTENT_BYTES,
    MAX_EVENT_BYTES,
    MAX_METADATA_BYTES,
    MAX_NESTING,
    SCHEMA_GENERATION,
    Event,
    MessagePublished,
    Payload,
    PolicySet,
    SessionClosed,
    SpaceCreated,
)
from mnemolog.schema.policy import Policy
from mnemolog.schema.registry import PAYLOADS

AT = 1_773_050_400_000


def short(value: object) -> str:
    return ascii(value)[:60]


FULL = MessagePublished(
    session="Ada's",
    role="user",
    content='Ada says "hi",\nin 中文 and 👍',
    speaker="Ada",
    occurred_at=AT - 5,
    utc_offset_min=60,
    seq=3,
    line=9,
    source_type="import",
    metadata={"a": [1, 2.5, None, {"b": "c"}]},
)


def body(data: str = '{"session":"s"}', type_: str = "session_closed", v: int = 1, g: int = 1, **more: Any) -> bytes:
    envelope = {"id": "e1", "type": type_, "v": v, "g": g, "at": AT, "data": msgspec.Raw(data.encode())}
    return msgspec.json.encode(envelope | more)


def metadata(value: str) -> bytes:
    return body(f'{{"session":"s","role":"user","content":"x","metadata":{value}}}', "message_published")


def reason_of(damaged: bytes) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(damaged)
    assert caught.value.detail
    return caught.value.reason


# ---- what is an event ------------------------------------------------------------------------------------------


def test_an_event_is_read_as_it_was_written() -> None:
    assert decode(encode("m1", AT, FULL)) == Event("m1", "message_published", AT, FULL, digest(FULL))


def test_an_event_is_one_line() -> None:
    assert b"\n" not in encode("m1", AT, FULL)


def test_fields_that_a_later_program_adds_within_a_version_are_passed_over() -> None:
    assert decode(body('{"session":"s","colour":"red"}', sender="x")).payload == SessionClosed(session="s")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
messages = st.builds(
    MessagePublished,
    session=texts.filter(bool),
    role=st.sampled_from(events.ROLES),
    content=texts,
    speaker=st.none() | texts.filter(bool),
    occurred_at=st.none() | st.integers(events.MIN_MS, events.MAX_MS),
    utc_offset_min=st.integers(-1440, 1440),
    seq=st.none() | st.integers(0, 2**63 - 1),
    line=st.none() | st.integers(0, 2**63 - 1),
    source_type=st.sampled_from(["chat", "import", "recall"]),
    metadata=st.dictionaries(texts, json_values, max_size=4),
)


@given(messages)
def test_any_message_that_is_accepted_is_read_as_it_was_written(message: MessagePublished) -> None:
    check_payload(message)
    decoded = decode(encode("m1", AT, message))
    assert decoded.payload == message
    assert decoded.digest == digest(message)


# ---- what is not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "corrupt"),
        (b"null", "corrupt"),
        (b"[]", "corrupt"),
        (b"{", "corrupt"),
        (b'{"foreign":[]}', "corrupt"),
        (b"\xff\xfe", "corrupt"),
        (body() + b"x", "corrupt"),
        (body()[:-1], "corrupt"),
        (body(id=""), "corrupt"),
        (body(id="x" * 201), "corrupt"),
        (body(id="a\x00b"), "corrupt"),
        (body(id=7), "corrupt"),
        (body(at=events.MAX_MS + 1), "corrupt"),
        (body(at="2026"), "corrupt"),
        (body(v=0), "corrupt"),
        (body(g=0), "corrupt"),
        (body().replace(b'"v":1', b'"v":' + b"9" * 5_000), "corrupt"),
        (body().replace(b'"e1"', b'"\xff"'), "corrupt"),
        (body().replace(b'"e1"', b'"\\ud800"'), "corrupt"),
        (body(type_="session_opened"), "unknown_type"),
        (body(type_=""), "unknown_type"),
        (body("null"), "invalid_payload"),
        (body("[]"), "invalid_payload"),
        (body("{}"), "invalid_payload"),
        (body('{"session":""}'), "invalid_payload"),
        (body('{"session":"a\\u0000b"}'), "invalid_payload"),
        (body('{"session":"s","occurred_at":1.5}'), "invalid_payload"),
        (body('{"session":"s","occurred_at":true}'), "invalid_payload"),
        (body('{"session":"x"}').replace(b'"x"', b'"\xff"'), "invalid_payload"),
        (metadata('{"x":"a\\u0000"}'), "invalid_payload"),
        (metadata('{"a\\u0000":1}'), "invalid_payload"),
        (metadata('{"x":1e400}'), "invalid_payload"),
        (metadata('{"x":' + "1" * 5_000 + "}"), "invalid_payload"),
        (metadata('{"x":NaN}'), "corrupt"),
        (metadata('{"x":-Infinity}'), "corrupt"),
        (metadata('{"x":"\\ud800"}'), "corrupt"),
        (metadata('{"x":"' + "y" * MAX_METADATA_BYTES + '"}'), "invalid_payload"),
        (metadata("[1]"), "invalid_payload"),
        (body('{"session":"s","role":"judge","content":"x"}', "message_published"), "invalid_payload"),
        (body('{"space":"s","salt":"' + "0" * 32 + '\\n","policy":{}}', "space_created"), "invalid_payload"),
        (body('{"policy":{"colour":1}}', "policy_set"), "invalid_payload"),
        (b" " * (MAX_EVENT_BYTES + 1), "too_large"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (metadata('{"a":' * 5_000 + "1" + "}" * 5_000), "too_deep"),
        (body("[" * 900 + "]" * 900), "too_deep"),
    ],
    ids=short,
)
def test_bytes_that_are_no_event_are_refused_with_a_reason(damaged: bytes, reason: str) -> None:
    assert reason_of(damaged) == reason


def test_content_may_be_as_long_as_stated_and_no_longer() -> None:
    longest = MessagePublished(session="s", role="user", content="é" * (MAX_CONTENT_BYTES // 2))
    assert decode(encode("m", AT, longest)).payload == longest
    longer = msgspec.structs.replace(longest, content=longest.content + "e")
    assert reason_of(encode("m", AT, longer)) == "invalid_payload"


def test_content_whose_escapes_are_six_times_as_long_still_fits_in_an_event() -> None:
    worst = MessagePublished(session="s", role="user", content="\x01" * MAX_CONTENT_BYTES)
    assert len(encode("m", AT, worst)) < MAX_EVENT_BYTES
    assert decode(encode("m", AT, worst)).payload == worst


def test_of_a_repeated_field_the_last_counts() -> None:
    event = decode(body('{"session":"s","session":"t"}').replace(b'"id":"e1"', b'"id":"e0","id":"e1"'))
    assert (event.id, event.payload) == ("e1", SessionClosed(session="t"))


@pytest.mark.parametrize(
    "newer",
    [
        body(type_="mood_changed", g=SCHEMA_GENERATION + 1),
        body(v=2),
        body(v=2, g=SCHEMA_GENERATION + 1),
        body(v=10**30),
        body(g=SCHEMA_GENERATION + 1, at="tomorrow"),
        body(g=10**30, type_=7),
        msgspec.json.encode({"g": SCHEMA_GENERATION + 1, "event": {}}),
    ],
)
def test_what_a_newer_program_wrote_is_told_from_what_is_damaged(newer: bytes) -> None:
    with pytest.raises(NewerEvent):
        decode(newer)


def test_a_known_event_of_a_newer_generation_is_read() -> None:
    assert decode(body(g=SCHEMA_GENERATION + 1)).payload == SessionClosed(session="s")


@pytest.mark.parametrize("generation", ['"2"', "null", "2.5", "[2]", "0", "-1"])
def test_a_damaged_envelope_is_not_taken_for_a_newer_one(generation: str) -> None:
    assert reason_of(f'{{"g":{generation}}}'.encode()) == "corrupt"


SAMPLES = [
    encode("m1", AT, FULL),
    encode("c1", AT, SpaceCreated(space="s", salt="0" * 32, policy=Policy())),
    encode("s1", AT, SessionClosed(session="s", occurred_at=AT)),
    body(type_="mood_changed", g=SCHEMA_GENERATION + 1),
]
SPLICES = [
    b"",
    b"\x00",
    b"\xff",
    b'"',
    b"\\",
    b"\\ud800",
    b"{",
    b"]",
    b"9" * 30,
    b"1e999",
    b"-",
    b"null",
    b"NaN",
    b"[" * 999,
]


@given(
    st.sampled_from(SAMPLES),
    st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 8), st.sampled_from(SPLICES) | st.binary(max_size=4)),
        min_size=1,
        max_size=6,
    ),
)
def test_mutated_bytes_are_an_event_or_are_refused_and_nothing_else_happens(
    sample: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    mutated = bytearray(sample)
    for place, cut, put in changes:
        at = place % (len(mutated) + 1)
        mutated[at : at + cut] = put
    try:
        event = decode(bytes(mutated))
    except (Undecodable, NewerEvent):
        return
    assert decode(encode(event.id, event.at, event.payload)) == event


@given(st.binary(max_size=200))
@example(b"[" * 20_000)
def test_bytes_of_any_kind_are_refused_and_nothing_else_happens(anything: bytes) -> None:
    with pytest.raises((Undecodable, NewerEvent)):
        decode(anything)


@given(st.sampled_from(SAMPLES), st.data())
def test_an_event_cut_short_is_corrupt(sample: bytes, data: st.DataObject) -> None:
    assert reason_of(sample[: data.draw(st.integers(0, len(sample) - 1))]) == "corrupt"


def test_what_an_entry_is_does_not_depend_on_the_stack_it_is_read_on() -> None:
    deepest = metadata('{"a":' * MAX_NESTING + "1" + "}" * MAX_NESTING)
    deeper = metadata('{"a":' * (MAX_NESTING + 1) + "1" + "}" * (MAX_NESTING + 1))

    def read(frames: int) -> tuple[Event, str]:
        return read(frames - 1) if frames else (decode(deepest), reason_of(deeper))

    frame, used = sys._getframe(), 0
    while frame := frame.f_back:
        used += 1
    assert read(0) == read(sys.getrecursionlimit() - used - MAX_NESTING - 150)


@pytest.mark.parametrize(
    ("json", "depth"),
    [
        (b"[]", 1),
        (b"[[],{}]", 2),
        (b'["[[[["]', 1),
        (b'["\\"[[[["]', 1),
        (b'["\\\\",[["]]"]]]', 3),
        (b'{"[":{"]":[]}}', 3),
        (b'["[[', 1),
        (b'["[\\', 1),
    ],
)
def test_nesting_is_counted_outside_of_strings(json: bytes, depth: int) -> None:
    padding = b"[]" * 200
    check_nesting(b"[" + padding + b"," + json, depth + 1)
    with pytest.raises(InvalidContent, match="nested more than"):
        check_nesting(b"[" + padding + b"," + json, depth)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [b'\\"', b'"', b"[]", b"\\", b'"\\'])
def test_the_longest_malformed_body_is_refused_in_seconds(piece: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(b"[" * 103 + piece * ((MAX_EVENT_BYTES - 103) // len(piece)))


# ---- what the door refuses -------------------------------------------------------------------------------------


def _nested(depth: int) -> dict[str, Any]:
    return {"in": _nested(depth - 1)} if depth > 1 else {}


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    return circle


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"content": "a\ud800b"}, "content has a lone surrogate .* at 1"),
        ({"content": "ab\x00"}, "content has a NUL character at 2"),
        ({"content": "é" * (MAX_CONTENT_BYTES // 2) + "e"}, "content has 2,097,153 bytes; the most is 2,097,152"),
        ({"content": None}, "content is text, not NoneType"),
        ({"content": b"bytes"}, "content is text, not bytes"),
        ({"session": "a\x00"}, "session has a NUL"),
        ({"session": "\udfff"}, "session has a lone surrogate"),
        ({"speaker": "a\x00"}, "speaker has a NUL"),
        ({"metadata": {"a": "\x00"}}, "metadata has a NUL"),
        ({"metadata": {"a\x00": 1}}, "metadata has a NUL"),
        ({"metadata": {"a": "\\\x00"}}, "metadata has a NUL"),
        ({"metadata": {"a": "\ud800"}}, "metadata cannot be written as JSON"),
        ({"metadata": {"a": 1j}}, "metadata cannot be written as JSON"),
        ({"metadata": _circle()}, "metadata cannot be written as JSON"),
        ({"metadata": {"a": "x" * MAX_METADATA_BYTES}}, "metadata has 65,544 bytes as JSON; the most is 65,536"),
        ({"metadata": _nested(101)}, "nested more than 100 deep"),
    ],
    ids=short,
)
def test_a_payload_that_cannot_be_stored_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    payload = MessagePublished(**{"session": "s", "role": "user", "content": "x"} | changes)
    with pytest.raises(InvalidContent, match=said):
        check_payload(payload)


def test_text_about_escapes_is_no_nul() -> None:
    check_payload(MessagePublished(session="s", role="user", content="x", metadata={"a": "\\u0000", "b": "\\\\u0000"}))


def test_an_integer_of_too_many_digits_is_refused() -> None:
    with pytest.raises(InvalidContent, match="metadata cannot be written as JSON"):
        check_payload(MessagePublished(session="s", role="user", content="x", metadata={"a": 10**5_000}))


@pytest.mark.parametrize("content", ["\ud800", object(), _circle()], ids=["surrogate", "object", "circle"])
def test_what_json_cannot_hold_is_not_encoded(content: Any) -> None:
    with pytest.raises(InvalidContent):
        encode("m", AT, MessagePublished(session="s", role="user", content=content))


# ---- the digest ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"session": "other"},
        {"role": "assistant"},
        {"content": "other"},
        {"speaker": None},
        {"occurred_at": AT},
        {"occurred_at": None},
        {"seq": 4},
        {"seq": None},
        {"metadata": {}},
        {"metadata": {"a": [1, 2.5, None, {"b": "d"}]}},
    ],
)
def test_the_digest_covers_what_the_caller_gave(change: dict[str, Any]) -> None:
    assert digest(msgspec.structs.replace(FULL, **change)) != digest(FULL)


@pytest.mark.parametrize("change", [{"line": 8}, {"line": None}, {"utc_offset_min": 0}, {"source_type": "chat"}])
def test_the_digest_leaves_out_what_the_door_added(change: dict[str, Any]) -> None:
    assert digest(msgspec.structs.replace(FULL, **change)) == digest(FULL)


def test_the_digest_covers_neither_the_id_nor_the_producers_clock() -> None:
    assert decode(encode("a", 1, FULL)).digest == decode(encode("b", 2, FULL)).digest


def test_the_digest_does_not_depend_on_the_order_of_names() -> None:
    one = msgspec.structs.replace(FULL, metadata={"a": {"x": 1, "y": 2}, "b": 3})
    other = msgspec.structs.replace(FULL, metadata={"b": 3, "a": {"y": 2, "x": 1}})
    assert digest(one) == digest(other)


def test_every_field_of_a_message_is_either_in_the_digest_or_added_by_the_door() -> None:
    added = {"line", "utc_offset_min", "source_type"}
    given_fields = [getattr(FULL, name) for name in MessagePublished.__struct_fields__ if name not in added]
    assert list(FULL.given()) == given_fields


def test_payloads_of_different_types_with_the_same_fields_have_different_digests() -> None:
    kinds = [PAYLOADS[name](ms=1, seq=2) for name in ("entry_parked", "dead_letter_requeued", "gap_accepted")]
    assert len({digest(payload) for payload in kinds}) == len(kinds)


def test_another_policy_has_another_digest() -> None:
    assert digest(PolicySet(policy=Policy())) != digest(PolicySet(policy=Policy(time_zone="Europe/Berlin")))


# ---- versions --------------------------------------------------------------------------------------------------


class MoodChanged(Payload, frozen=True, kw_only=True):
    """The third version of an event that no released program writes."""

    TYPE: ClassVar[str] = "mood_changed"
    VERSION: ClassVar[int] = 3

    session: str
    level: Annotated[int, msgspec.Meta(ge=0, le=10)]


STEPS = {
    ("mood_changed", 1): lambda old: {"session": old["room"], "mood": old["mood"]},
    ("mood_changed", 2): lambda old: {"session": old["session"], "level": len(old["mood"])},
}


@pytest.fixture
def mood_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAYLOADS, "mood_changed", MoodChanged)
    monkeypatch.setitem(codec._payloads, "mood_changed", msgspec.json.Decoder(MoodChanged))


@pytest.mark.usefixtures("mood_changed")
@pytest.mark.parametrize(
    ("version", "data"),
    [(1, '{"room":"s","mood":"calm"}'), (2, '{"session":"s","mood":"calm"}'), (3, '{"session":"s","level":4}')],
)
def test_an_older_version_is_taken_to_the_newest_step_by_step(version: int, data: str) -> None:
    event = decode(body(data, "mood_changed", version), STEPS)
    assert event.payload == MoodChanged(session="s", level=4)
    assert event.digest == digest(event.payload)


@pytest.mark.usefixtures("mood_changed")
@pytest.mark.parametrize(
    ("version", "data", "reason"),
    [
        (2, '{"session":"s","mood":"altogether miserable"}', "invalid_payload"),
        (2, '{"session":"s"}', "invalid_payload"),
        (2, '{"session":"s","mood":7}', "invalid_payload"),
        (2, "[]", "invalid_payload"),
        (2, '{"session":"a\\u0000","mood":"calm"}', "invalid_payload"),
    ],
)
def test_an_older_version_that_is_damaged_is_refused(version: int, data: str, reason: str) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(body(data, "mood_changed", version), STEPS)
    assert caught.value.reason == reason


@pytest.mark.usefixtures("mood_changed")
def test_an_older_version_without_an_upcaster_is_named() -> None:
    with pytest.raises(Undecodable, match="unknown_version: mood_changed version 1 has no upcaster"):
        decode(body("{}", "mood_changed", 1), {})


@pytest.mark.usefixtures("mood_changed")
def test_a_version_above_the_newest_is_newer() -> None:
    with pytest.raises(NewerEvent, match="mood_changed version 4; this version knows up to 3"):
        decode(body("{}", "mood_changed", 4), STEPS)
