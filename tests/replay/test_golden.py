"""Golden files: one encoded event for every type and version that any release wrote, kept for ever.

`golden/TYPE.vN.json` holds the bytes as they stand on the log, without a line break at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from mnemolog.schema.cells import Cell, Evidence, Mention
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested, OutcomesVoided
from mnemolog.schema.events import (
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
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    Engine,
    EntityKey,
    ExtractedCell,
    ForgetWish,
    JobFailed,
    PairVerdict,
    SceneConsolidated,
)
from mnemolog.schema.policy import CapPolicy, DecayPolicy, Policy, TrustPolicy, WindowPolicy
from mnemolog.schema.recalls import Answer, AnswerLine
from mnemolog.schema.registry import PAYLOADS
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    JobRequeued,
    NodesRecalled,
    RequestDismissed,
    SessionIdled,
    VerdictGiven,
    VerdictsReviewed,
)
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

ENGINE = Engine(
    name="model",
    model="small-1",
    prompt_version="extract.v1",
    calls=2,
    tokens_in=900,
    tokens_out=80,
    cost_usd=0.0125,
    took_ms=1_500,
)
JOB_KEY = "0123456789abcdef" * 2
CELL = ExtractedCell(
    cell=Cell(
        content="Ada “does not” live in 上海 any more.",
        cell_type="fact",
        subject="Ada",
        evidence=(Evidence("m1", "not in 上海"), Evidence("m2", "moved — at last")),
        scene="home",
        salience=0.8,
        slot="residence",
        object="上海",
        polarity=-1,
        modality="planned",
        holds_from=AT - 9,
        holds_until=AT + 9,
        granularity="month",
        due=AT + 10,
        stated_by="Ben",
        basis="others",
        entities=(Mention("上海", "place"),),
        causes=(0, "ce-1"),
        ends="*",
        change=True,
        addition=True,
        correction=True,
        plural=True,
        scope="at work",
    ),
    entities=(EntityKey("上海", "上海", "place"),),
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
    "cells_extracted.v1": CellsExtracted(
        job_key=JOB_KEY,
        generation=2,
        engine=ENGINE,
        raw='{"cells": []}',
        cells=(CELL,),
        forget=(ForgetWish(event_id="m1", quote="forget 上海", words="that I lived in 上海", subject="Ada"),),
        refused=(("no_subject", "somebody moved"),),
        unknown_language=3,
    ),
    "conflicts_judged.v1": ConflictsJudged(
        job_key=JOB_KEY,
        generation=3,
        engine=ENGINE,
        raw='{"verdicts": []}',
        verdicts=(PairVerdict("ce-1", "ce-2", "supersedes", "changed"), PairVerdict("ce-1", "ce-3", "unsure")),
        refused=(("no_ruling", "perhaps"),),
        candidates=7,
    ),
    "scene_consolidated.v1": SceneConsolidated(
        job_key=JOB_KEY,
        generation=4,
        engine=ENGINE,
        raw="Ada moved.",
        scene="home",
        summary="Ada moved.",
        cells=("ce-1", "ce-2"),
        seen="fedcba9876543210" * 2,
    ),
    "job_failed.v1": JobFailed(
        job_key=JOB_KEY, generation=5, engine=ENGINE, raw="cut o", reason="the reply was cut off", attempts=3
    ),
    "fact_remembered.v1": FactRemembered(
        text="Not in 上海, moved — at last.",
        speaker="Ada",
        occurred_at=AT - 3,
        utc_offset_min=60,
        cells=(CELL,),
        decided=(("0123456789abcdef" * 2, AT - 8),),
    ),
    "fact_corrected.v1": FactCorrected(
        text="Not in 上海, moved — at last.",
        speaker="Ada",
        occurred_at=AT - 3,
        utc_offset_min=60,
        cells=(CELL,),
        node_id="ce-1",
    ),
    "fact_confirmed.v1": FactConfirmed(node_id="ce-1"),
    "fact_unpinned.v1": FactUnpinned(node_id="ce-1"),
    "facts_forgotten.v1": FactsForgotten(node_ids=("ce-1", "ce-2"), request="rq-1"),
    "request_dismissed.v1": RequestDismissed(request="rq-2"),
    "verdict_given.v1": VerdictGiven(first="ce-1", second="ce-2", ruling="compatible"),
    "verdicts_reviewed.v1": VerdictsReviewed(pairs=(("ce-1", "ce-2"), ("ce-3", "ce-4")), approved=True),
    "job_requeued.v1": JobRequeued(job_key=JOB_KEY),
    "nodes_recalled.v1": NodesRecalled(
        recalls=((AT - 4, ("ce-1", "ce-2")), (AT - 3, ("ce-1",))),
        answers=(
            Answer(
                at=AT - 4,
                about=AT - 5,
                kind="context",
                query="Where does Ada “live”?",
                query_chars=22,
                query_hash="0123456789abcdef" * 2,
                message="m1",
                ms=AT,
                seq=6,
                options={"budget": 500, "speakers": ("Ada", "上海"), "asker": "Ben", "fallback": True, "least": 0.5},
                lines=(AnswerLine("scene", "sc-1"), AnswerLine("fact", "ce-1", (0, 12)), AnswerLine("message", "ep-1")),
                digest="fedcba9876543210" * 2,
                reinforces=True,
            ),
        ),
    ),
    "session_idled.v1": SessionIdled(session="s1", last_event="m9"),
    "outcomes_voided.v1": OutcomesVoided(positions=((AT, 6), (AT + 1, 0)), reason="a model that “dreams”"),
    "erasure_requested.v1": ErasureRequested(what="session", hash="0123456789abcdef" * 2, done=True),
    "entry_erased.v1": EntryErased(
        kind="message_published",
        event="0123456789abcdef" * 2,
        session="fedcba9876543210" * 2,
        occurred_at=AT - 6,
        counter=8,
        waits=True,
        decided=(("0123456789abcdef" * 2, AT - 7),),
        hidden=("ep-1",),
        forgotten=("ce-1",),
    ),
    "erasure_lifted.v1": ErasureLifted(events=("0123456789abcdef" * 2,)),
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
