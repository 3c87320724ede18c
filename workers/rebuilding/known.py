"""What the memory knew at a moment: the log folded up to there, in a side file that is kept for the next question.

    known/1757000000000-0.v2.3f9a….db     by position, fold version and digest of the log up to it (see prefix)

The name says of what log the file is the fold, so that one from before the log was rewritten is never found again. The
live file is read for its vectors only, and a writer may go on meanwhile.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec
import psutil

from mnemolog.projections.connection import load_vec, open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import archive
from mnemolog.schema import log as event_log
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import InvalidInput, LogUnavailable, SpaceNotFound
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.rebuilding.prefix import Prefix, prefix
from mnemolog.workers.rebuilding.rebuild import Progress, index_vectors, open_side, remove
from mnemolog.workers.writer.space_file import create_tables, immediate

log = logging.getLogger("mnemolog.known")

#: What is kept for the next question: so many files, and so many bytes; the one that was not used longest goes first.
KEEP_FILES = 8
KEEP_BYTES = 4 * 1024**3

BATCH = 500

#: A moment: a position of the log, or a time (UTC milliseconds), which is that of the last entry recorded by then.
Moment = Position | int


class Known(msgspec.Struct, frozen=True):
    """A file that holds what was known; `position` is its end on the log, START where nothing was known yet."""

    connection: apsw.Connection
    position: Position


def folder_of(settings: Settings) -> Path:
    """Where the side files of a space are."""
    return settings.folder / "known"


@contextmanager
def opened(
    settings: Settings,
    embedder: Embedder,
    moment: Moment,
    *,
    stream: Stream | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[Known]:
    """A connection that reads what was known at a moment: an empty memory before the first event.

    The file is built unless it is kept from an earlier question; `progress` is told how many entries were folded.
    Raises SpaceNotFound without a log, InvalidInput for a position after its end, NewerEvent for an entry that this
    version cannot fold, and DamagedFile for an archive that does not add up.
    """
    reachable = _reachable(stream)
    wanted = _prefix_at(settings, reachable, moment)
    if wanted.position == START:
        connection = _nothing(embedder)
    else:
        connection = _kept(settings, wanted) or _built(settings, embedder, wanted, reachable, progress)
    with closing(connection):
        yield Known(connection, wanted.position)


def remove_all(settings: Settings) -> None:
    """Deletes all side files of a space: what is erased must not stand in one."""
    for path in folder_of(settings).glob("*.db"):
        remove(path)


# ---- which log ---------------------------------------------------------------------------------------------------


def _reachable(stream: Stream | None) -> Stream | None:
    """The stream, if Redis answers: without it the archive is the log."""
    try:
        return stream if stream is not None and stream.bounds() is not None else None
    except LogUnavailable as error:
        log.warning("the archive alone is read: %s", error)
        return None


def _prefix_at(settings: Settings, stream: Stream | None, moment: Moment) -> Prefix:
    if not archive.numbers(settings.archive) and stream is None:
        raise SpaceNotFound(f"space {settings.space!r} has no log yet: publish something, and run `mnemolog up`")
    if not isinstance(moment, Position):
        return prefix(settings.archive, stream, Position(max(0, moment), MAX_STREAM_PART))
    found = prefix(settings.archive, stream, moment)
    if found.position < moment and _ends_at(settings, stream, found.position):
        raise InvalidInput(f"the log of space {settings.space!r} ends at {found.position}: {moment} is after its end")
    return found


def _ends_at(settings: Settings, stream: Stream | None, position: Position) -> bool:
    return next(event_log.read(settings.archive, stream, position), None) is None


# ---- the files ---------------------------------------------------------------------------------------------------


def _nothing(embedder: Embedder) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    load_vec(connection)
    with immediate(connection):
        create_tables(connection, embedder)
    return connection


def _file_of(settings: Settings, wanted: Prefix) -> Path:
    return folder_of(settings) / f"{wanted.position}.v{FOLD_VERSION}.{wanted.digest}.db"


def _kept(settings: Settings, wanted: Prefix) -> apsw.Connection | None:
    path = _file_of(settings, wanted)
    try:
        connection = open_reader(path)
    except SpaceNotFound:
        return None
    path.touch()
    return connection


def _built(
    settings: Settings, embedder: Embedder, wanted: Prefix, stream: Stream | None, progress: Progress
) -> apsw.Connection:
    """Builds the file beside its place and moves it there: who looks meanwhile finds it whole or not at all."""
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_away(folder)
    path = _file_of(settings, wanted)
    beside = folder / f"{wanted.position}.building-{os.getpid()}-{time.monotonic_ns()}.db"
    try:
        is_whole = _build(settings, embedder, wanted.position, stream, beside, progress)
        connection = open_reader(beside)
        # What was folded meanwhile may have been erased: then nobody is to find it again.
        if is_whole and prefix(settings.archive, stream, wanted.position) == wanted:
            _sync(beside)
            # The connection follows the file; its name without a write-ahead log is no other's.
            beside.replace(path)
    finally:
        remove(beside)
    _prune(folder, keep=path)
    return connection


def _build(
    settings: Settings, embedder: Embedder, until: Position, stream: Stream | None, path: Path, progress: Progress
) -> bool:
    """Folds the log up to a position into a new file; whether no vector is missing in it."""

    def log_after(after: Position) -> Iterator[Entry]:
        return event_log.read(settings.archive, stream, after, until)

    def is_parked(position: Position) -> bool:
        return event_log.was_parked(position, event_log.read(settings.archive, stream, position))

    remove(path)
    with closing(open_side(path)) as side:
        snapshots.build_on(
            settings, side, embedder, log_after, is_parked, until=until, batch=BATCH, at=None, progress=progress
        )
        index_vectors(side, embedder, settings.file, lambda _: None)
        is_whole = not vectors.missing(side, 1)
        # One file, which can be renamed: without a write-ahead log beside it.
        side.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        side.execute("PRAGMA journal_mode = DELETE").fetchall()
    return is_whole


def _clear_away(folder: Path) -> None:
    """Removes what builders left that were killed."""
    for path in folder.glob("*.building-*.db"):
        builder = path.name.rpartition(".building-")[2].partition("-")[0]
        if not builder.isdigit() or not psutil.pid_exists(int(builder)):
            remove(path)


def _sync(path: Path) -> None:
    """What is found under its name must be whole, also after a power cut."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _prune(folder: Path, keep: Path) -> None:
    """Removes the files that were not used longest until the rest is few and small enough; never the one in use."""
    found = [(path, found.st_mtime, found.st_size) for path in folder.glob("*.v*.db") if (found := _stat(path))]
    held = 0
    for number, (path, _, size) in enumerate(sorted(found, key=lambda one: (one[0] != keep, -one[1])), 1):
        held += size
        if path != keep and (number > KEEP_FILES or held > KEEP_BYTES):
            remove(path)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
