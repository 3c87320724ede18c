"""Importing other programs' exports into a real stream: again, interrupted, changed since, with bad parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from unit.producers.exports import chatgpt, node, write_json

from mnemolog.producers import Producer
from mnemolog.producers.importer import Imported, Importer
from mnemolog.producers.importers.chatgpt import ChatGptReader
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import InvalidFile
from mnemolog.schema.events import Event, MessagePublished, SessionClosed
from mnemolog.schema.ids import START
from mnemolog.schema.stream import Stream

SPACE = "home"


@pytest.fixture
def stream(redis: redis_py.Redis) -> Stream:
    return Stream(redis, SPACE)


@pytest.fixture
def producer(redis: redis_py.Redis, redis_url: str) -> Iterator[Producer]:
    with Producer(SPACE, redis_url=redis_url) as producer:
        yield producer


def events(stream: Stream) -> list[Event]:
    return [decode(entry.body) for entry in stream.range(START, 100_000)]


def folded(stream: Stream, most: int = 100_000) -> dict[str, bytes]:
    """The digests that a writer would know after so many entries."""
    return {event.id: event.digest for event in events(stream)[:most]}


def conversations(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        chatgpt(
            node(f"{n}-a", "root", text=f"said {n}"),
            node(f"{n}-b", f"{n}-a", "assistant", "ok"),
            id=f"c{n}",
            conversation_id=f"c{n}",
            **changes,
        )
        for n in range(count)
    ]


def run(
    producer: Producer,
    path: Path,
    found: list[Any],
    known: Callable[[str], bytes | None] = lambda _: None,
    *,
    me: str | None = None,
    skip_bad: bool = False,
) -> Imported:
    write_json(path, found)
    file = ExportFile(path, ChatGptReader(path, me=me))
    file.check()
    return Importer(producer, known, lambda: None, lambda: None).run(file, skip_bad=skip_bad)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.json"


def test_an_export_is_published_once_and_its_sessions_are_closed(
    producer: Producer, stream: Stream, path: Path
) -> None:
    first = run(producer, path, conversations(3))
    assert (first.published, first.sessions) == (6, 3)
    assert [event.payload.session for event in events(stream) if isinstance(event.payload, SessionClosed)] == [
        f"chatgpt-c{n}" for n in range(3)
    ]
    before = len(events(stream))
    again = run(producer, path, conversations(3), folded(stream).get)
    assert (again.published, again.already_there, again.changed) == (0, 6, 0)
    assert len(events(stream)) == before


def test_an_interrupted_import_goes_on_with_what_is_missing(producer: Producer, stream: Stream, path: Path) -> None:
    run(producer, path, conversations(2))
    known = folded(stream, 1 + 3)
    rest = run(producer, path, conversations(5), known.get)
    assert (rest.published, rest.already_there) == (7, 3)
    said = {event.id for event in events(stream) if isinstance(event.payload, MessagePublished)}
    assert said == {f"chatgpt-m-{n}-{part}" for n in range(5) for part in "ab"}


def test_what_is_told_differently_in_a_later_export_is_left_as_it_was(
    producer: Producer, stream: Stream, path: Path
) -> None:
    run(producer, path, conversations(2))
    before = len(events(stream))
    renamed = run(producer, path, conversations(2, title="Another title"), folded(stream).get, me="Ada")
    assert (renamed.published, renamed.already_there, renamed.changed) == (0, 4, 2)
    assert len(events(stream)) == before


def test_a_bad_conversation_keeps_the_export_out_unless_it_is_left_out(
    producer: Producer, redis: redis_py.Redis, path: Path
) -> None:
    found = [*conversations(2), {"mapping": []}]
    with pytest.raises(
        InvalidFile, match=r"1 bad conversation\(s\); nothing was published(?s:.*)conversation 3: it is not"
    ):
        run(producer, path, found)
    assert redis.keys() == []
    imported = run(producer, path, found, skip_bad=True)
    assert (imported.published, imported.skipped_bad) == (4, 1)
