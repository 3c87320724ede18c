"""The memory of all doors over a real Redis and a running writer: what is put on the log once, and read at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import redis as redis_py

from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import EventIdReused, InvalidContent, LogUnavailable
from mnemolog.schema.ids import START
from mnemolog.schema.log import event_of
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.requests import NodesRecalled
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.background import background_writer
from mnemolog.workers.jobs.limits import JobLimits

SAID_AT = "2026-03-09T10:00:00+01:00"
PYTHON = Interaction(
    role="user", content="I prefer Python.", session="monday", speaker="Ada", occurred_at=SAID_AT, event_id="e1"
)
WAIT_S = 30.0


@pytest.fixture
def settings(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> Settings:
    return Settings(data=tmp_path, space="home", redis_url=redis_url)


@pytest.fixture
def memory(settings: Settings) -> Iterator[Memory]:
    with Memories(settings, ModelSettings()) as memories, memories.using() as made:
        yield made


@contextmanager
def written(settings: Settings) -> Iterator[None]:
    with (
        log_client(settings.redis_url or "") as client,
        background_writer(settings, client, WordLlamaEmbedder(), JobLimits()),
    ):
        yield


def entries(redis: redis_py.Redis) -> int:
    return int(redis.xlen("mnemolog:{home}:events"))


def test_what_was_published_is_read_as_soon_as_its_position_is_reached(settings: Settings, memory: Memory) -> None:
    with written(settings):
        published = memory.publish(PYTHON)
        assert published.position is not None
        assert memory.wait(published.position, WAIT_S)
        (message,) = memory.timeline().messages
        (found,) = memory.recall("Who prefers Python?").results
    assert (message.event_id, message.occurred_at) == ("e1", "2026-03-09T09:00:00Z")
    assert found.event_ids == ("e1",)


def test_the_same_event_id_adds_nothing_and_another_content_under_it_is_refused(
    settings: Settings, memory: Memory, redis: redis_py.Redis
) -> None:
    with written(settings):
        first = memory.publish(PYTHON)
        assert memory.wait(first.position or "", WAIT_S)
        before = entries(redis)
        assert memory.publish(PYTHON) == first
        other = msgspec.structs.replace(PYTHON, content="I prefer Rust.")
        with pytest.raises(EventIdReused):
            memory.publish(other)
        new = msgspec.structs.replace(PYTHON, event_id="e2", content="I like tea.")
        again, added = memory.publish_many([PYTHON, new])
        assert (again, added.event_id) == (first, "e2")
    assert entries(redis) == before + 1


def test_nothing_of_many_is_published_when_one_of_them_cannot_be(memory: Memory, redis: redis_py.Redis) -> None:
    bad = msgspec.structs.replace(PYTHON, content="nul \x00", event_id=None)
    with pytest.raises(InvalidContent):
        memory.publish_many([PYTHON, bad])
    assert entries(redis) == 0


def test_requests_under_an_event_id_are_made_once(settings: Settings, memory: Memory, redis: redis_py.Redis) -> None:
    with written(settings):
        kept = memory.remember("My locker is number 17.", speaker="Ada", event_id="r1", wait_s=WAIT_S)
        assert kept.folded
        node_id = kept.facts[0].node_id
        memory.remember("I work at Acme.", speaker="Ada", event_id="r2", wait_s=WAIT_S)
        wrong = next(fact for fact in memory.facts().facts if fact.slot == "employer")
        right = memory.correct(wrong.node_id, "Bolt", event_id="c1", wait_s=WAIT_S)
        pinned = memory.confirm(node_id, event_id="p1", wait_s=WAIT_S)
        gone = memory.forget(node_id=node_id, preview=False, event_id="f1", wait_s=WAIT_S)
        assert memory.remember("My locker is number 17.", speaker="Ada", event_id="r1") == kept
        assert memory.correct(wrong.node_id, "Bolt", event_id="c1") == right
        assert memory.forget(node_id=node_id, preview=False, event_id="f1").position == gone.position
        assert memory.forget(text="my locker", preview=False, event_id="f1").facts[0].status == "forgotten"
        for reused in (
            lambda: memory.remember("My locker is number 18.", event_id="r1"),
            lambda: memory.correct(right.facts[0].node_id, "Initech", event_id="c1"),
            lambda: memory.forget(node_id=right.facts[0].node_id, preview=False, event_id="f1"),
            lambda: memory.unpin(right.facts[0].node_id, event_id="p1"),
            lambda: memory.close_session("monday", event_id="r1"),
        ):
            with pytest.raises(EventIdReused):
                reused()
    ids = [event_of(entry).id for entry in Stream(redis, "home").range(START, 100)]
    assert sorted(id_ for id_ in ids if len(id_) == 2) == ["c1", "f1", "p1", "r1", "r2"]
    assert pinned.folded
    assert right.facts[0].content == "Ada works at Bolt."


def test_a_preview_of_forgetting_touches_nothing(settings: Settings, memory: Memory, redis: redis_py.Redis) -> None:
    with written(settings):
        memory.remember("My locker is number 17.", speaker="Ada", wait_s=WAIT_S)
        before = entries(redis)
        planned = memory.forget(text="my locker")
        assert ([fact.content for fact in planned.facts], planned.forgotten) == (["Ada's locker is number 17."], False)
        assert [one.content for one in planned.hides] == ["My locker is number 17."]
        assert entries(redis) == before
        nothing = memory.forget(text="that I climbed the Matterhorn", preview=False)
        assert (nothing.facts, nothing.forgotten) == ((), False)
        assert memory.forget(text="my locker", preview=False, wait_s=WAIT_S).folded
        assert memory.facts().facts == ()
        assert memory.timeline().messages == ()
        (hidden,) = memory.timeline(everything=True).messages
    assert hidden.hidden


def test_a_statement_holds_from_the_time_at_which_it_was_made(settings: Settings, memory: Memory) -> None:
    with written(settings):
        memory.remember("I moved to Berlin yesterday.", speaker="Ada", occurred_at=SAID_AT, wait_s=WAIT_S)
        (fact,) = memory.facts().facts
    assert fact.valid_from == "2026-03-07T23:00:00Z"


def test_without_a_writer_a_request_is_kept_and_nothing_is_waited_for(memory: Memory) -> None:
    done = memory.remember("My locker is number 17.", speaker="Ada", wait_s=WAIT_S)
    assert (done.folded, "no writer is running" in done.why_not) == (False, True)
    assert not memory.wait(done.position, WAIT_S)


def test_what_was_asked_stands_in_the_recall_log_once_the_memory_is_closed(
    settings: Settings, memory: Memory, redis: redis_py.Redis
) -> None:
    with written(settings):
        memory.remember("I keep a spare key at the office.", speaker="Ada", wait_s=WAIT_S)
        memory.recall("Where is the spare key?")
        memory.context("Where is the spare key?")
        memory.recall("Where is the spare key?", record=False)
        memory.close()
    recalled = [event_of(entry).payload for entry in Stream(redis, "home").range(START, 100)][-1]
    assert isinstance(recalled, NodesRecalled)
    assert [answer.kind for answer in recalled.answers] == ["recall", "context"]
    assert len(recalled.recalls) == 2


def test_what_was_known_before_a_correction_is_answered_from_the_log(settings: Settings, memory: Memory) -> None:
    with written(settings):
        first = memory.remember("I work at Acme.", speaker="Ada", wait_s=WAIT_S)
        memory.correct(first.facts[0].node_id, "Bolt", wait_s=WAIT_S)
        (now,) = memory.facts().facts
        (then,) = memory.facts(known_at=first.position).facts
        assert memory.facts(known_at="1-0").facts == ()
    assert (now.object, then.object) == ("bolt", "acme")


def test_many_threads_publish_through_one_memory_and_nothing_is_lost(settings: Settings, memory: Memory) -> None:
    def publish(name: str) -> None:
        for number in range(20):
            memory.publish(Interaction(role="user", content=f"{name} {number}", session=name))

    with written(settings):
        threads = [threading.Thread(target=publish, args=(f"thread-{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = memory.publish(PYTHON)
        assert memory.wait(last.position or "", WAIT_S)
        assert sum(session.messages for session in memory.sessions().sessions) == 161


def test_status_and_work_say_what_is_open(settings: Settings, memory: Memory) -> None:
    with written(settings):
        memory.publish(PYTHON)
        last = memory.close_session("monday")
        assert memory.wait(last.position or "", WAIT_S)
        status, work = memory.status(), memory.work()
    assert (status.space, status.lag_events, status.log.redis) == ("home", 0, "running")
    assert (work.due, work.failed, work.held, work.dead_letters) == ({"extract": 1}, 0, 0, 0)
    assert [job.kind for job in work.due_jobs] == ["extract"]


def test_spaces_are_those_with_a_folder_or_a_stream_and_nothing_leaks_between_them(settings: Settings) -> None:
    with Memories(settings, ModelSettings()) as memories, written(settings):
        with memories.using("home") as home, memories.using("other") as other:
            assert home.wait(home.publish(PYTHON).position or "", WAIT_S)
            other.publish(msgspec.structs.replace(PYTHON, content="I prefer Rust."))
            assert [one.content for one in home.timeline().messages] == ["I prefer Python."]
        assert memories.spaces() == ["home", "other"]


def test_a_redis_that_is_away_is_named_and_reading_goes_on(settings: Settings, memory: Memory) -> None:
    with written(settings):
        memory.remember("I like tea.", speaker="Ada", wait_s=WAIT_S)
    away = msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1")
    with Memories(away, ModelSettings()) as memories, memories.using() as alone:
        assert [fact.content for fact in alone.facts().facts] == ["Ada likes tea."]
        assert alone.recall("tea").results
        assert "127.0.0.1:1" in alone.work().redis or "Redis" in alone.work().redis
        with pytest.raises(LogUnavailable):
            alone.publish(PYTHON)
        with pytest.raises(LogUnavailable):
            alone.forget(text="tea", preview=False)
