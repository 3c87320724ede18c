"""The stream that producers write, as it is read: entries, bounds, spaces, and the log that it continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis as redis_py

from mnemolog.producers import Producer
from mnemolog.schema import keys
from mnemolog.schema import log as event_log
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import LogRefused, LogUnavailable, Undecodable
from mnemolog.schema.events import EntryParked
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position
from mnemolog.schema.stream import Bounds, Stream, read_many, spaces_on


@pytest.fixture
def stream(redis: redis_py.Redis) -> Stream:
    return Stream(redis, "home")


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(Position(number, 0), b'{"number":%d}' % number) for number in range(first, last)]


def fill(stream: Stream, some: list[Entry]) -> None:
    for entry in some:
        stream.restore(entry)


def test_what_a_producer_published_is_read_back(redis: redis_py.Redis, redis_url: str, stream: Stream) -> None:
    with Producer("home", redis_url=redis_url) as producer:
        done = producer.publish("user", "x", "s1")
    entry = stream.entry(done.position)
    assert entry is not None
    assert (entry.position, decode(entry.body).id) == (done.position, done.event_id)
    assert stream.entry(Position(1, 1)) is None


def test_a_stream_that_does_not_exist_holds_nothing(stream: Stream) -> None:
    assert stream.bounds() is None
    assert stream.range(START, 10) == []
    assert stream.entry(Position(1, 0)) is None
    assert stream.count_after(START, 10) == 0


def test_bounds_tell_length_first_entry_and_the_highest_id_ever(redis: redis_py.Redis, stream: Stream) -> None:
    fill(stream, entries(1, 6))
    assert stream.bounds() == Bounds(5, Position(1, 0), Position(5, 0))
    redis.xtrim(stream.key, minid="4", approximate=False)
    assert stream.bounds() == Bounds(2, Position(4, 0), Position(5, 0))
    redis.xtrim(stream.key, maxlen=0, approximate=False)
    assert stream.bounds() == Bounds(0, None, Position(5, 0))


def test_entries_are_read_in_pages_after_one_position_up_to_and_with_another(stream: Stream) -> None:
    fill(stream, entries(8, 13))
    assert stream.range(START, 2) == entries(8, 10)
    assert stream.range(Position(9, 0), 99) == entries(10, 13)
    assert stream.range(Position(9, 0), 99, Position(11, 0)) == entries(10, 12)
    assert stream.range(Position(9, 0), 99, Position(9, 0)) == []
    assert stream.range(Position(9, MAX_STREAM_PART), 1) == entries(10, 11)
    assert stream.range(Position(12, 0), 99) == []


def test_entries_are_counted_up_to_a_bound(stream: Stream) -> None:
    with stream.client.pipeline(transaction=False) as pipe:
        for number in range(1, 2_502):
            pipe.xadd(stream.key, {keys.BODY_FIELD: b"{}"}, id=f"{number}-0")
        pipe.execute()
    assert stream.count_after(START, 10_000) == 2_501
    assert stream.count_after(Position(2_500, 7), 10_000) == 1
    assert stream.count_after(START, 1_500) == 1_500


def test_a_stream_is_created_once(stream: Stream) -> None:
    first = stream.create(b"one")
    assert first is not None
    assert stream.create(b"two") is None
    assert stream.range(START, 9) == [Entry(first, b"one")]


def test_an_entry_is_restored_at_its_own_position_and_never_below_the_top(stream: Stream) -> None:
    fill(stream, entries(5, 6))
    with pytest.raises(LogRefused, match="restore the stream of space 'home'"):
        stream.restore(entries(4, 5)[0])
    assert stream.range(START, 9) == entries(5, 6)


@pytest.mark.parametrize("fields", [{"other": "x"}, {"e": "x", "f": "y"}, {b"\xff": b"\x00"}])
def test_an_entry_of_another_program_is_kept_as_something_that_is_no_event(
    redis: redis_py.Redis, stream: Stream, fields: dict[str | bytes, str | bytes]
) -> None:
    redis.xadd(stream.key, fields, id="7-0")
    (entry,) = stream.range(START, 9)
    assert entry.body.startswith(b'{"foreign":[[')
    with pytest.raises(Undecodable, match="corrupt"):
        decode(entry.body)


def test_many_streams_are_read_at_once(redis: redis_py.Redis) -> None:
    for space in ("a", "b", "c"):
        fill(Stream(redis, space), entries(1, 6))
    found = read_many(redis, {"a": START, "b": Position(3, 0), "c": Position(5, 0), "d": START}, 4, 10)
    assert found == {"a": entries(1, 5), "b": entries(4, 6)}
    assert read_many(redis, {"c": Position(5, 0)}, 4, 10) == {}


def test_the_spaces_on_a_server_are_found_by_their_streams(redis: redis_py.Redis) -> None:
    for space in ("b", "a.1"):
        fill(Stream(redis, space), entries(1, 2))
    redis.set(keys.progress("c"), "1-0")
    redis.set("mnemolog:{../x}:events", "theirs")
    redis.set(b"mnemolog:{\xff}:events", "theirs")
    assert spaces_on(redis) == ["a.1", "b"]


READS: list[Callable[[Stream], object]] = [
    lambda stream: stream.range(START, 1),
    lambda stream: stream.entry(Position(1, 0)),
    lambda stream: stream.bounds(),
    lambda stream: stream.count_after(START, 1),
    lambda stream: stream.create(b"x"),
    lambda stream: stream.restore(Entry(Position(1, 0), b"x")),
    lambda stream: read_many(stream.client, {stream.space: START}, 1, 10),
]
READ_NAMES = ["range", "entry", "bounds", "count_after", "create", "restore", "read_many"]


@pytest.mark.parametrize("read", READS, ids=READ_NAMES)
def test_without_a_server_everything_is_unavailable(read: Callable[[Stream], object]) -> None:
    with log_client("redis://127.0.0.1:1") as client, pytest.raises(LogUnavailable):
        read(Stream(client, "home"))


@pytest.mark.parametrize(
    "read", [read for read, name in zip(READS, READ_NAMES, strict=True) if name not in ("create", "read_many")]
)
def test_a_key_that_is_no_stream_is_refused(
    redis: redis_py.Redis, stream: Stream, read: Callable[[Stream], object]
) -> None:
    redis.set(stream.key, "theirs")
    with pytest.raises(LogRefused, match="choose another space"):
        read(stream)


def test_the_log_is_the_archive_and_then_the_stream_after_its_end(stream: Stream, tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path)
    writer.append(entries(1, 8))
    writer.close()
    fill(stream, entries(5, 12))
    assert list(event_log.read(tmp_path, stream)) == entries(1, 12)
    assert list(event_log.read(tmp_path, None)) == entries(1, 8)
    assert list(event_log.read(tmp_path, stream, Position(3, 0), Position(9, 0))) == entries(4, 10)
    assert list(event_log.read(tmp_path, stream, Position(9, 0))) == entries(10, 12)
    assert list(event_log.read(tmp_path / "none", stream)) == entries(5, 12)


def test_a_log_longer_than_a_page_is_read_whole(stream: Stream, tmp_path: Path) -> None:
    with stream.client.pipeline(transaction=False) as pipe:
        for entry in entries(1, 2 * event_log.PAGE + 2):
            pipe.xadd(stream.key, {keys.BODY_FIELD: entry.body}, id=str(entry.position))
        pipe.execute()
    assert list(event_log.read(tmp_path, stream)) == entries(1, 2 * event_log.PAGE + 2)


def test_an_entry_is_parked_by_a_word_that_names_it() -> None:
    def word(ms: int) -> Entry:
        return Entry(Position(99, 0), encode("p1", 0, EntryParked(ms=ms, seq=0)))

    newer = Entry(Position(98, 0), b'{"g":99}')
    assert event_log.was_parked(Position(7, 0), [*entries(8, 10), newer, word(7)])
    assert not event_log.was_parked(Position(7, 0), [*entries(8, 10), newer, word(8)])
    assert not event_log.was_parked(Position(7, 0), [])
