"""Logs made by hand: events, entries, streams and files, without a producer and without a model."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import numpy as np
import redis as redis_py
from numpy.typing import NDArray

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import unit_rows
from mnemolog.projections.integrity import Hashes, hashes, verify
from mnemolog.schema import keys
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import encode
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.events import MessagePublished, Payload, SpaceCreated
from mnemolog.schema.ids import Position
from mnemolog.schema.log import was_parked
from mnemolog.schema.policy import Policy
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.rebuilding.replay import Replayed
from mnemolog.workers.writer.batches import Batches, decode_all
from mnemolog.workers.writer.ingest import Ingest
from mnemolog.workers.writer.space_file import create_tables, open_for_writing

#: The clock of stories: 2026-03-02T09:00:00Z.
BEGIN_MS = 1_772_442_000_000
SALT = "5a" * 16
OTHER_SALT = "07" * 16

_WORDS = [
    "rain",
    "tea",
    "Berlin",
    "Rust",
    "Python",
    "garden",
    "train",
    "violin",
    "budget",
    "Lisbon",
    "hiking",
    "bread",
    "deadline",
    "museum",
    "cat",
]


class SmallEmbedder:
    """Vectors of 16 floats from a hash of the text: fast, and the same everywhere."""

    name = "small-16"
    dimension = 16

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        rows = [np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), np.int8) for text in texts]
        return unit_rows(np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension))


def created(space: str = "default", salt: str = SALT, event_id: str = "created") -> bytes:
    """The first event of a space."""
    return encode(event_id, BEGIN_MS, SpaceCreated(space=space, salt=salt, policy=Policy()))


def said(event_id: str, content: str = "Hello.", session: str = "monday", **given: Any) -> bytes:
    """A message; `given` are other fields of its payload."""
    payload = MessagePublished(session=session, content=content, **({"role": "user"} | given))
    return encode(event_id, BEGIN_MS, payload)


def event(event_id: str, payload: Payload) -> bytes:
    """Any event."""
    return encode(event_id, BEGIN_MS, payload)


def newer(event_id: str = "from-the-future") -> bytes:
    """An event of a type that a later version brought."""
    return msgspec.json.encode({"id": event_id, "type": "dream_dreamt", "v": 1, "g": 99, "at": BEGIN_MS, "data": {}})


def messages(count: int, seed: int = 1, sessions: int = 4, words: int = 6) -> list[bytes]:
    """Messages of several sessions, some of equal time and counter, about a tenth of them late."""
    chance = random.Random(seed)
    bodies = []
    for number in range(count):
        late = chance.choice([0] * 9 + [40])
        bodies.append(
            said(
                f"m{number:05d}",
                f"{number}: " + " ".join(chance.choices(_WORDS, k=words)),
                session=f"s{chance.randrange(sessions)}",
                role=chance.choice(["user", "assistant"]),
                speaker=chance.choice(["Ada", "Ben", None]),
                occurred_at=BEGIN_MS + 1_000 * (max(0, number - late) // 3),
                seq=number % 2,
                metadata={"n": number} if number % 5 == 0 else {},
            )
        )
    return bodies


def log_of(bodies: Iterable[bytes], first_ms: int = BEGIN_MS) -> list[Entry]:
    """Entries a millisecond apart."""
    return [Entry(Position(first_ms + number, 0), body) for number, body in enumerate(bodies)]


def folded(path: Path, entries: Sequence[Entry], batch: int = 1_000) -> apsw.Connection:
    """A new file with the entries folded into it; the connection is the caller's to close."""
    connection = open_for_writing(path)
    batches = Batches(connection)
    batches.create(lambda: create_tables(connection, SmallEmbedder()))
    fold_more(batches, entries, batch)
    return connection


def fold_more(batches: Batches, entries: Sequence[Entry], batch: int = 1_000) -> None:
    """Folds entries in batches; a newer event that nobody parked is raised."""
    for start in range(0, len(entries), batch):
        decoded, stuck = decode_all(
            "default",
            entries[start : start + batch],
            lambda position: was_parked(position, (entry for entry in entries if entry.position > position)),
        )
        batches.fold(decoded)
        if stuck is not None:
            raise stuck


def hashes_of(connection: apsw.Connection) -> Hashes:
    """Both hashes of a file, by a scan."""
    with connection:
        return hashes(connection)


def file_hashes(path: Path) -> Hashes:
    """The same of a file that others write."""
    connection = open_reader(path)
    try:
        return hashes_of(connection)
    finally:
        connection.close()


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    """What a query finds in a file that others write; nothing before the file has its tables."""
    try:
        with closing(open_reader(path)) as connection:
            return connection.execute(sql, values).fetchall()
    except SpaceNotFound:
        return []
    except apsw.SQLError as error:
        if "no such table" not in str(error):
            raise
        return []


def append(client: redis_py.Redis, bodies: Iterable[bytes], space: str = "default", ids: Iterable[str] = ()) -> None:
    """Adds entries to a space's stream, at given ids while there are some."""
    given = iter(ids)
    with client.pipeline(transaction=False) as pipe:
        for body in bodies:
            pipe.xadd(keys.stream(space), {keys.BODY_FIELD: body}, id=next(given, "*"))
        pipe.execute()


def top(client: redis_py.Redis, space: str = "default") -> Position:
    """The highest id that the stream gave out."""
    info: Any = client.xinfo_stream(keys.stream(space))
    return Position.parse(info["last-generated-id"])


def settings_in(data: Path, space: str = "default", lease_s: float = 10.0) -> Settings:
    """Settings for a folder; which Redis is meant is said by the client."""
    return Settings(data=data, space=space, lease_s=lease_s)


def ingested(client: redis_py.Redis, settings: Settings, *, accept_stream: bool = False) -> Ingest:
    """Takes a space, folds what its stream has, indexes it, and gives it back. Raises what ended the space early."""
    ingest = Ingest(client, SmallEmbedder())
    ingest.hold(settings, accept_stream=accept_stream)
    drain(ingest)
    for error in ingest.failures.values():
        raise error
    return ingest


def drain(ingest: Ingest, done: Callable[[], bool] = lambda: True) -> None:
    """Runs a writer until `done`, and then to the end of what is published."""
    stop = threading.Event()

    def ask() -> None:
        if done():
            stop.set()

    ask()
    ingest.run(stop, ask)


# ---- what a space holds ----------------------------------------------------------------------------------------


def contents(settings: Settings) -> set[str]:
    """The event ids of a space's messages."""
    return {row[0] for row in rows(settings.file, "SELECT event_id FROM nodes")}


def problems(settings: Settings) -> tuple[str, ...]:
    """What is wrong with a space's file."""
    with closing(open_reader(settings.file)) as reader:
        return verify(reader).problems


def verified(settings: Settings, batch: int = 500) -> Replayed:
    """What a replay says of a space's file."""
    return replay.verify(settings, SmallEmbedder(), batch=batch, progress=lambda _: None)
