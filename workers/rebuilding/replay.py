"""Replay: a space's file built again from its log, compared with the live one or swapped in for it. Asks no model."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import hashes
from mnemolog.schema import archive, tables
from mnemolog.schema import log as event_log
from mnemolog.schema.errors import DamagedFile, DivergedLog, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.erasing import carrying, plans
from mnemolog.workers.fold.voids import voids_of
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.rebuilding.rebuild import (
    Built,
    Progress,
    build,
    index_vectors,
    open_side,
    remove,
    side_file,
    swap,
)
from mnemolog.workers.writer import lease, reconcile
from mnemolog.workers.writer.space_file import DAMAGE, fold_version
from mnemolog.workers.writer.space_writer import SpaceWriter

log = logging.getLogger("mnemolog.replay")

BATCH = 500


class Replayed(msgspec.Struct, frozen=True):
    """What a replay found. `hash_live` is None where there was no readable file; then `equal` is None too.

    Both hashes are those of the live file's position; `position` is the end of the replayed log. The fold has no way
    to reach a model: `model_calls` counts the outcomes for which one would have to be asked again.
    """

    equal: bool | None
    events: int
    seconds: float
    events_per_s: int
    model_calls: int
    hash_live: str | None
    hash_rebuilt: str | None
    position: Position


def total_entries(settings: Settings, stream: Stream | None = None) -> int:
    """How many entries a replay will read, about: the stream's part may still grow."""
    archived = archive.count(settings.archive)
    if stream is None:
        return archived
    last = archive.last_entry(settings.archive)
    return archived + stream.count_after(last.position if last else START, 10_000_000)


class _Live(msgspec.Struct, frozen=True):
    """What there is to compare with: `hash` is None without a file of this fold version that SQLite can read."""

    hash: str | None = None
    position: Position = START
    fold_version: int | None = None


def _live(path: Path) -> _Live:
    try:
        with closing(open_reader(path)) as connection, connection:
            version = fold_version(connection)
            if version != tables.FOLD_VERSION:
                return _Live(fold_version=version)
            found = hashes(connection)
    except SpaceNotFound:
        return _Live()
    except DAMAGE as error:
        log.warning("%s is damaged: %s", path, error)
        return _Live()
    except apsw.SQLError as error:
        log.warning("%s is not a space's file: %s", path, error)
        return _Live()
    return _Live(found.hash, found.position, version)


def _result(built: Built, hash_live: str | None) -> Replayed:
    return Replayed(
        equal=None if hash_live is None else hash_live == built.hash_at,
        events=built.events,
        seconds=round(built.seconds, 3),
        events_per_s=round(built.events / built.seconds) if built.seconds else 0,
        model_calls=0,
        hash_live=hash_live,
        hash_rebuilt=built.hash_at,
        position=built.position,
    )


@contextmanager
def _side(path: Path) -> Iterator[apsw.Connection]:
    remove(path)  # what a killed process with this one's number left
    connection = open_side(path)
    try:
        yield connection
    finally:
        connection.close()
        remove(path)


def _parked_in(folder: Path) -> Callable[[Position], bool]:
    return lambda position: event_log.was_parked(position, archive.read(folder, position))


def verify(settings: Settings, embedder: Embedder, *, batch: int = BATCH, progress: Progress) -> Replayed:
    """Rebuilds the log up to the live file's position beside it and compares the hashes; changes nothing.

    A writer may go on meanwhile: what is folded is archived already. Raises SpaceNotFound when there is no file to
    compare with, and DamagedFile for an archive that does not add up.
    """
    if plans.is_under_way(settings):
        raise DamagedFile(
            f"an erasure of space {settings.space!r} was interrupted, or is under way: start its writer, or run "
            f"mnemolog --space {settings.space} erase --resume"
        )
    live = _live(settings.file)
    if live.fold_version not in (None, tables.FOLD_VERSION):
        raise DamagedFile(
            f"{settings.file} was folded by version {live.fold_version} of the fold and this is {tables.FOLD_VERSION}: "
            "their hashes cannot be compared. The writer builds the file again when it starts, and so does `replay`"
        )
    if live.hash is None:
        raise SpaceNotFound(f"there is no readable file at {settings.file} to compare with: build it with `replay`")
    with _side(settings.file.with_name(f"verify-{os.getpid()}.db")) as side:
        built = build(
            side,
            settings.space,
            embedder,
            lambda: archive.read(settings.archive, START, live.position),
            _parked_in(settings.archive),
            batch=batch,
            at=live.position,
            progress=progress,
        )
    return _result(built, live.hash)


def replay(
    settings: Settings,
    stream: Stream,
    embedder: Embedder,
    *,
    batch: int = BATCH,
    full: bool = False,
    progress: Progress,
) -> Replayed:
    """Builds the file again from its log, archive and stream, and swaps it in.

    It goes on from the newest usable snapshot up to the live file's position, unless the `full` log is to be folded.
    A stream that is not the archive's continuation is left out. Takes the space's lease: raises SpaceHeld while a
    writer is running. Raises DamagedFile for an archive that does not add up, DivergedLog where archive and stream
    together are less than the file is made of, and SpaceNotFound when there is no log.
    """
    if not archive.numbers(settings.archive) and stream.bounds() is None:
        raise SpaceNotFound(
            f"space {settings.space!r} has no log: neither an archive in {settings.archive} nor a stream"
        )
    live = _live(settings.file)
    if live.fold_version is None:
        _move_aside(settings)
    writer = SpaceWriter(settings, stream, embedder)
    writer.take()

    def tell(count: int) -> None:
        writer.renew_if_due()
        progress(count)

    try:
        _archive_stream(writer, live.position)
        if carrying.is_wanted(settings):
            writer.erase()
            live = _live(settings.file)
        compared = _hash_without_later_voids(settings, embedder, live, writer.renew_if_due)
        with _side(side_file(settings.file)) as side:
            built = snapshots.build_on(
                settings,
                side,
                embedder,
                lambda after: archive.read(settings.archive, after),
                _parked_in(settings.archive),
                until=START if full else live.position if live.hash else writer.archive.end,
                batch=batch,
                at=live.position,
                progress=tell,
            )
            index_vectors(side, embedder, settings.file, lambda _: writer.renew_if_due())
            writer.epoch = swap(side, writer.connection, settings.space, writer.epoch)
    finally:
        writer.close()
    return _result(msgspec.structs.replace(built, hash_at=compared) if compared else built, live.hash)


def _hash_without_later_voids(
    settings: Settings, embedder: Embedder, live: _Live, tick: Callable[[], None]
) -> str | None:
    """The hash of the log up to the live file's position, where the rest of the log voids something of that.

    None where it does not, or there is no file: then the hash is found while the whole log is folded.
    """
    later = voids_of(lambda: archive.read(settings.archive, after=live.position))
    if live.hash is None or not later.known:
        return None
    return verify(settings, embedder, progress=lambda _: tick()).hash_rebuilt


def _move_aside(settings: Settings) -> None:
    """Keeps a file that SQLite cannot read, under another name, for whoever wants to look into it.

    Raises SpaceHeld where it can still be read that a live process has the space.
    """
    path = settings.file
    if not path.exists():
        return
    try:
        with closing(open_reader(path)) as connection:
            lease.refuse_if_held(connection, settings.space, settings.lease_s)
    except (*DAMAGE, apsw.SQLError):
        pass
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000}")
    log.warning("moving the unreadable %s to %s", path, aside.name)
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))


def _archive_stream(writer: SpaceWriter, live: Position) -> None:
    """Appends what the stream has and the archive has not, if the stream continues the archive.

    Where it does not, the archive stands for the log; raises DivergedLog then for a file that knows more than it.
    """
    try:
        healed = reconcile.inspect(writer.stream, reconcile.archived(writer.archive), writer.archive.folder)
    except DivergedLog as error:
        if live > writer.archive.end:
            raise
        log.warning("%s. The file is built from the archive alone", error)
        return
    if healed:
        log.warning("%s", healed)
    while page := writer.stream.range(writer.archive.end, reconcile.PAGE):
        writer.archive.append(page)
        writer.renew_if_due()
    writer.archive.sync()
