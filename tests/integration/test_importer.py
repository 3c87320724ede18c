"""Importing files into a real stream: all or nothing, never twice, and never far ahead of the writer."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py

from mnemolog.producers import Producer
from mnemolog.producers.importer import AHEAD, CHUNK, Imported, Importer, ImportFile
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import InvalidFile, LogFull, StreamLost
from mnemolog.schema.events import Event, MessagePublished, SessionClosed
from mnemolog.schema.ids import START, Position
from mnemolog.schema.stream import Stream

SPACE = "home"


def raw(number: int, **changes: Any) -> bytes:
    fields = {"session": f"s{number % 3}", "role": "user", "content": f"message {number}", "at": 1_000 + number}
    return json.dumps(fields | changes).encode()


class Writer:
    """Stands in for the ingest worker: folds `pace` entries in each pause, and remembers what was ahead of it."""

    def __init__(self, stream: Stream, pace: int) -> None:
        self._stream = stream
        self._pace = pace
        self.position = START
        self.pauses = 0
        self.digests: dict[str, bytes] = {}

    def fold(self, count: int) -> None:
        for entry in self._stream.range(self.position, count):
            event = decode(entry.body)
            self.digests.setdefault(event.id, event.digest)
            self.position = entry.position

    def pause(self) -> None:
        self.pauses += 1
        self.fold(self._pace)

    def backlog(self) -> int:
        return self._stream.count_after(self.position, 1_000_000)


@pytest.fixture
def stream(redis: redis_py.Redis) -> Stream:
    return Stream(redis, SPACE)


@pytest.fixture
def producer(redis: redis_py.Redis, redis_url: str) -> Iterator[Producer]:
    with Producer(SPACE, redis_url=redis_url) as producer:
        yield producer


def events(stream: Stream) -> list[Event]:
    return [decode(entry.body) for entry in stream.range(START, 100_000)]


def messages(stream: Stream) -> list[str]:
    return [event.payload.content for event in events(stream) if isinstance(event.payload, MessagePublished)]


def no_pause() -> None:
    pytest.fail("the import waited although no writer runs")


def run(
    producer: Producer,
    path: Path,
    *lines: bytes,
    known: Callable[[str], bytes | None] = lambda _: None,
    skip_bad: bool = False,
) -> Imported:
    """Imports a file of these lines while no writer runs."""
    path.write_bytes(b"\n".join(lines))
    file = ImportFile(path)
    file.check()
    return Importer(producer, known, lambda: None, no_pause).run(file, skip_bad=skip_bad)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.jsonl"


# ---- what is published -----------------------------------------------------------------------------------------


def test_an_import_publishes_the_messages_in_order_and_then_closes_their_sessions(
    producer: Producer, stream: Stream, path: Path
) -> None:
    imported = run(producer, path, *(raw(number) for number in range(7)))
    assert imported == Imported(
        lines=7, published=7, already_there=0, skipped_bad=0, sessions=3, position=stream.range(START, 99)[-1].position
    )
    assert [event.type for event in events(stream)] == [
        "space_created",
        *["message_published"] * 7,
        *["session_closed"] * 3,
    ]
    assert messages(stream) == [f"message {number}" for number in range(7)]
    assert [event.payload for event in events(stream)[8:]] == [
        SessionClosed(session="s0", occurred_at=1_006),
        SessionClosed(session="s1", occurred_at=1_004),
        SessionClosed(session="s2", occurred_at=1_005),
    ]


def test_the_ids_of_a_file_do_not_depend_on_the_order_of_its_lines(
    producer: Producer, redis: redis_py.Redis, redis_url: str, stream: Stream, path: Path
) -> None:
    lines = [raw(number) for number in range(30)] + [raw(99, id="given")]
    run(producer, path, *lines)
    first = {(event.id, event.digest) for event in events(stream)[1:]}
    redis.flushall()
    random.Random(1).shuffle(lines)
    with Producer(SPACE, redis_url=redis_url) as another:
        run(another, path, *lines)
    assert {(event.id, event.digest) for event in events(stream)[1:]} == first
    assert len(first) == 31 + 3


def test_a_long_line_in_a_file_with_windows_line_ends_is_published(
    producer: Producer, stream: Stream, path: Path
) -> None:
    long = "é" * 750_000
    run(producer, path, b"\xef\xbb\xbf" + raw(1) + b"\r", b"\r", raw(2, content=long) + b"\r", raw(3) + b"\r", b"")
    assert messages(stream) == ["message 1", long, "message 3"]


def test_an_empty_file_publishes_nothing(producer: Producer, redis: redis_py.Redis, path: Path) -> None:
    assert run(producer, path, b"", b" ").position is None
    assert redis.keys() == []


# ---- bad lines -------------------------------------------------------------------------------------------------


def test_one_bad_line_keeps_the_whole_file_out_and_is_named(
    producer: Producer, redis: redis_py.Redis, path: Path
) -> None:
    with pytest.raises(InvalidFile) as caught:
        run(producer, path, raw(1), b"{", raw(2), raw(3, text="x"))
    assert [number for number, _ in caught.value.problems] == [2, 4]
    said = str(caught.value)
    assert f"{path}: 2 bad line(s); nothing was published (--skip-bad leaves bad lines out)" in said
    assert "line 2: " in said
    assert "line 4: Object contains unknown field `text`; a line may have session, role" in said
    assert redis.keys() == []


def test_of_very_many_bad_lines_the_first_are_shown_and_the_rest_counted(
    producer: Producer, redis: redis_py.Redis, path: Path
) -> None:
    with pytest.raises(InvalidFile, match=r"(?s)50 bad line.*line 20: .*… and 30 more") as caught:
        run(producer, path, *[b"{"] * 50)
    assert len(caught.value.problems) == 50
    assert len(str(caught.value).splitlines()) == 22


def test_bad_lines_are_left_out_when_asked(producer: Producer, stream: Stream, path: Path) -> None:
    reused = raw(5, id="a", content="something else")
    imported = run(producer, path, raw(1, id="a"), b"{", b"\xff", raw(4), reused, skip_bad=True)
    assert (imported.lines, imported.published, imported.skipped_bad) == (2, 2, 3)
    assert messages(stream) == ["message 1", "message 4"]


# ---- repeating an import ---------------------------------------------------------------------------------------


def test_a_second_import_publishes_nothing_that_is_folded(producer: Producer, stream: Stream, path: Path) -> None:
    lines = [raw(number) for number in range(500)]
    run(producer, path, *lines)
    writer = Writer(stream, 0)
    writer.fold(10_000)
    before = len(events(stream))
    again = run(producer, path, *lines, known=writer.digests.get)
    assert (again.published, again.already_there, again.position) == (0, 500, None)
    assert len(events(stream)) == before


def test_an_import_that_was_interrupted_goes_on_with_what_is_not_folded_yet(
    producer: Producer, stream: Stream, path: Path
) -> None:
    lines = [raw(number) for number in range(500)]
    run(producer, path, *lines[:450])
    writer = Writer(stream, 0)
    writer.fold(301)
    rest = run(producer, path, *lines, known=writer.digests.get)
    assert (rest.published, rest.already_there) == (200, 300)
    assert set(messages(stream)) == {f"message {number}" for number in range(500)}


def test_an_id_that_is_known_for_something_else_is_published_for_the_writer_to_park(
    producer: Producer, stream: Stream, path: Path
) -> None:
    run(producer, path, raw(1, id="a"))
    assert run(producer, path, raw(1, id="a", content="other"), known=lambda _: b"another digest").published == 1


def test_more_messages_of_a_session_close_it_again(producer: Producer, stream: Stream, path: Path) -> None:
    run(producer, path, raw(0), raw(3))
    writer = Writer(stream, 0)
    writer.fold(100)
    run(producer, path, raw(0), raw(3), raw(6), known=writer.digests.get)
    closed = [event for event in events(stream) if isinstance(event.payload, SessionClosed)]
    assert [event.payload.occurred_at for event in closed] == [1_003, 1_006]
    assert closed[0].id != closed[1].id


# ---- keeping pace with the writer ------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [1, 150, 5_000])
def test_an_import_is_never_far_ahead_of_a_slow_writer(
    producer: Producer, stream: Stream, path: Path, pace: int
) -> None:
    count = AHEAD + 700
    path.write_bytes(b"\n".join(raw(number) for number in range(count)))
    file = ImportFile(path)
    file.check()
    writer = Writer(stream, pace)
    ahead: list[int] = []
    importer = Importer(producer, writer.digests.get, lambda: writer.position, writer.pause)
    imported = importer.run(file, progress=lambda _: ahead.append(writer.backlog()))
    ahead.append(writer.backlog())
    assert imported.published == count
    # The event that creates the space is not the import's own.
    assert max(ahead) <= AHEAD + 1
    assert max(ahead) > AHEAD - CHUNK
    assert writer.pauses > 0
    assert messages(stream) == [f"message {number}" for number in range(count)]


def test_an_import_goes_on_when_no_writer_runs(producer: Producer, stream: Stream, path: Path) -> None:
    count = AHEAD + 2 * CHUNK
    assert run(producer, path, *(raw(number) for number in range(count))).published == count
    assert len(messages(stream)) == count


def test_an_import_goes_on_when_the_writer_stops_running(producer: Producer, stream: Stream, path: Path) -> None:
    count = AHEAD + 3 * CHUNK
    path.write_bytes(b"\n".join(raw(number) for number in range(count)))
    file = ImportFile(path)
    file.check()
    positions: list[Position | None] = [START, START, None]
    pauses: list[int] = []
    importer = Importer(
        producer,
        lambda _: None,
        lambda: positions.pop(0) if len(positions) > 1 else positions[0],
        lambda: pauses.append(len(messages(stream))),
    )
    importer.run(file)
    assert pauses == [AHEAD, AHEAD]
    assert len(messages(stream)) == count


def test_the_sessions_of_a_large_file_are_closed_at_the_writers_pace_too(
    producer: Producer, stream: Stream, path: Path
) -> None:
    count = AHEAD // 2 + CHUNK
    path.write_bytes(b"\n".join(raw(number, session=f"s{number}") for number in range(count)))
    file = ImportFile(path)
    file.check()
    writer = Writer(stream, 100)
    at_pauses: list[int] = []

    def pause() -> None:
        at_pauses.append(writer.backlog())
        writer.pause()

    Importer(producer, writer.digests.get, lambda: writer.position, pause).run(file)
    assert at_pauses
    assert max(at_pauses) <= AHEAD + 1
    assert len(events(stream)) == 1 + 2 * count


def test_progress_is_told_of_every_line(producer: Producer, path: Path) -> None:
    path.write_bytes(b"\n".join(raw(number) for number in range(2 * CHUNK + 1)))
    file = ImportFile(path)
    file.check()
    told: list[int] = []
    Importer(producer, lambda _: None, lambda: None, no_pause).run(file, progress=told.append)
    assert told == [CHUNK, CHUNK, 1]


# ---- when Redis does not take it -------------------------------------------------------------------------------


def test_an_import_into_a_full_redis_says_so_and_can_be_repeated(
    producer: Producer, redis: redis_py.Redis, stream: Stream, path: Path
) -> None:
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(LogFull):
            run(producer, path, raw(1), raw(2))
    finally:
        redis.config_set("maxmemory", 0)
    assert run(producer, path, raw(1), raw(2)).published == 2
    assert messages(stream) == ["message 1", "message 2"]


def test_an_import_whose_stream_vanishes_stops(producer: Producer, redis: redis_py.Redis, path: Path) -> None:
    path.write_bytes(b"\n".join(raw(number) for number in range(3 * CHUNK)))
    file = ImportFile(path)
    file.check()
    importer = Importer(producer, lambda _: None, lambda: None, no_pause)
    with pytest.raises(StreamLost):
        importer.run(file, progress=lambda _: redis.flushall())
    assert redis.keys() == []
