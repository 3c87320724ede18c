"""Jobs from the log to their outcome: handed out, done by RQ workers, handed out again, given up, requeued."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import wait_until
from support.jobs import Desk, Hired, replaced
from support.stories import BEGIN_MS, SmallEmbedder, file_hashes

from mnemolog.schema import keys, troubles
from mnemolog.schema.errors import EngineError, StaleWriter
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, JobFailed, SceneConsolidated
from mnemolog.schema.requests import JobRequeued, SessionIdled
from mnemolog.schema.times import MINUTE
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.rebuilding.replay import verify
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.idle import LOOK_S

WEEK = 7 * 24 * 60 * MINUTE

Opener = Callable[..., Desk]


@pytest.fixture
def opened(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Opener]:
    desks: list[Desk] = []

    def open_desk(**limits: Any) -> Desk:
        desks.append(Desk(redis, redis_url, tmp_path / "data", JobLimits(**limits)))
        return desks[-1]

    yield open_desk
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(opened: Opener) -> Desk:
    return opened()


def failing(*errors: Exception) -> Hired:
    """An engine whose first extractions fail."""
    left = list(errors)

    def extract(work: Any) -> Any:
        if left:
            raise left.pop(0)
        return RulesEngine().extract(work)

    return Hired(extract=extract)


# ---- the way of a job ----------------------------------------------------------------------------------------------


def test_a_window_becomes_a_fact(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    assert desk.turn() == 1
    desk.work()
    assert desk.rows("SELECT content FROM nodes WHERE type = 'semantic'") != []
    assert desk.jobs("due") == []
    desk.turn()
    assert desk.handed() == []


def test_a_job_is_handed_out_once_while_its_deadline_lasts(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    assert [desk.turn(), desk.turn(), desk.turn()] == [1, 0, 0]
    assert desk.client.llen("rq:queue:mnemolog-extract") == 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_change_retires_the_old_fact_in_both_orders_of_import(desk: Desk, order: int) -> None:
    told = [("first", "I work at Acme.", BEGIN_MS), ("second", "I started at Globex.", BEGIN_MS + WEEK)]
    for session, content, at in told[::order]:
        desk.say(content, session=session, at=at)
        desk.finish()
    assert desk.rows(
        "SELECT o.object, h.object FROM edges JOIN cells o ON o.node_id = target JOIN cells h ON h.node_id = source "
        "WHERE kind = 'supersedes'"
    ) == [("acme", "globex")]
    until = desk.get("SELECT valid_until FROM nodes JOIN cells USING (node_id) WHERE object = 'acme'")
    assert until == BEGIN_MS + WEEK


def test_new_facts_without_company_cost_no_verdict(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.finish()
    assert desk.logged(ConflictsJudged) == []


def test_a_new_fact_that_contradicts_nothing_is_settled_without_an_engine(desk: Desk) -> None:
    engine = Hired()
    desk.say("I am allergic to peanuts.", session="a")
    desk.finish(engine)
    desk.say("I play the violin.", session="b")
    desk.finish(engine)
    assert len(desk.logged(ConflictsJudged)) == 1
    judged = desk.logged(ConflictsJudged)[0].payload
    assert isinstance(judged, ConflictsJudged)
    assert judged.engine.name == "none"
    assert {type(work).__name__ for work in engine.asked} == {"ExtractWork"}


def test_a_summary_waits_for_the_facts_and_is_made_once(desk: Desk) -> None:
    for number, content in enumerate(["I work at Acme.", "I am a nurse.", "My boss is called Eve."]):
        desk.say(content, session=f"s{number}")
    desk.turn()
    desk.work(kinds=("extract",))
    assert {kind for _, _, kind in desk.jobs("due")} >= {"consolidate"}
    desk.finish()
    scenes = [event.payload.scene for event in desk.logged(SceneConsolidated)]
    assert len(scenes) == len(set(scenes)) > 0


# ---- deadlines and attempts ----------------------------------------------------------------------------------------


def test_a_job_that_was_enqueued_twice_is_paid_once(desk: Desk) -> None:
    engine = Hired()
    desk.say("I live in Berlin.")
    desk.turn()
    with desk.writer.transaction():
        desk.writer.connection.execute("DELETE FROM dispatch")
    desk.turn()
    assert desk.client.llen("rq:queue:mnemolog-extract") == 2
    desk.work(engine)
    assert len(engine.asked) == len(desk.logged(CellsExtracted)) == 1


def test_a_job_whose_worker_vanished_is_handed_out_again_after_its_deadline(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    desk.lose_queues()
    assert desk.turn() == 0
    desk.pass_deadlines()
    assert desk.turn() == 1
    assert [attempts for attempts, _ in desk.handed()] == [2]
    desk.work()
    assert desk.jobs("due") == []


def test_a_job_that_no_worker_has_taken_yet_waits_without_losing_an_attempt(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    desk.pass_deadlines()
    desk.turn()
    [(attempts, deadline)] = desk.handed()
    assert attempts == 1
    assert deadline > lease.now_ms()
    assert desk.client.llen("rq:queue:mnemolog-extract") == 1


def test_a_job_that_was_taken_late_has_its_whole_time(desk: Desk) -> None:
    desk.say("I live in Berlin.")

    def while_working(work: Any) -> Any:
        desk.pass_deadlines()
        desk.turn()
        [(attempts, deadline)] = desk.handed()
        assert attempts == 1
        assert deadline > lease.now_ms() + 20_000
        return RulesEngine().extract(work)

    desk.turn()
    desk.work(Hired(extract=while_working))
    assert desk.jobs("due") == []


def test_a_failure_is_tried_again_after_a_pause(opened: Opener) -> None:
    desk = opened(deadline_s=2.0)
    desk.say("I live in Berlin.")
    desk.turn()
    desk.work(failing(EngineError("the model stumbled", raw="???", calls=1)))
    [trouble] = troubles.told(desk.client, "default").values()
    assert (trouble.error, trouble.raw, trouble.calls, trouble.waits) == ("the model stumbled", "???", 1, False)
    desk.turn()
    assert [attempts for attempts, _ in desk.handed()] == [1]
    wait_until(desk.turn, what="the pause to end")
    assert [attempts for attempts, _ in desk.handed()] == [2]
    desk.work()
    assert desk.jobs("due") == []
    desk.turn()
    assert troubles.told(desk.client, "default") == {}


def test_the_time_that_a_server_asks_for_is_kept(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    desk.work(failing(EngineError("too many requests", retry_after_s=3600, calls=1)))
    desk.pass_deadlines()
    assert desk.turn() == 0
    [(job, trouble)] = troubles.told(desk.client, "default").items()
    assert trouble.not_before is not None
    assert trouble.not_before > lease.now_ms() + 3_500_000
    troubles.tell(desk.client, "default", job, replaced(trouble, not_before=lease.now_ms()))
    assert desk.turn() == 1
    assert [attempts for attempts, _ in desk.handed()] == [2]


def test_waiting_for_a_budget_costs_no_attempt(opened: Opener) -> None:
    desk = opened(attempts=1)
    desk.say("I live in Berlin.")
    for _ in range(3):
        desk.turn()
        desk.work(failing(EngineError("the budget of the day is used up", retry_after_s=0.0)))
    assert desk.jobs("failed") == []
    desk.turn()
    assert [attempts for attempts, _ in desk.handed()] == [1]
    desk.work()
    assert desk.jobs("due") == []


def test_after_the_last_attempt_a_job_fails_visibly_and_can_be_requeued(opened: Opener) -> None:
    desk = opened(attempts=2)
    desk.say("I live in Berlin.")
    engine = failing(
        *(EngineError(f"no {number}", raw=f"raw {number}", calls=1, retry_after_s=0.0) for number in (1, 2))
    )
    for _ in range(2):
        desk.turn()
        desk.work(engine)
    desk.turn()
    desk.turn()
    desk.fold()
    [failed] = desk.logged(JobFailed)
    assert isinstance(failed.payload, JobFailed)
    assert (failed.payload.reason, failed.payload.attempts, failed.payload.raw) == ("no 2", 2, "raw 2")
    assert failed.payload.engine.calls == 2
    [(key, generation, _)] = desk.jobs("failed")

    desk.put(JobRequeued(job_key=key))
    desk.fold()
    desk.finish(engine)
    assert desk.jobs("done") == [(key, generation + 1, "extract")]
    assert desk.rows("SELECT content FROM nodes WHERE type = 'semantic'") != []


def test_a_job_that_fails_in_silence_says_so(opened: Opener) -> None:
    desk = opened(attempts=2)
    desk.say("I live in Berlin.")
    for _ in range(3):
        desk.turn()
        desk.lose_queues()
        desk.pass_deadlines()
    desk.fold()
    [failed] = desk.logged(JobFailed)
    assert isinstance(failed.payload, JobFailed)
    assert failed.payload.reason == "no outcome within 30 s"


def test_giving_a_job_up_twice_is_one_event(opened: Opener) -> None:
    desk = opened(attempts=1)
    desk.say("I live in Berlin.")
    desk.turn()
    desk.lose_queues()
    for _ in range(2):
        desk.pass_deadlines()
        desk.turn()
    assert desk.client.xlen(keys.stream("default")) == 5
    desk.fold()
    assert desk.rows("SELECT reason FROM refusals") == []
    assert len(desk.jobs("failed")) == 1


def test_an_outcome_that_comes_after_the_job_was_given_up_still_counts(opened: Opener) -> None:
    desk = opened(attempts=1)
    desk.say("I live in Berlin.")
    desk.turn()
    taken = desk.client.lpop("rq:queue:mnemolog-extract")
    desk.pass_deadlines()
    desk.turn()
    desk.fold()
    assert len(desk.jobs("failed")) == 1
    desk.client.rpush("rq:queue:mnemolog-extract", taken)
    desk.work()
    assert len(desk.jobs("done")) == 1


def test_an_error_that_nobody_foresaw_is_told_too(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    desk.work(failing(ZeroDivisionError("oh")))
    [trouble] = troubles.told(desk.client, "default").values()
    assert trouble.error == "ZeroDivisionError: oh"
    assert desk.client.keys("mnemolog:*:claim:*") == []
    assert "Traceback" in caplog.text


def test_a_job_that_takes_too_long_is_ended_and_told(opened: Opener) -> None:
    desk = opened(deadline_s=2.0)
    desk.say("I live in Berlin.")
    desk.turn()

    def forever(_: Any) -> Any:
        while True:
            try:
                time.monotonic()
            except ValueError:
                continue

    desk.work(Hired(extract=forever))
    [trouble] = troubles.told(desk.client, "default").values()
    assert trouble.error.startswith("JobTimeoutException")


def test_at_most_so_many_jobs_of_a_kind_are_outstanding(opened: Opener) -> None:
    desk = opened(outstanding=3)
    for number in range(5):
        desk.say("I like tea.", session=f"s{number}")
    assert [desk.turn(), desk.turn()] == [3, 0]
    desk.work()
    desk.turn()
    assert sum(kind == "extract" for _, _, kind in desk.jobs("due")) == 2
    assert desk.client.llen("rq:queue:mnemolog-extract") == 2


# ---- two answers ---------------------------------------------------------------------------------------------------


def test_the_first_of_two_answers_counts_and_the_other_is_refused(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    body = _queued(desk)
    desk.work()
    desk.client.delete(*desk.client.keys("mnemolog:*:claim:*"))
    _enqueue_again(desk, body)
    desk.work(Hired(extract=lambda work: replaced(RulesEngine().extract(work), cells=())))
    assert [accepted for (accepted,) in desk.rows("SELECT accepted FROM outcomes ORDER BY ms, seq")] == [1, 0]
    assert desk.rows("SELECT reason FROM refusals") == [("no_open_job",)]
    assert desk.rows("SELECT content FROM nodes WHERE type = 'semantic'") != []
    _replays_equal(desk)


def _queued(desk: Desk) -> dict[bytes, bytes]:
    [key] = desk.client.keys("rq:job:*")
    return desk.client.hgetall(key)


def _enqueue_again(desk: Desk, job: dict[bytes, bytes]) -> None:
    desk.client.hset("rq:job:again", mapping=job)
    desk.client.rpush("rq:queue:mnemolog-extract", "again")


def _replays_equal(desk: Desk) -> None:
    desk.writer.archive.sync()
    result = verify(desk.settings, SmallEmbedder(), progress=lambda _: None)
    assert result.equal is True
    assert result.model_calls == 0
    assert result.hash_live == file_hashes(desk.settings.file).hash


# ---- who may dispatch ----------------------------------------------------------------------------------------------


def test_a_writer_that_lost_its_space_hands_nothing_out(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.writer.connection.execute("UPDATE lease SET epoch = epoch + 1")
    with pytest.raises(StaleWriter):
        desk.turn()
    assert desk.client.llen("rq:queue:mnemolog-extract") == 0


# ---- quiet sessions ------------------------------------------------------------------------------------------------


def test_a_quiet_session_closes_its_window_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put(MessagePublished(session="chat", role="user", content="I live in Berlin.", occurred_at=BEGIN_MS))
    desk.fold()
    desk.turn()
    assert desk.logged(SessionIdled) == []
    now = lease.now_ms()
    monkeypatch.setattr(lease, "now_ms", lambda: now + 11 * MINUTE)
    monkeypatch.setattr(time, "monotonic", _clock(LOOK_S))
    assert desk.turn() == 1
    assert desk.turn() == 0
    desk.fold()
    desk.turn()
    [idled] = desk.logged(SessionIdled)
    assert isinstance(idled.payload, SessionIdled)
    assert idled.payload.session == "chat"
    assert [kind for _, _, kind in desk.jobs("due")] == ["extract"]
    assert desk.get("SELECT waiting FROM sessions") == "[]"


def _clock(step: float) -> Callable[[], float]:
    """A clock that moves on by more than `step` at each look."""
    now = [1e6]

    def read() -> float:
        now[0] += 1.01 * step
        return now[0]

    return read
