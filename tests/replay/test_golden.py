"""Golden files: one encoded event for every type and version that any release wrote, kept for ever.

`golden/TYPE.vN.json` holds the bytes as they stand on the log, without a line break at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from mnemolog.schema.codec import decode, encode
from mnemolog.schema.events import (
    PAYLOADS,
    SCHEMA_GENERATION,
    DeadLetterDiscarded,
    DeadLetterRequeued,
    EntryParked,
    GapAccepted,
    MessagePublished,
    Payload,
    PolicySet,
    SessionClosed,
    SpaceCreated,
)
from mnemolog.schema.policy import CapPolicy, DecayPolicy, Policy, TrustPolicy, WindowPolicy
from mnemolog.schema.upcasters import UPCASTERS

GOLDEN = Path(__file__).with_name("golden")
AT = 1_773_050_400_123

POLICY = Policy(
    window=WindowPolicy(messages=5, idle_ms=1_000, other_session_gap_ms=2_000),
    decay=DecayPolicy(
        rates={"task": 0.2, "fact": 0.03},
        salience_damping=0.8,
        exponent=0.7,
        floor=0.06,
        retired_confidence=0.2,
        retired_rate=0.4,
    ),
    trust=TrustPolicy(requested=0.99, first_person=0.8, others=0.5, inferred=0.3),
    caps=CapPolicy(retire_count=4, retire_share=0.25, future_ms=3_600_000),
    supersedes_confidence=0.9,
    time_zone="Europe/Berlin",
)

#: What each golden file says, in today's structs: an older version's payload is what its upcasters make of it.
EXPECTED: dict[str, Payload] = {
    "space_created.v1": SpaceCreated(space="home", salt="0123456789abcdef" * 2, policy=POLICY),
    "policy_set.v1": PolicySet(policy=POLICY),
    "message_published.v1": MessagePublished(
        session="Ada's “first” session",
        role="assistant",
        content='Line 1\nsays "hi" to 中文 \\ 👍\u2028',
        speaker="Ada",
        occurred_at=AT - 1,
        utc_offset_min=-330,
        seq=7,
        line=12,
        source_type="recall",
        metadata={"tags": ["a", "é"], "nested": {"on": True, "off": None, "score": 0.5}},
    ),
    "session_closed.v1": SessionClosed(session="s1", occurred_at=AT - 2),
    "entry_parked.v1": EntryParked(ms=AT, seq=3),
    "dead_letter_requeued.v1": DeadLetterRequeued(ms=AT, seq=4),
    "dead_letter_discarded.v1": DeadLetterDiscarded(ms=AT, seq=5),
    "gap_accepted.v1": GapAccepted(ms=AT, seq=2**63 - 1),
}


def files() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.v*.json"))}


def wanted(payloads: Mapping[str, type[Payload]]) -> set[str]:
    return {f"{name}.v{number}" for name, struct in payloads.items() for number in range(1, struct.VERSION + 1)}


def generation_of(body: bytes) -> int:
    found = re.search(rb'"g":(\d+),', body)
    assert found
    return int(found[1])


def test_every_type_and_version_has_a_golden_file_and_every_file_is_of_a_known_type() -> None:
    assert files().keys() == wanted(PAYLOADS)


def test_a_new_type_and_a_new_version_each_ask_for_a_golden_file() -> None:
    class MoodChanged(Payload, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "mood_changed"
        VERSION: ClassVar[int] = 2

    assert wanted({**PAYLOADS, "mood_changed": MoodChanged}) - files().keys() == {"mood_changed.v1", "mood_changed.v2"}


def test_every_older_version_has_an_upcaster_to_the_next() -> None:
    assert UPCASTERS.keys() == {
        (name, number) for name, struct in PAYLOADS.items() for number in range(1, struct.VERSION)
    }


@pytest.mark.parametrize("name", sorted(files()))
def test_what_was_written_once_is_read_today(name: str) -> None:
    event = decode(files()[name])
    assert (event.id, event.at, event.type) == (f"golden {name}", AT, name.rpartition(".v")[0])
    assert event.payload == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(files()))
def test_the_newest_version_is_written_today_as_it_was_then(name: str) -> None:
    type_, _, version = name.rpartition(".v")
    if int(version) < PAYLOADS[type_].VERSION:
        assert f"{type_}.v{PAYLOADS[type_].VERSION}" in files()
        return
    # Only the generation of the schema may have grown since.
    then = re.sub(rb'"g":\d+,', b'"g":%d,' % SCHEMA_GENERATION, files()[name], count=1)
    assert encode(f"golden {name}", AT, EXPECTED[name]) == then


def test_every_generation_of_the_schema_left_a_golden_file() -> None:
    assert {generation_of(body) for body in files().values()} == set(range(1, SCHEMA_GENERATION + 1))


def test_no_golden_field_is_left_at_its_default() -> None:
    for name, payload in EXPECTED.items():
        for field in payload.__struct_fields__:
            assert f'"{field}":'.encode() in files()[name], f"{name} says nothing about {field}"
