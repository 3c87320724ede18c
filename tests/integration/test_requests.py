"""Requests and recalls on a real stream: what is asked stands there once, and what was recalled holds nothing up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
import redis as redis_py
from support import wait_until
from support.folding import cell

from mnemolog.producers import Producer
from mnemolog.producers.recalls import RecallRecorder
from mnemolog.producers.requests import MAX_TEXT_CHARS, Requests, forgotten, remembered
from mnemolog.schema.errors import InvalidContent, InvalidInput
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import START
from mnemolog.schema.log import event_of
from mnemolog.schema.outcomes import ExtractedCell
from mnemolog.schema.recalls import MAX_LINES, Answer, AnswerLine
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    NodesRecalled,
    VerdictGiven,
    VerdictsReviewed,
)
from mnemolog.schema.stream import Stream

SPACE = "home"


@pytest.fixture
def producer(redis: redis_py.Redis, redis_url: str) -> Iterator[Producer]:
    with Producer(SPACE, redis_url=redis_url) as made:
        yield made


def payloads(redis: redis_py.Redis) -> list[Payload]:
    """What stands on the stream after the space's creation."""
    return [event_of(entry).payload for entry in Stream(redis, SPACE).range(START, 1000)][1:]


def stated(text: str, event_id: str) -> tuple[ExtractedCell, ...]:
    return (ExtractedCell(cell=cell(text, event_id, basis="requested")),)


# ---- requests ----------------------------------------------------------------------------------------------------


def test_every_request_is_an_event(producer: Producer, redis: redis_py.Redis) -> None:
    ask = Requests(producer)
    text = "I work at Acme."
    ask.remember(text, stated(text, "r1"), "r1", speaker="Ada", occurred_at="2026-03-09T10:00:00+01:00")
    ask.correct("ce-1", text, stated(text, "r2"), "r2")
    ask.forget(["ce-1", "ce-2", "ce-1"])
    ask.confirm("ce-1")
    ask.unpin("ce-1")
    ask.judge("ce-1", "ce-2", "same")
    ask.separate("ce-1", ["ce-2", "ce-3"])
    ask.review([("ce-1", "ce-2")], approved=True)
    first, second, *others = payloads(redis)
    assert isinstance(first, FactRemembered)
    assert (first.speaker, first.utc_offset_min, first.cells) == ("Ada", 60, stated(text, "r1"))
    assert isinstance(second, FactCorrected)
    assert second.node_id == "ce-1"
    assert others == [
        FactsForgotten(node_ids=("ce-1", "ce-2")),
        FactConfirmed(node_id="ce-1"),
        FactUnpinned(node_id="ce-1"),
        VerdictGiven(first="ce-1", second="ce-2", ruling="same"),
        VerdictGiven(first="ce-1", second="ce-2", ruling="compatible"),
        VerdictGiven(first="ce-1", second="ce-3", ruling="compatible"),
        VerdictsReviewed(pairs=(("ce-1", "ce-2"),), approved=True),
    ]


@pytest.mark.parametrize("text", ["", " \n", "x" * (MAX_TEXT_CHARS + 1), "half \ud83d", "nul \x00"])
def test_a_statement_that_cannot_be_stored_is_refused_at_the_door(text: str) -> None:
    with pytest.raises((InvalidInput, InvalidContent)):
        remembered(text, stated("I work at Acme.", "r1"))


def test_requests_about_nothing_are_refused_at_the_door(producer: Producer, redis: redis_py.Redis) -> None:
    ask = Requests(producer)
    for refused in (
        lambda: ask.forget([]),
        lambda: ask.separate("ce-1", []),
        lambda: ask.review([], approved=True),
        lambda: forgotten(f"ce-{number}" for number in range(1_001)),
    ):
        with pytest.raises(InvalidInput):
            refused()
    assert not redis.exists("mnemolog:{home}:events")


# ---- recalls -----------------------------------------------------------------------------------------------------


def test_recalls_of_a_while_make_one_event(producer: Producer, redis: redis_py.Redis, redis_url: str) -> None:
    producer.publish("user", "hello", "s")
    with RecallRecorder(SPACE, lambda: redis_url) as recorder:
        recorder.record(["ce-1", "ce-2"], at=1_000)
        recorder.record([])
        recorder.record(["ce-2"], at=2_000)
    _, recalled = payloads(redis)
    assert recalled == NodesRecalled(recalls=((1_000, ("ce-1", "ce-2")), (2_000, ("ce-2",))))
    assert (recorder.sent, recorder.dropped) == (2, 0)


def test_answers_stand_beside_what_they_used_in_events_of_a_bounded_size(
    producer: Producer, redis: redis_py.Redis, redis_url: str
) -> None:
    producer.publish("user", "hello", "s")
    lines = tuple(AnswerLine("fact", f"ce-{number:020}") for number in range(MAX_LINES))
    answer = Answer(
        at=1_000, about=1_000, kind="context", query_hash="0" * 32, ms=1, seq=0, lines=lines, digest="0" * 32
    )
    with RecallRecorder(SPACE, lambda: redis_url) as recorder:
        recorder.record(["ce-1"], 1_000, answer)
        for number in range(99):
            recorder.record((), 1_000, msgspec.structs.replace(answer, query=f"Question {number}"))
        # A process that ends waits a second at most, which so much may not take under load.
        recorder.close(timeout_s=20)
    _, *recalled = payloads(redis)
    assert (len(recalled), recorder.sent) == (4, 100)
    assert [payload.recalls for payload in recalled] == [((1_000, ("ce-1",)),), (), (), ()]
    assert sum(len(payload.answers) for payload in recalled) == 100
    assert recalled[0].answers[0] == answer


def test_recalls_are_sent_while_the_process_goes_on(producer: Producer, redis: redis_py.Redis, redis_url: str) -> None:
    producer.publish("user", "hello", "s")
    with RecallRecorder(SPACE, lambda: redis_url, interval_s=0.05) as recorder:
        for number in range(3):
            recorder.record([f"ce-{number}"])
            wait_until(lambda sent=number + 1: recorder.sent == sent)
    assert len(payloads(redis)) == 4


def test_nothing_was_recalled_and_nothing_is_sent(producer: Producer, redis: redis_py.Redis, redis_url: str) -> None:
    producer.publish("user", "hello", "s")
    with RecallRecorder(SPACE, lambda: redis_url):
        pass
    assert len(payloads(redis)) == 1


@pytest.mark.parametrize("url", [None, "redis://127.0.0.1:1", "not a url", "unix:///nowhere/redis.sock"])
def test_recalls_are_dropped_and_counted_while_redis_is_away(url: str | None) -> None:
    with RecallRecorder(SPACE, lambda: url) as recorder:
        recorder.record(["ce-1"])
        recorder.record(["ce-2"])
    assert (recorder.sent, recorder.dropped) == (0, 2)


def test_recording_never_begins_a_stream(redis: redis_py.Redis, redis_url: str) -> None:
    with RecallRecorder(SPACE, lambda: redis_url) as recorder:
        recorder.record(["ce-1"])
    assert recorder.dropped == 1
    assert redis.dbsize() == 0


def test_a_redis_that_does_not_answer_holds_nothing_up_for_long() -> None:
    asked, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        let_go.wait()

    recorder = RecallRecorder(SPACE, hang, interval_s=0.01)
    started = time.monotonic()
    recorder.record(["ce-1"])
    assert asked.wait(5)
    recorder.record(["ce-2"])
    recorder.close(timeout_s=0.1)
    assert time.monotonic() - started < 5
    assert recorder.dropped == 1
    let_go.set()
    wait_until(lambda: recorder.dropped == 2)


def test_what_is_recalled_after_the_end_is_dropped(redis_url: str) -> None:
    recorder = RecallRecorder(SPACE, lambda: redis_url)
    recorder.close()
    recorder.record(["ce-1"])
    assert recorder.dropped == 1
