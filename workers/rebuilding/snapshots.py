"""Snapshots: whole copies of a space's file, from which a later state is folded on instead of from the beginning.

    1757000000000-0.v2.db     the copy, at a position, of a fold version
    1757000000000-0.v2.json   what it holds and what it was made from, with a checksum

A snapshot is a cache: one that is damaged, of another fold version, or of a log that was rewritten since is passed
over.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import fast_hash, position_of, table_sums
from mnemolog.schema import archive
from mnemolog.schema.archive import Entry
from mnemolog.schema.checksums import combined
from mnemolog.schema.errors import DamagedFile, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.fold.voids import voids_of
from mnemolog.workers.rebuilding.prefix import prefix
from mnemolog.workers.rebuilding.rebuild import Built, Progress, build, go_on, remove
from mnemolog.workers.writer.batches import entry_hash
from mnemolog.workers.writer.space_file import DAMAGE, fold_version, immediate

log = logging.getLogger("mnemolog.snapshots")

#: How many are kept, the newest ones.
KEEP = 2

_CHUNK = 1 << 20


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy holds.

    `log` is the digest of the log up to its position (see prefix), `hash` that of the fold tables, `sha256` that of
    the file itself.
    """

    position: str
    fold_version: int
    events: int
    log: str
    hash: str
    sha256: str

    @property
    def at(self) -> Position:
        """The position up to which the log is folded."""
        return Position.parse(self.position)

    @property
    def file(self) -> str:
        """The name of the copy."""
        return f"{self.position}.v{self.fold_version}.db"


def folder_of(settings: Settings) -> Path:
    """Where the snapshots of a space are."""
    return settings.folder / "snapshots"


def listed(settings: Settings) -> list[Snapshot]:
    """The snapshots of this fold version, newest first; what cannot be read is left out."""
    found = []
    for path in folder_of(settings).glob("*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Snapshot))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("snapshot %s is passed over: %s", path.stem, error)
    return sorted((one for one in found if one.fold_version == FOLD_VERSION), key=lambda one: one.at, reverse=True)


def events_in(connection: apsw.Connection) -> int:
    """How many events a file is made of, without counting its rows."""
    rows: int | None = connection.execute("SELECT row_count FROM checksums WHERE table_name = 'events'").get
    return rows or 0


# ---- making ----------------------------------------------------------------------------------------------------


def take(settings: Settings, keep: int = KEEP) -> Snapshot | None:
    """Copies the file as it stands, a writer going on meanwhile, and keeps the newest `keep` snapshots.

    None where nothing is folded yet, or the file is of another fold version. Raises SpaceNotFound without a file,
    DamagedFile for one that is not what its log says, and errors of SQLite and the disk.
    """
    if not settings.file.exists():
        raise SpaceNotFound(f"there is no memory at {settings.file} yet: publish something, and run `mnemolog up`")
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    beside = folder / f"copying-{os.getpid()}.tmp"
    try:
        made = _copy(settings, beside)
        if made is not None:
            beside.replace(folder / made.file)
            _write(folder / made.file, made)
    finally:
        remove(beside)
    _prune(settings, keep)
    return made


def _copy(settings: Settings, to: Path) -> Snapshot | None:
    remove(to)
    os.close(os.open(to, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(open_reader(settings.file)) as live, closing(apsw.Connection(str(to))) as copy:
        # One step, so that it is one state; it holds up checkpoints no longer than the copying takes.
        with copy.backup("main", live, "main") as backup:
            while not backup.done:
                backup.step(-1)
        if fold_version(copy) != FOLD_VERSION or position_of(copy) == START:
            return None
        # Without a write-ahead log the copy is one file.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        position, events, hash_ = position_of(copy), events_in(copy), fast_hash(copy)
        _check_last_entry(settings, copy, position)
    return Snapshot(
        position=str(position),
        fold_version=FOLD_VERSION,
        events=events,
        log=prefix(settings.archive, None, position).digest,
        hash=hash_,
        sha256=_sha256(to),
    )


def _check_last_entry(settings: Settings, copy: apsw.Connection, position: Position) -> None:
    ms, seq = position
    before = Position(ms, seq - 1) if seq else Position(ms - 1, 0)
    last = [entry for entry in archive.read(settings.archive, before, position) if entry.position == position]
    if not last or entry_hash(last[0]) != copy.execute("SELECT last_entry FROM space").get:
        raise DamagedFile(f"{settings.file} is at {position}, and the archive does not hold what was folded there")


def _write(copy: Path, made: Snapshot) -> None:
    # The copy is there before what tells of it.
    beside = copy.with_suffix(".tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(made))
    beside.replace(copy.with_suffix(".json"))


def _sha256(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            state.update(chunk)
    return state.hexdigest()


def _prune(settings: Settings, keep: int) -> None:
    kept = {one.file for one in listed(settings)[:keep]}
    for path in folder_of(settings).glob("*.db"):
        if path.name not in kept:
            path.with_suffix(".json").unlink(missing_ok=True)
            remove(path)


def remove_all(settings: Settings) -> None:
    """Deletes all snapshots of a space: what is erased must not stand in one."""
    _prune(settings, 0)


# ---- using -----------------------------------------------------------------------------------------------------


def build_on(
    settings: Settings,
    side: apsw.Connection,
    embedder: Embedder,
    log_after: Callable[[Position], Iterable[Entry]],
    is_parked: Callable[[Position], bool],
    *,
    until: Position,
    batch: int,
    at: Position | None,
    progress: Progress,
) -> Built:
    """Builds a file as `rebuild.build` does, but from the newest usable snapshot up to a position if there is one.

    `log_after` gives the log that is folded from a position on. A snapshot is of no use where that voids outcomes.
    """
    begun = _restore(settings, side, embedder.name, until, log_after)
    if begun is None:
        whole = partial(log_after, START)
        return build(side, settings.space, embedder, whole, is_parked, batch=batch, at=at, progress=progress)
    later = log_after(begun)
    return go_on(side, settings.space, later, is_parked, batch=batch, at=at, progress=progress)


def _restore(
    settings: Settings,
    side: apsw.Connection,
    model: str,
    until: Position,
    log_after: Callable[[Position], Iterable[Entry]],
) -> Position | None:
    """Copies the newest usable snapshot into an empty file and gives where it stands; None where there is none."""
    for snapshot in listed(settings):
        if snapshot.at > until or voids_of(partial(log_after, snapshot.at)).known:
            continue
        if (problem := problem_of(settings, snapshot, model)) is not None:
            log.warning("snapshot %s is passed over: %s", snapshot.file, problem)
            continue
        _load(folder_of(settings) / snapshot.file, side)
        return snapshot.at
    return None


def problem_of(settings: Settings, snapshot: Snapshot, model: str) -> str | None:
    """Why a snapshot cannot be used, in words; None for one that can."""
    found = prefix(settings.archive, None, snapshot.at)
    if (found.position, found.digest) != (snapshot.at, snapshot.log):
        return "the log was rewritten since"
    path = folder_of(settings) / snapshot.file
    try:
        if _sha256(path) != snapshot.sha256:
            return "it is damaged: its checksum differs"
        with closing(open_reader(path)) as copy, read_transaction(copy):
            if combined(table_sums(copy), FOLD_VERSION) != snapshot.hash:
                return "its tables are not what was written"
            made_by = vectors.index_in_use(copy).model
            return None if made_by == model else f"its vectors were made by {made_by!r}"
    except (OSError, SpaceNotFound, *DAMAGE) as error:
        return f"it cannot be read: {error}"


def _load(path: Path, side: apsw.Connection) -> None:
    with closing(open_reader(path)) as copy, side.backup("main", copy, "main") as backup:
        while not backup.done:
            backup.step(-1)
    side.execute("PRAGMA journal_mode = WAL").fetchall()
    # Who wrote and what was handed out belongs to the file that was copied.
    with immediate(side):
        side.execute("UPDATE lease SET epoch = 0, host = '', pid = 0, process_started_at = 0, renewed_at = 0")
        side.execute("DELETE FROM dispatch")
