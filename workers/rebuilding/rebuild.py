"""Building a space's file again from its log, beside the live one, and swapping it in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import fast_hash, position_of
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import EngineError
from mnemolog.schema.events import Event
from mnemolog.schema.ids import Position
from mnemolog.workers.fold.voids import voids_of
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.batches import Batches, decode_all
from mnemolog.workers.writer.space_file import create_tables, immediate, open_for_writing

log = logging.getLogger("mnemolog.writer")

Progress = Callable[[int], None]

VECTOR_BATCH = 256


class Built(msgspec.Struct, frozen=True):
    """A file built from the log: how many entries, in which time, the hash at the position asked for, and the end."""

    events: int
    seconds: float
    hash_at: str | None
    position: Position


def build(
    connection: apsw.Connection,
    space: str,
    embedder: Embedder,
    log: Callable[[], Iterable[Entry]],
    is_parked: Callable[[Position], bool],
    *,
    batch: int,
    at: Position | None,
    progress: Progress,
    also: Iterable[Event] = (),
) -> Built:
    """Folds a log from its beginning into an empty file, without its vectors; `log` gives it anew at each call.

    What the log voids has no effect, nor has what `also` voids, which are not on it (see voids_of).
    `is_parked` is that of `decode_all`; `at` is a position whose hash is wanted on the way; `progress` is told the
    number of entries of each batch. Raises NewerEvent for an entry that this version cannot fold.
    """
    batches = Batches(connection, voids=voids_of(log, also))
    batches.create(lambda: create_tables(connection, embedder))
    return _fold_all(batches, connection, space, log(), is_parked, batch=batch, at=at, progress=progress)


def go_on(
    connection: apsw.Connection,
    space: str,
    later: Iterable[Entry],
    is_parked: Callable[[Position], bool],
    *,
    batch: int,
    at: Position | None,
    progress: Progress,
) -> Built:
    """Folds what comes after the position of a file that was built before; all else is as in `build`.

    Raises RebuildNeeded for a void among the entries: it may void what the file is made of.
    """
    return _fold_all(Batches(connection), connection, space, later, is_parked, batch=batch, at=at, progress=progress)


def _fold_all(
    batches: Batches,
    connection: apsw.Connection,
    space: str,
    log: Iterable[Entry],
    is_parked: Callable[[Position], bool],
    *,
    batch: int,
    at: Position | None,
    progress: Progress,
) -> Built:
    started = time.perf_counter()
    events = 0
    hash_at = fast_hash(connection) if at == position_of(connection) else None
    for entries in _batches(log, batch, at):
        decoded, newer = decode_all(space, entries, is_parked)
        batches.fold(decoded)
        if newer is not None:
            raise newer
        events += len(entries)
        progress(len(entries))
        if at is not None and entries[-1].position == at:
            hash_at = fast_hash(connection)
    return Built(events, time.perf_counter() - started, hash_at, position_of(connection))


def _batches(entries: Iterable[Entry], size: int, at: Position | None) -> Iterator[list[Entry]]:
    """Lists of at most `size` entries; one of them ends at `at`."""
    source = iter(entries)
    while batch := list(islice(source, size)):
        cut = next((index + 1 for index, entry in enumerate(batch) if entry.position == at), len(batch))
        yield batch[:cut]
        if batch[cut:]:
            yield batch[cut:]


def index_vectors(connection: apsw.Connection, embedder: Embedder, cached_in: Path | None, progress: Progress) -> None:
    """Gives a built file its vectors, from the cache of another file where it has them.

    While the embedder fails, what is missing is left to the thread beside the writer.
    """
    if cached_in is not None and cached_in.exists():
        with immediate(connection):
            vectors.copy_cache(connection, cached_in)
    while missing := vectors.missing(connection, VECTOR_BATCH):
        try:
            with immediate(connection):
                store_vectors(connection, embedder, missing)
        except EngineError as error:
            log.warning("vectors are late: %s", error)
            return
        progress(len(missing))


def store_vectors(connection: apsw.Connection, embedder: Embedder, missing: list[tuple[int, str]]) -> None:
    """Embeds and stores, inside the caller's transaction."""
    texts = [text for _, text in missing]
    made = embedder.embed(texts)
    vectors.fit(connection, embedder.name, made.shape[1])
    vectors.store(connection, embedder.name, [number for number, _ in missing], texts, made)


def side_file(live: Path) -> Path:
    """Where a file is built beside the live one. What an earlier build left there is removed."""
    side = live.with_name("rebuild.db")
    remove(side)
    return side


def remove(path: Path) -> None:
    """Removes a database file with its write-ahead log and shared memory."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def swap(side: apsw.Connection, live: apsw.Connection, space: str, epoch: int) -> int:
    """Copies the built file into the live one, page by page in one transaction; gives the new epoch.

    Not by rename: a stale writer's commit and a left-over write-ahead log survive a rename. The new epoch refuses
    every writer of the old one. Raises StaleWriter when the space is another's by now.
    """
    # Renewed last of all, so that no newcomer may take the space before the copy holds SQLite's lock.
    with immediate(live):
        lease.check(live, space, epoch)
        lease.renew(live)
    held = lease.read(live)
    with immediate(side):
        side.execute(
            "UPDATE lease SET epoch = ?, host = ?, pid = ?, process_started_at = ?, renewed_at = ?",
            (epoch + 1, held.holder.host, held.holder.pid, held.holder.process_started_at, lease.now_ms()),
        )
        # Jobs that are with workers now are not handed out a second time.
        side.executemany("INSERT INTO dispatch VALUES (?, ?, ?, ?)", _handed_out(live))
    with live.backup("main", side, "main") as backup:
        while not backup.done:
            backup.step(-1)
    return epoch + 1


def _handed_out(live: apsw.Connection) -> list[tuple[Any, ...]]:
    return live.execute("SELECT job_key, generation, attempts, deadline FROM dispatch").fetchall()


def open_side(path: Path) -> apsw.Connection:
    """A new file to build in; it need not survive a power cut."""
    connection = open_for_writing(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()
    return connection
