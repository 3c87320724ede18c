"""Conflicts that are handed out together, over a real Redis: when, how often, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support.jobs import Desk, Hired
from support.stories import BEGIN_MS

from mnemolog.schema.errors import EngineError
from mnemolog.schema.jobs import ResolveWork
from mnemolog.schema.outcomes import ConflictsJudged
from mnemolog.schema.times import DAY
from mnemolog.workers.jobs import dispatcher
from mnemolog.workers.jobs.dispatcher import SpaceDispatcher
from mnemolog.workers.jobs.joint import names_of
from mnemolog.workers.jobs.limits import JobLimits

TOWNS = ("Berlin", "Lisbon", "Oslo", "Rome")


@pytest.fixture
def desk(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(redis, redis_url, tmp_path / "data", JobLimits())
    yield desk
    desk.close()


def move_about(desk: Desk) -> None:
    """Three conflicts that are due at once."""
    for number, town in enumerate(TOWNS):
        desk.say(f"I live in {town} now.", session=f"day{number}", at=BEGIN_MS + number * DAY)
    desk.turn()
    desk.work(kinds=("extract",))


def asked(engine: Hired) -> list[ResolveWork]:
    return [work for work in engine.asked if isinstance(work, ResolveWork)]


def queued(desk: Desk) -> int:
    return int(desk.client.llen("rq:queue:mnemolog-resolve"))  # type: ignore[arg-type]


def test_conflicts_of_a_burst_are_one_question_and_an_outcome_for_each(desk: Desk) -> None:
    move_about(desk)
    desk.turn()
    engine = Hired()
    desk.work(engine)
    assert [len(names_of(work)) for work in asked(engine)] == [3]
    outcomes = desk.logged(ConflictsJudged)
    assert [len(event.payload.verdicts) for event in outcomes] == [1, 2, 3]
    assert desk.rows("SELECT object FROM cells WHERE heir IS NULL") == [("rome",)]
    assert not [job for job in desk.jobs("due") if job[2] == "resolve"]


def test_conflicts_wait_for_what_is_still_to_be_extracted_but_not_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_about(desk)
    desk.say("I like tea.", session="late", at=BEGIN_MS + 9 * DAY)
    desk.turn()
    assert queued(desk) == 0
    monkeypatch.setitem(dispatcher.PATIENCE_MS, "resolve", 0)
    desk.turn()
    assert queued(desk) == 1


def test_conflicts_that_wait_in_a_queue_together_are_not_handed_out_again(desk: Desk) -> None:
    move_about(desk)
    desk.turn()
    desk.pass_deadlines()
    desk.turn()
    assert queued(desk) == 1
    assert {attempts for attempts, _ in desk.handed()} == {1}


def test_a_dispatcher_that_was_started_anew_hands_them_out_again_after_the_deadline(desk: Desk) -> None:
    move_about(desk)
    desk.turn()
    desk.lose_queues()
    desk.pass_deadlines()
    desk.dispatcher.close()
    desk.dispatcher = SpaceDispatcher(desk.writer, desk.client, desk.limits, desk.dispatcher._vectors)
    desk.turn()
    assert queued(desk) == 3
    desk.finish()
    assert desk.rows("SELECT object FROM cells WHERE heir IS NULL") == [("rome",)]
    assert desk.jobs("failed") == []


def test_what_failed_together_is_tried_alone_and_its_cost_is_told_once(desk: Desk) -> None:
    move_about(desk)
    desk.turn()

    def fail(_: Any) -> ConflictsJudged:
        raise EngineError("out of order", raw="?", calls=1, tokens_in=100, tokens_out=1)

    desk.work(Hired(resolve=fail))
    assert desk.jobs("failed") == []
    told = dispatcher.troubles.told(desk.client, desk.writer.space)
    assert sorted(trouble.calls for trouble in told.values()) == [0, 0, 1]
    desk.pass_deadlines()
    for job in told:
        dispatcher.troubles.forget(desk.client, desk.writer.space, [job])
    desk.turn()
    assert queued(desk) == 3
    engine = Hired()
    desk.work(engine)
    assert [len(names_of(work)) for work in asked(engine)] == [1, 1, 1]
