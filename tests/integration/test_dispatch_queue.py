"""What a worker runs: this project's job function on work that it can read, and nothing else that a queue may hold."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from rq import Callback, Queue, Repeat
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer
from support.jobs import Desk, Hired

from mnemolog.schema import troubles
from mnemolog.schema.outcomes import CellsExtracted
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.jobs.queue import FUNCTION, ForeignJob, MemoryJob, job_class_of, queue_of

QUEUE = "mnemolog-extract"


@pytest.fixture
def desk(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(redis, redis_url, tmp_path / "data")
    yield desk
    desk.close()


def plain_queue(client: redis_py.Redis) -> Queue:
    """What somebody else would put jobs in with."""
    return Queue(QUEUE, connection=client, serializer=JSONSerializer)


def fetched(client: redis_py.Redis, job_id: str, ran: list[Any]) -> MemoryJob:
    job = job_class_of(lambda *args: ran.append(args)).fetch(job_id, connection=client, serializer=JSONSerializer)
    assert isinstance(job, MemoryJob)
    return job


@pytest.mark.parametrize(
    "function", ["os.system", "builtins.eval", "subprocess.call", "mnemolog.workers.outbox.append"]
)
def test_a_queued_function_that_is_not_ours_is_not_run(desk: Desk, tmp_path: Path, function: str) -> None:
    trace = tmp_path / "trace"
    plain_queue(desk.client).enqueue_call(function, args=(f"touch {trace}",))
    engine = Hired()
    desk.work(engine, kinds=("extract",))
    assert not trace.exists()
    assert engine.asked == []
    assert desk.client.llen(f"rq:queue:{QUEUE}") == 0


def test_a_worker_goes_on_after_a_job_that_it_refused(desk: Desk) -> None:
    plain_queue(desk.client).enqueue_call("os.system", args=("true",))
    desk.say("I live in Berlin.")
    desk.turn()
    desk.work()
    assert desk.jobs("due") == []


def test_callbacks_hooks_and_repetitions_of_a_job_are_dropped(redis: redis_py.Redis) -> None:
    evil = "os.system"
    job = plain_queue(redis).enqueue_call(
        FUNCTION,
        args=("body", 1, 1),
        on_success=Callback(evil),
        on_failure=Callback(evil),
        on_stopped=Callback(evil),
        repeat=Repeat(times=5),
    )
    redis.hset(job.key, "webhooks", json.dumps([{"url": "http://127.0.0.1:1/", "job_status": "finished"}]))
    ran: list[Any] = []
    read = fetched(redis, job.id, ran)
    assert (read.success_callback, read.failure_callback, read.stopped_callback) == (None, None, None)
    assert (read.webhooks, read.repeats_left, read.retries_left) == ([], None, None)
    read.func(1)
    assert ran == [(1,)]


def test_a_method_of_an_instance_is_not_run(redis: redis_py.Redis) -> None:
    queue = queue_of(redis, "extract")
    job = queue.enqueue_call(FUNCTION, args=())
    redis.hset(job.key, "data", zlib.compress(json.dumps([FUNCTION, "an instance", [], {}]).encode()))
    with pytest.raises(ForeignJob):
        _ = fetched(redis, job.id, []).func


def test_a_job_cannot_be_run_without_a_worker(redis: redis_py.Redis) -> None:
    job = queue_of(redis, "extract").enqueue_call(FUNCTION, args=())
    with pytest.raises(ForeignJob):
        _ = job.func


@pytest.mark.parametrize(
    "broken",
    [
        {"data": b"\x80\x04\x95 pickled"},
        {"data": zlib.compress(b"not json")},
        {"data": zlib.compress(b"[1]")},
        {"data": zlib.compress(json.dumps([FUNCTION, None, ["garbage", 1, 1], {}]).encode())},
        {"data": zlib.compress(json.dumps([FUNCTION, None, [], {}]).encode())},
        {"data": zlib.compress(json.dumps([FUNCTION, None, [17, "x", None, 4], {"a": 1}]).encode())},
        {"timeout": b"soon"},
        {"status": b"bored"},
        {"created_at": b"yesterday"},
        {"success_callback_timeout": b"x"},
    ],
    ids=str,
)
def test_garbage_in_the_queue_is_passed_over(desk: Desk, broken: dict[str, bytes]) -> None:
    job = plain_queue(desk.client).enqueue_call(FUNCTION, args=("body", 1, 1))
    desk.client.hset(job.key, mapping=broken)
    desk.client.rpush(f"rq:queue:{QUEUE}", "no-such-job")
    desk.say("I live in Berlin.")
    desk.turn()
    engine = Hired()
    desk.work(engine)
    assert len(engine.asked) == 1
    assert len(desk.logged(CellsExtracted)) == 1
    assert troubles.told(desk.client, "default") == {}


@pytest.mark.parametrize("packed", [zlib.compress, bytes])
def test_a_pickle_in_the_queue_is_not_loaded(desk: Desk, tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    trace = tmp_path / "trace"
    job = plain_queue(desk.client).enqueue_call(FUNCTION, args=("body", 1, 1))
    desk.client.hset(job.key, "data", packed(f"cos\nsystem\n(S'touch {trace}'\ntR.".encode()))
    desk.work(Hired(), kinds=("extract",))
    assert not trace.exists()
    assert desk.client.llen(f"rq:queue:{QUEUE}") == 0


def test_a_hash_that_is_no_job_is_none(redis: redis_py.Redis) -> None:
    redis.hset("rq:job:odd", mapping={"data": "x", "timeout": "soon"})
    with pytest.raises(NoSuchJobError):
        MemoryJob.fetch("odd", connection=redis, serializer=JSONSerializer)


def test_no_payload_is_ever_pickled(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    [key] = desk.client.keys("rq:job:*")
    function, instance, args, _ = json.loads(zlib.decompress(desk.client.hget(key, "data")))
    assert (function, instance) == (FUNCTION, None)
    assert json.loads(args[0])["kind"] == "extract"


def test_a_worker_listens_to_no_channel_for_commands(desk: Desk) -> None:
    desk.say("I live in Berlin.")
    desk.turn()
    channels: list[Any] = []

    def extract(work: Any) -> Any:
        channels.append(desk.client.pubsub_channels())
        return RulesEngine().extract(work)

    desk.work(Hired(extract=extract))
    assert channels == [[]]
