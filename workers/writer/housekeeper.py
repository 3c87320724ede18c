"""The thread beside the writer: keeps vectors, moves the write-ahead log into the file, seals full archive segments.

It makes a snapshot of the file after every so many events, and trims the stream behind the archive, too.
"""

from __future__ import annotations

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive
from mnemolog.schema.ids import Position
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.retention import Trimmer
from mnemolog.workers.writer.rounds import Rounds
from mnemolog.workers.writer.space_file import BUSY_TIMEOUT_MS, immediate, open_for_writing
from mnemolog.workers.writer.space_writer import SpaceWriter

VECTOR_BATCH = 128
#: How much of the write-ahead log may wait to be moved, and how large its file may grow before it starts again.
WAL_PENDING_BYTES = 4 * 1024 * 1024
WAL_FILE_BYTES = 64 * 1024 * 1024
#: So much may wait to be moved while nothing was folded.
WAL_LEASES_BYTES = 256 * 1024
PAGE_BYTES = 4096
PAUSE_S = 0.5
#: Between two batches of vectors while the writer has a backlog: text comes first.
BACKLOG_PAUSE_S = 0.5
RETRY_S = 5.0


class SpaceKeeper:
    """Keeps one space's house, over a connection of its own; every transaction checks the writer's epoch."""

    def __init__(self, writer: SpaceWriter) -> None:
        self._writer = writer
        self._connection = open_for_writing(writer.settings.file)
        self._in_snapshot = next((one.events for one in snapshots.listed(writer.settings)), 0)
        self._trimmer = Trimmer(writer, self._connection)
        self._moved_at: Position | None = None

    def index_some(self, embedder: Embedder) -> bool:
        """Gives up to VECTOR_BATCH nodes their vectors; whether there were any. Raises StaleWriter."""
        epoch = self._writer.epoch
        missing = vectors.missing(self._connection, VECTOR_BATCH)
        if not missing:
            return False
        texts = [text for _, text in missing]
        # Embedded before the transaction: no one waits for a model.
        made = embedder.embed(texts)
        with self._writer.lock, immediate(self._connection):
            if self._writer.epoch != epoch:
                return True  # the file was rebuilt meanwhile, and its nodes have other numbers
            lease.check(self._connection, self._writer.space, epoch)
            vectors.fit(self._connection, embedder.name, made.shape[1])
            vectors.store(self._connection, embedder.name, [number for number, _ in missing], texts, made)
        return True

    def tidy(self, *, idle: bool) -> None:
        """Moves the write-ahead log into the file when it is large or nothing else is to do, and seals segments.

        Raises StaleWriter.
        """
        held, pending = self._wal_bytes()
        if pending > WAL_PENDING_BYTES or (idle and pending and self._is_worth_moving(pending)):
            self._move("PASSIVE")
            if held > WAL_FILE_BYTES:
                self._restart_wal()
        with self._writer.keeping:
            self._tidy_archive()

    def _is_worth_moving(self, pending: int) -> bool:
        """Whether there is more than renewed leases: moving those of many idle spaces would keep a disk busy."""
        position = position_of(self._connection)
        if position == self._moved_at and pending <= WAL_LEASES_BYTES:
            return False
        self._moved_at = position
        return True

    def snapshot_if_due(self) -> None:
        """Makes a snapshot when enough events were folded since the last one, if any are to be made."""
        every = self._writer.settings.snapshot_events
        if every and snapshots.events_in(self._connection) - self._in_snapshot >= every:
            with self._writer.keeping:
                made = snapshots.take(self._writer.settings)
            self._in_snapshot = made.events if made else 0

    def trim_if_due(self) -> bool:
        """Trims the stream to its bounds; whether there is more to trim. Raises as Trimmer does."""
        with self._writer.keeping:
            return self._trimmer.trim_if_due()

    def _move(self, mode: str) -> None:
        # The archive first: the file must never be durably ahead of the log.
        self._writer.archive.sync()
        self._checkpoint(mode)

    def _restart_wal(self) -> None:
        """Lets the write-ahead log start again from its beginning, unless somebody is reading it."""
        self._connection.set_busy_timeout(0)
        try:
            with self._writer.lock:
                # Not TRUNCATE: giving back a large file's space takes a tenth of a second.
                self._move("RESTART")
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    def _wal_bytes(self) -> tuple[int, int]:
        """How much the write-ahead log holds since it last began, and how much of that is not in the file yet."""
        _, frames, moved = self._checkpoint("NOOP")
        return frames * PAGE_BYTES, max(0, frames - moved) * PAGE_BYTES

    def _checkpoint(self, mode: str) -> tuple[int, int, int]:
        """(busy, frames in the log, frames moved), as PRAGMA wal_checkpoint reports."""
        found: tuple[int, int, int] = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").get
        return found

    def _tidy_archive(self) -> None:
        segments = self._writer.archive
        if not (segments.is_full or segments.unsealed()):
            return
        # A writer that was replaced must not seal the segment that its successor appends to.
        with self._writer.lock, immediate(self._connection):
            lease.check(self._connection, self._writer.space, self._writer.epoch)
            segments.rotate()
        for number in segments.unsealed():
            archive.seal(segments.folder, number)

    def close(self) -> None:
        """Moves the whole write-ahead log into the file and closes the connection."""
        self._move("TRUNCATE")
        self._connection.close()


class Housekeeper(Rounds[SpaceKeeper]):
    """Keeps the house of all spaces; one that is removed has its write-ahead log moved into its file."""

    #: An embedder may raise anything, and the files need keeping all the same.
    caught = (Exception,)

    def __init__(self, embedder: Embedder) -> None:
        super().__init__("housekeeper")
        self._embedder = embedder

    def _open(self, writer: SpaceWriter) -> SpaceKeeper:
        return SpaceKeeper(writer)

    def _take_turn(self, space: str, kept: SpaceKeeper, *, idle: bool) -> bool:
        more = self._tried(space, "vectors", lambda: kept.index_some(self._embedder))
        self._tried(space, "files", lambda: kept.tidy(idle=idle and not more))
        self._tried(space, "snapshots", kept.snapshot_if_due)
        return self._tried(space, "retention", kept.trim_if_due) or more

    def _pauses(self, *, more: bool) -> tuple[float, float]:
        return (BACKLOG_PAUSE_S if more and self.backlog else 0.0, 0.0 if more else PAUSE_S)

    @property
    def _retry_s(self) -> float:
        return RETRY_S
