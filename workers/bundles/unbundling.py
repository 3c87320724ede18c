"""Importing a bundle: the same memory built again on another machine, or as a fork, without Redis and without a model.

Everything happens in a folder beside the spaces, which becomes the space's folder by one rename at the end: before that
there is nothing, after that there is all.
"""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import apsw
import msgspec
import psutil

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import content_hash, hashes, position_of
from mnemolog.schema import archive
from mnemolog.schema import log as event_log
from mnemolog.schema.errors import DamagedFile, InvalidInput, NewerEvent, SpaceNotFound, Undecodable
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.bundles import bundles
from mnemolog.workers.bundles.bundles import Manifest
from mnemolog.workers.bundles.bundling import space_id
from mnemolog.workers.fold.voids import RebuildNeeded
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.rebuilding.rebuild import Built, Progress, build, go_on, index_vectors, open_side, remove
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.space_file import DAMAGE

log = logging.getLogger("mnemolog.bundles")

BATCH = 500
#: The longest line of an archive, and the largest segment, that is read: what was packed to exhaust memory is refused.
_MOST_LINE_BYTES = 64 * 1024 * 1024
_MOST_SEGMENT_BYTES = 4 * 1024**3
_CHUNK = 1 << 20


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A memory that was built from a bundle; `compared` is None where the bundle tells no hash of this fold version.

    `hash` and `content_hash` are those at `position`, the end of what is folded.
    """

    space: str
    space_id: str
    fork_of: str | None
    entries: int
    position: Position
    hash: str
    content_hash: str
    compared: bool | None
    vectors_from_snapshot: bool


def restore(settings: Settings, bundle: Path, space: str | None, embedder: Embedder, progress: Progress) -> Restored:
    """Builds the memory of a bundle in a space that does not exist or is empty: its own, or another as a fork.

    `progress` is told how many entries were folded. Raises InvalidInput for what is no bundle, one of a newer format,
    and a space that holds something; SpaceHeld; NewerEvent for a log of a newer mnemolog; DamagedFile for a bundle that
    does not add up. Then nothing is left of it.
    """
    manifest = bundles.manifest_of(bundle)
    target = settings.of_space(space or manifest.space)
    _refuse_unless_empty(target)
    with _staged(target) as staged:
        unpacked = staged.data / "unpacked"
        unpacked.mkdir(mode=0o700)
        manifest = bundles.unpack(bundle, unpacked)
        (unpacked / "archive").rename(staged.archive)
        if (unpacked / "snapshot").exists():
            (unpacked / "snapshot").rename(snapshots.folder_of(staged))
        _check_log(manifest, staged)
        found = _build(manifest, staged, embedder, progress)
        _move(staged, target)
    return found


# ---- the place -------------------------------------------------------------------------------------------------


def _refuse_unless_empty(settings: Settings) -> None:
    """Raises InvalidInput for a space that holds something, SpaceHeld while somebody writes it."""
    there = InvalidInput(
        f"space {settings.space!r} holds a memory already, in {settings.folder}: import under another name "
        "(--space NAME) or into another folder (--data)"
    )
    if archive.last_entry(settings.archive) is not None:
        raise there
    try:
        with closing(open_reader(settings.file)) as connection:
            lease.refuse_if_held(connection, settings.space, settings.lease_s)
            if position_of(connection) != START:
                raise there
    except SpaceNotFound:
        pass
    except (*DAMAGE, apsw.SQLError):
        raise there from None


def leftovers(data: Path) -> list[Path]:
    """The folders that imports left behind whose processes are gone."""
    found = (data / "spaces").glob(".importing-*")
    return [path for path in found if not _is_alive(path.name.rpartition("-")[2])]


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and psutil.pid_exists(int(pid))


@contextmanager
def _staged(settings: Settings) -> Iterator[Settings]:
    """Settings for the same space in a folder of its own, which is removed with all that is in it."""
    spaces = settings.folder.parent
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    spaces.mkdir(mode=0o700, exist_ok=True)
    for path in leftovers(settings.data):
        shutil.rmtree(path)
    folder = spaces / f".importing-{settings.space}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    staged = msgspec.structs.replace(settings, data=folder)
    for part in (folder, folder / "spaces", staged.folder):
        part.mkdir(mode=0o700)
    try:
        yield staged
    finally:
        shutil.rmtree(folder)


def _move(staged: Settings, target: Settings) -> None:
    for path in (staged.file, *snapshots.folder_of(staged).glob("*"), *staged.archive.glob("*"), staged.folder):
        _sync(path)
    _refuse_unless_empty(target)
    if target.folder.exists():
        target.folder.rename(staged.data / "emptied")
    staged.folder.rename(target.folder)
    _sync(target.folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- the log ---------------------------------------------------------------------------------------------------


def _check_log(manifest: Manifest, staged: Settings) -> None:
    """Raises DamagedFile unless the log is whole, and the one that the manifest tells of."""
    for path in staged.archive.glob("*.gz"):
        _check_unpacked(path)
    if problems := archive.check(staged.archive):
        raise DamagedFile(f"the bundle is damaged: {'; '.join(problems[:3])}")
    first = next(archive.read(staged.archive), None)
    last = archive.last_entry(staged.archive)
    if first is None or last is None:
        raise DamagedFile("the bundle is damaged: its log is empty")
    found = (str(first.position), str(last.position), archive.count(staged.archive))
    if found != (manifest.first, manifest.last, manifest.entries):
        raise DamagedFile("the bundle is damaged: its log is not the one that its manifest tells of")
    try:
        is_same = space_id(first) == manifest.space_id
    except Undecodable as error:
        raise DamagedFile(f"the bundle is damaged: its log begins with what is no event ({error})") from None
    if not is_same:
        raise DamagedFile("the bundle is not what it says: its log is that of another space")


def _check_unpacked(path: Path) -> None:
    """Raises DamagedFile for a segment that unpacks to more than a segment may be."""
    total = line = 0
    try:
        with gzip.open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                total += len(chunk)
                cut = chunk.rfind(b"\n")
                line = line + len(chunk) if cut < 0 else len(chunk) - cut - 1
                if line > _MOST_LINE_BYTES or total > _MOST_SEGMENT_BYTES:
                    raise DamagedFile(f"the bundle is refused: {path.name} unpacks to more than a segment may be")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFile(f"the bundle is damaged in {path.name}: {error}") from None


# ---- the file --------------------------------------------------------------------------------------------------


def _build(manifest: Manifest, staged: Settings, embedder: Embedder, progress: Progress) -> Restored:
    _check_snapshots(staged)
    with closing(open_side(staged.file)) as side:
        compared = _fold_to_state(manifest, staged, side, embedder, progress)
        from_snapshot = bool(side.execute("SELECT position FROM vector_index").get)
    compared_up_to = manifest.state.at if manifest.state else START
    with closing(_fold_rest(staged, compared_up_to, embedder, progress)) as side:
        index_vectors(side, embedder, None, lambda _: None)
        side.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        found = hashes(side)
    return Restored(
        space=staged.space,
        space_id=manifest.space_id,
        fork_of=None if manifest.space == staged.space else manifest.space,
        entries=manifest.entries,
        position=found.position,
        hash=found.hash,
        content_hash=found.content_hash,
        compared=compared,
        vectors_from_snapshot=from_snapshot,
    )


def _check_snapshots(staged: Settings) -> None:
    """Raises DamagedFile for a snapshot that would do something by itself: tables of ours have no triggers or views."""
    for path in snapshots.folder_of(staged).glob("*.db"):
        try:
            with closing(open_reader(path)) as copy:
                strange = copy.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchall()
        except (*DAMAGE, apsw.SQLError) as error:
            raise DamagedFile(f"the bundle is damaged: its snapshot cannot be read ({error})") from None
        if strange:
            raise DamagedFile("the bundle is refused: its snapshot holds a trigger or a view")


def _fold_to_state(
    manifest: Manifest, staged: Settings, side: apsw.Connection, embedder: Embedder, progress: Progress
) -> bool | None:
    """Folds as much of the log as the bundle's state is made of; None where that state cannot be compared.

    Raises DamagedFile where the hashes differ.
    """
    until = manifest.state.at if manifest.state else Position.parse(manifest.last)
    built = _built(staged, side, embedder, until, progress)
    if manifest.state is None or manifest.fold_version != FOLD_VERSION:
        return None
    if (built.hash_at, content_hash(side)) != (manifest.state.hash, manifest.state.content_hash):
        raise DamagedFile(
            f"the bundle is refused: its log up to {until} folds to another memory than the one it was made from"
        )
    return True


def _built(staged: Settings, side: apsw.Connection, embedder: Embedder, until: Position, progress: Progress) -> Built:
    return snapshots.build_on(
        staged,
        side,
        embedder,
        lambda after: archive.read(staged.archive, after, until),
        partial(_is_parked, staged),
        until=until,
        batch=BATCH,
        at=until,
        progress=progress,
    )


def _is_parked(staged: Settings, position: Position) -> bool:
    return event_log.was_parked(position, archive.read(staged.archive, position))


def _fold_rest(staged: Settings, after: Position, embedder: Embedder, progress: Progress) -> apsw.Connection:
    """Folds what comes after the state that was compared, from the beginning where that voids something of it.

    What a newer version wrote there is left to the writer, which stops at it as the one of the bundle's origin did.
    """
    side = open_side(staged.file)
    is_parked = partial(_is_parked, staged)
    try:
        rest = archive.read(staged.archive, max(after, position_of(side)))
        go_on(side, staged.space, rest, is_parked, batch=BATCH, at=None, progress=progress)
    except RebuildNeeded:
        side.close()
        remove(staged.file)
        side = open_side(staged.file)
        _fold_whole(staged, side, embedder, progress)
    except NewerEvent as error:
        log.warning("the file of space %s is built up to %s: %s", staged.space, position_of(side), error)
    return side


def _fold_whole(staged: Settings, side: apsw.Connection, embedder: Embedder, progress: Progress) -> None:
    try:
        build(
            side,
            staged.space,
            embedder,
            partial(archive.read, staged.archive),
            partial(_is_parked, staged),
            batch=BATCH,
            at=None,
            progress=progress,
        )
    except NewerEvent as error:
        log.warning("the file of space %s is built up to %s: %s", staged.space, position_of(side), error)
