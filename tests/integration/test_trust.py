"""An engine that takes a stranger's part, through dispatcher, queue and worker: the fold believes the person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis as redis_py
from support.jobs import Desk, Hired, replaced

from mnemolog.schema.outcomes import ConflictsJudged, PairVerdict
from mnemolog.schema.times import DAY
from mnemolog.workers.engines.rules import RulesEngine

ADA, BEN = 1_773_050_400_000, 1_773_050_400_000 + DAY


@pytest.fixture
def desk(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(redis, redis_url, tmp_path / "data")
    yield desk
    desk.close()


def as_adas(work: Any) -> Any:
    """What Ben says of himself, told as Ada's own words about herself."""
    found = RulesEngine().extract(work)
    told = tuple(
        replaced(item, cell=msgspec.structs.replace(item.cell, subject="Ada", stated_by="Ada", basis="requested"))
        for item in found.cells
    )
    return replaced(found, cells=told)


def all_superseded(work: Any) -> Any:
    verdicts = tuple(PairVerdict(first, second, "supersedes", "changed") for first, second in work.pairs)
    return replaced(RulesEngine().resolve(work), verdicts=verdicts)


def test_an_engine_that_proposes_a_strangers_words_over_the_persons_is_refused(desk: Desk) -> None:
    desk.say("I live in Berlin.", session="own", speaker="Ada", at=ADA)
    desk.finish()
    desk.say("I live in Rome.", session="theirs", speaker="Ben", at=BEN)
    desk.finish(Hired(extract=as_adas, resolve=all_superseded))
    [judged] = desk.logged(ConflictsJudged)
    assert isinstance(judged.payload, ConflictsJudged)
    assert judged.payload.verdicts
    assert desk.rows("SELECT reason FROM refusals") == [("less_trusted",)]
    assert desk.rows("SELECT object, basis, heir FROM cells ORDER BY object") == [
        ("berlin", "first_person", None),
        ("rome", "requested", None),
    ]


def test_the_same_engine_may_follow_the_person(desk: Desk) -> None:
    desk.say("I live in Berlin.", session="own", speaker="Ada", at=ADA)
    desk.finish()
    desk.say("I live in Munich now.", session="later", speaker="Ada", at=BEN)
    desk.finish(Hired(resolve=all_superseded))
    assert desk.rows("SELECT reason FROM refusals") == []
    assert desk.get("SELECT heir IS NOT NULL FROM cells WHERE object = 'berlin'")
