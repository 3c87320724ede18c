"""Retention: a stream is trimmed behind its archive, and nothing that is not safe on disk is ever trimmed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis as redis_py
from support import run_cli, start_cli, start_python, wait_until
from support.stories import (
    SmallEmbedder,
    append,
    contents,
    created,
    drain,
    ingested,
    messages,
    problems,
    said,
    top,
    verified,
)

from mnemolog.schema import archive, keys
from mnemolog.schema import log as event_log
from mnemolog.schema.errors import DamagedFile, LogFull, StaleWriter
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.writer import lease, retention
from mnemolog.workers.writer.housekeeper import SpaceKeeper
from mnemolog.workers.writer.ingest import Ingest
from mnemolog.workers.writer.retention import surplus
from mnemolog.workers.writer.space_writer import SpaceWriter

STREAM = keys.stream("default")


def keeping(space: Settings, events: int = 0, size: int = 0) -> Settings:
    return msgspec.structs.replace(space, stream_events=events, stream_bytes=size)


@pytest.fixture
def keeper(redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpaceKeeper]:
    """Keeps a space with 301 events, all folded, of which its stream may keep 100."""
    monkeypatch.setattr(retention, "LOOK_S", 0.0)
    append(redis, [created(), *messages(300)])
    writer = SpaceWriter(keeping(space, 100), Stream(redis, "default"), SmallEmbedder())
    writer.open()
    writer.fold(writer.stream.range(writer.position, 1000))
    keeper = SpaceKeeper(writer)
    yield keeper
    keeper.close()
    writer.close()


@pytest.mark.parametrize(
    ("length", "memory", "events", "size", "expected"),
    [
        (100, 1_000, 100, 1_000, 0),
        (101, 1_000, 100, 0, 11),
        (1_000_000, 10**9, 0, 0, 0),
        (1_000, 2_000, 0, 1_000, 550),
        (1_000, 2_000, 100, 1_000, 910),
        (1_000, None, 0, 1, 0),
        (3, 10**9, 0, 1, 3),
    ],
)
def test_a_stream_is_too_large_by_entries_or_by_memory(
    length: int, memory: int | None, events: int, size: int, expected: int
) -> None:
    assert surplus(length, memory, keeping(Settings(data=Path()), events, size)) == expected


def test_a_running_writer_trims_what_it_folded_and_the_memory_goes_on(
    redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_S", 0.0)
    append(redis, [created(), *messages(300)])
    end = top(redis)
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(keeping(space, 50))
    drain(ingest, lambda: int(redis.xlen(STREAM)) <= 50)
    assert top(redis) == end
    append(redis, [said("later")])
    ingested(redis, space)
    assert len(contents(space)) == 301
    assert archive.count(space.archive) == 302
    assert problems(space) == ()
    assert verified(space).equal is True


def test_memory_is_bounded_too(redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOOK_S", 0.0)
    append(redis, [created(), *(said(f"m{number}", "x" * 20_000) for number in range(200))])
    stream = Stream(redis, "default")
    before = stream.memory_bytes()
    assert before is not None
    assert before > 4_000_000
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(keeping(space, size=1_000_000))
    drain(ingest, lambda: (stream.memory_bytes() or 0) < 1_000_000)
    assert redis.xlen(STREAM) > 20


def test_what_is_folded_is_trimmed_while_redis_is_full(keeper: SpaceKeeper, redis: redis_py.Redis) -> None:
    keeper._writer.settings = keeping(keeper._writer.settings, 10**6)
    assert keeper.trim_if_due() is False
    redis.config_set("maxmemory", 1_000_000)
    try:
        with pytest.raises(LogFull):
            keeper._writer.stream.append(b"{}")
        # Small as it is, it cannot be brought below its bound: what may go goes all the same.
        keeper.trim_if_due()
        assert redis.xlen(STREAM) == 1
        assert keeper.trim_if_due() is False
    finally:
        redis.config_set("maxmemory", 0)
    assert Position.parse(redis.xrange(STREAM)[0][0]) == top(redis)
    assert keeper._writer.stream.memory_left() is None


def test_a_small_redis_takes_more_than_it_can_hold(
    redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_S", 0.0)
    append(redis, [created()])
    left = [said(f"m{number}", f"{number} " + "x" * 10_000) for number in range(1_500)]
    memory: Any = redis.info("memory")
    redis.config_set("maxmemory", memory["used_memory"] + 6_000_000)
    refused: list[int] = []

    def all_published() -> bool:
        try:
            while left:
                append(redis, left[:20])
                del left[:20]
        except redis_py.exceptions.OutOfMemoryError:
            refused.append(len(left))
        return not left

    try:
        ingest = Ingest(redis, SmallEmbedder())
        ingest.hold(space)
        drain(ingest, all_published)
    finally:
        redis.config_set("maxmemory", 0)
    assert refused
    assert ingest.failures == {}
    assert len(contents(space)) == 1_500
    assert verified(space).equal is True


def test_a_stream_within_its_bounds_or_without_any_is_left_alone(keeper: SpaceKeeper, redis: redis_py.Redis) -> None:
    for settings in (keeping(keeper._writer.settings, 301, 10**9), keeping(keeper._writer.settings)):
        keeper._writer.settings = settings
        assert keeper.trim_if_due() is False
        assert redis.xlen(STREAM) == 301


def test_the_last_folded_entry_and_all_that_is_not_folded_stays(keeper: SpaceKeeper, redis: redis_py.Redis) -> None:
    folded = top(redis)
    append(redis, messages(500)[300:])
    keeper._writer.settings = keeping(keeper._writer.settings, 1)
    assert keeper.trim_if_due() is False
    left = [Position.parse(position) for position, _ in redis.xrange(STREAM)]
    assert left[0] == folded
    assert len(left) == 201
    # Nothing more can go until more is folded.
    assert keeper.trim_if_due() is False
    assert redis.xlen(STREAM) == 201


def test_a_long_stream_is_trimmed_in_steps(
    keeper: SpaceKeeper, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 90)
    lengths = []
    while keeper.trim_if_due():
        lengths.append(redis.xlen(STREAM))
    assert [*lengths, redis.xlen(STREAM)] == [211, 121, 90]


def test_the_archive_is_synced_before_the_stream_is_trimmed(
    keeper: SpaceKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def told(name: str, step: Callable[..., object]) -> Callable[..., object]:
        def recorded(*given: object) -> object:
            done.append(name)
            return step(*given)

        return recorded

    writer = keeper._writer
    monkeypatch.setattr(writer.archive, "sync", told("sync", writer.archive.sync))
    monkeypatch.setattr(writer.stream, "trim", told("trim", writer.stream.trim))
    keeper.trim_if_due()
    assert done == ["sync", "trim"]


def test_nothing_is_trimmed_when_the_archive_cannot_be_synced(
    keeper: SpaceKeeper, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(keeper._writer.archive, "sync", fails)
        with pytest.raises(OSError, match="Input/output"):
            keeper.trim_if_due()
    assert redis.xlen(STREAM) == 301


@pytest.mark.parametrize("harm", ["removed", "emptied", "flipped"])
def test_what_cannot_be_read_back_from_the_archive_is_not_trimmed(
    keeper: SpaceKeeper, redis: redis_py.Redis, space: Settings, harm: str
) -> None:
    segment = space.archive / "00000001.jsonl"
    whole = segment.read_bytes()
    if harm == "removed":
        segment.unlink()
    else:
        segment.write_bytes(b"" if harm == "emptied" else whole.replace(b"Berlin", b"Berlim", 1))
    with pytest.raises(DamagedFile):
        keeper.trim_if_due()
    assert redis.xlen(STREAM) == 301
    segment.write_bytes(whole)
    keeper.trim_if_due()
    assert redis.xlen(STREAM) == 90


def test_a_writer_that_was_replaced_trims_nothing(keeper: SpaceKeeper, redis: redis_py.Redis) -> None:
    keeper._connection.execute("UPDATE lease SET epoch = epoch + 1")
    with pytest.raises(StaleWriter):
        keeper.trim_if_due()
    assert redis.xlen(STREAM) == 301
    assert lease.read(keeper._connection).epoch == keeper._writer.epoch + 1


def test_who_reads_the_log_while_it_is_archived_and_trimmed_misses_nothing(
    keeper: SpaceKeeper, redis: redis_py.Redis, space: Settings
) -> None:
    append(redis, messages(1_500)[300:])
    writer = keeper._writer
    reading = event_log.read(space.archive, writer.stream)
    # The archive's 301, and the first page of the stream; then all the rest is archived, folded and trimmed.
    begun = [next(reading) for _ in range(400)]
    writer.fold(writer.stream.range(writer.position, 5_000))
    keeper.trim_if_due()
    assert redis.xlen(STREAM) == 90
    read = [*begun, *reading]
    assert [entry.position for entry in read] == [entry.position for entry in archive.read(space.archive)]
    assert len(read) == 1_501


def test_who_reads_the_log_from_a_stream_that_was_trimmed_before_its_first_page_misses_nothing(
    keeper: SpaceKeeper, redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = keeper._writer
    append(redis, messages(600)[300:])
    plain = writer.stream.range

    def late(after: Position, count: int, until: Position | None = None) -> list[archive.Entry]:
        monkeypatch.setattr(writer.stream, "range", plain)
        writer.fold(plain(writer.position, 1_000))
        keeper.trim_if_due()
        return plain(after, count, until)

    monkeypatch.setattr(writer.stream, "range", late)
    assert len(list(event_log.read(space.archive, writer.stream, START))) == 601
    assert redis.xlen(STREAM) == 90


def test_an_archive_that_loses_what_was_not_synced_is_filled_up_from_a_trimmed_stream(
    redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_S", 0.0)
    append(redis, [created(), *messages(100)])
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(keeping(space, 20))
    drain(ingest, lambda: int(redis.xlen(STREAM)) <= 20)
    synced = (space.archive / "00000001.jsonl").read_bytes()
    append(redis, messages(150)[100:])
    ingested(redis, space)
    # What a power cut may leave: the archive as it was last synced, and the file further on.
    (space.archive / "00000001.jsonl").write_bytes(synced)
    ingested(redis, space)
    assert len(contents(space)) == 150
    assert archive.count(space.archive) == 151
    assert verified(space).equal is True


_KILLED = """
import os, signal, sys
from pathlib import Path
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.endpoint import log_client
from mnemolog.workers.writer import retention
from mnemolog.workers.writer.housekeeper import SpaceKeeper
from mnemolog.workers.writer.space_writer import SpaceWriter
from support.stories import SmallEmbedder

data, url, point = sys.argv[1:]
writer = SpaceWriter(Settings(data=Path(data), stream_events=50), Stream(log_client(url), "default"), SmallEmbedder())
writer.open()
writer.fold(writer.stream.range(writer.position, 1000))
keeper = SpaceKeeper(writer)
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
trim, sync = writer.stream.trim, writer.archive.sync
if point == "before the sync":
    writer.archive.sync = die
elif point == "between sync and trim":
    writer.stream.trim = die
else:
    writer.stream.trim = lambda first: (trim(first), die())
keeper.trim_if_due()
"""


@pytest.mark.parametrize("point", ["before the sync", "between sync and trim", "after the trim"])
def test_a_writer_killed_while_it_trims_loses_nothing(
    redis: redis_py.Redis, redis_url: str, space: Settings, point: str
) -> None:
    append(redis, [created(), *messages(300)])
    tests = Path(__file__).parents[1]
    from_tests = {"PYTHONPATH": str(tests)}
    with start_python(_KILLED, space.data, redis_url, point, env=from_tests) as killed:
        assert killed.wait() == -9, killed.output
    assert redis.xlen(STREAM) == (45 if point == "after the trim" else 301)
    append(redis, [said("later")])
    ingested(redis, keeping(space, 50))
    assert len(contents(space)) == 301
    assert archive.count(space.archive) == 302
    assert verified(space).equal is True


def test_status_shows_what_stream_and_archive_hold_and_which_retention_is_in_force(
    redis: redis_py.Redis, redis_url: str, space: Settings
) -> None:
    append(redis, [created(), *messages(300)])
    env = {"MNEMOLOG_STREAM_EVENTS": "50", "MNEMOLOG_STREAM_BYTES": "0"}
    args = ("--data", space.data, "--redis", redis_url)
    with start_cli(*args, "ingest", env=env) as writer:
        wait_until(lambda: int(redis.xlen(STREAM)) == 45)
        assert run_cli(*args, "publish", "later", "--role", "user", "--session", "s1").returncode == 0
        wait_until(lambda: archive.count(space.archive) == 302)
        found = json.loads(run_cli(*args, "status", "--json", env=env).stdout)["log"]
        writer.interrupt()
        assert writer.wait() == 0
    first = redis.xrange(STREAM, count=1)[0][0].decode()
    assert found["retention"] == {"stream_events": 50, "stream_bytes": 0}
    assert found["stream"]["trimmed_before"] == found["stream"]["first"] == first
    assert found["stream"]["entries"] == 46
    assert found["archive"]["entries"] == 302
    assert found["stream"]["memory_bytes"] > 0
