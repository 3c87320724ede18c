"""The writer of one space: its lease, its archive, its file; it folds what it is given and keeps house."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive, tables
from mnemolog.schema import log as event_log
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.errors import DivergedLog, MnemologError, StaleWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.erasing import carrying, plans, withholding
from mnemolog.workers.fold.voids import RebuildNeeded
from mnemolog.workers.rebuilding.rebuild import build, index_vectors, open_side, remove, side_file, swap
from mnemolog.workers.writer import lease, reconcile
from mnemolog.workers.writer.batches import Batches, Decoded, decode_all
from mnemolog.workers.writer.space_file import create_tables, fold_version, has_tables, immediate, open_for_writing

log = logging.getLogger("mnemolog.writer")

CATCH_UP_BATCH = 500


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class SpaceWriter:
    """Writes one space. `open` takes the lease, `close` gives it back.

    `lock` serialises this process's own transactions: the thread that keeps house takes it too. `meanwhile` is called
    now and then while the file is built again, which may take long.
    """

    def __init__(self, settings: Settings, stream: Stream, embedder: Embedder, *, accept_stream: bool = False) -> None:
        self.settings = settings
        self.space = settings.space
        self.stream = stream
        self.embedder = embedder
        self.lock = threading.Lock()
        #: Held while archive and copies of the file are not to be touched: by who seals, trims and copies, too.
        self.keeping = threading.Lock()
        self._accept_stream = accept_stream
        self._accepted = reconcile.NOTHING_ACCEPTED
        self._healed = ""
        self._renewed = 0.0
        self.meanwhile: Callable[[], None] = lambda: None

    # ---- taking and giving back --------------------------------------------------------------------------------

    def take(self) -> None:
        """Takes the space: its file (made if there is none), its lease, its archive. Raises SpaceHeld."""
        self.connection = open_for_writing(self.settings.file)
        self._file = _identity(self.settings.file)
        try:
            if not has_tables(self.connection):
                self._create()
            self.epoch = lease.acquire(self.connection, self.space, self.settings.lease_s)
        except BaseException:
            self.connection.close()
            raise
        self._renewed = time.monotonic()
        try:
            self.archive = ArchiveWriter(self.settings.archive)
        except BaseException:
            self._let_go()
            raise
        self._batches = Batches(
            self.connection,
            guard=self._guard,
            before=self.archive.append,
        )

    def _guard(self) -> None:
        """Raises StaleWriter when the file is not this writer's any more."""
        if _identity(self.settings.file) != self._file:
            raise StaleWriter(
                f"space {self.space!r}: {self.settings.file} was removed or replaced under its writer, which stops. "
                "Start it again: what was folded is in the archive, and the file is brought up to it"
            )
        lease.check(self.connection, self.space, self.epoch)

    def _create(self) -> None:
        def make() -> None:
            # Another process may have made them while this one waited for its transaction.
            if not has_tables(self.connection):
                create_tables(self.connection, self.embedder)

        Batches(self.connection).create(make)

    def open(self) -> None:
        """Takes the space, mends what can be mended, and folds what the archive has.

        Raises SpaceHeld, DivergedLog, DamagedFile, NewerEvent, and errors of the log.
        """
        self.take()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        if plans.is_under_way(self.settings):
            self.erase()
        if fold_version(self.connection) != tables.FOLD_VERSION:
            said = {"space": self.space}
            log.warning("space %s was folded by another version: building its file again", self.space, extra=said)
            self.rebuild()
        reconcile.fill_archive(self.archive, self.stream, reconcile.folded(self.connection))
        self._fold_archive()
        if self._accept_stream:
            self._accept()
        self.inspect()

    def _accept(self) -> None:
        """Records that the log goes on with a stream that is not its continuation, if it is not."""
        try:
            self.inspect()
        except DivergedLog as error:
            log.warning("going on as asked. %s", error, extra={"space": self.space})
            self._accepted = reconcile.accept(self.stream, self.archive, reconcile.folded(self.connection))
            self._fold_archive()

    def close(self) -> None:
        """Gives the space back: archive synced, lease released, connection closed."""
        try:
            self._clean_up()
            self.archive.close()
        finally:
            self._let_go()

    def _clean_up(self) -> None:
        """Does what is soon to be done in Redis after an erasure; where that fails, the next writer does it."""
        try:
            self._guard()
            carrying.clean_if_due(self, ending=True)
        except (MnemologError, apsw.Error, OSError) as error:
            log.warning("space %s: Redis is cleaned by the next writer: %s", self.space, error)

    def _let_go(self) -> None:
        try:
            lease.release(self.connection, self.epoch)
        finally:
            self.connection.close()

    # ---- folding -----------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """How far the file is."""
        return position_of(self.connection)

    def fold(self, entries: Sequence[Entry]) -> None:
        """Archives and folds entries that were read from the stream after the last folded one, in one transaction.

        Raises NewerEvent and DivergedLog after folding what stands before the reason; StaleWriter, apsw and OS errors.
        """
        # After the reading: as long as the last folded entry is there, nothing after it was trimmed away.
        self.inspect()
        position = self.position
        self._fold([entry for entry in entries if entry.position > position])

    def _fold(self, entries: Sequence[Entry]) -> None:
        decoded, newer = decode_all(self.space, entries, self.is_parked)
        good, diverged = reconcile.check_entries(
            self.stream, decoded, reconcile.folded(self.connection), self._accepted
        )
        try:
            self._fold_good(good)
        except RebuildNeeded:
            self._rebuild_for_void()
        if diverged is not None:
            raise diverged
        if newer is not None:
            raise newer

    def _fold_good(self, good: Sequence[Decoded]) -> None:
        erased = withholding.has_erased(self.connection)
        for part in withholding.parts(good, erased=erased):
            fit = withholding.admitted(self.connection, part, self.archive.end) if erased else part
            withheld = any(mine[0] is not theirs[0] for mine, theirs in zip(fit, part, strict=True))
            if withheld:
                carrying.clean_soon(self.settings)
            with self.lock:
                self._batches.fold(fit)
            if withheld:
                # By its last folded entry a stream is known again.
                carrying.begin_stream(self)

    def erase(self) -> None:
        """Carries out the erasures that were asked for, or goes on with one that was interrupted.

        Raises as `carrying.carry_out` does.
        """
        log.info("space %s: erasing", self.space)
        carrying.carry_out(self)

    def _rebuild_for_void(self) -> None:
        """Lets a void or an erasure take effect, which is archived already, with all that the stream has after it.

        What was appended together with a void, to take the place of what it voids, so comes into force with it: nobody
        sees one without the other. Killed on the way, the file is behind a void of the archive, which is noticed when
        the archive is folded on.
        """
        self._archive_stream()
        said = {"space": self.space}
        log.info("space %s: building the file again without what was voided or erased", self.space, extra=said)
        self.rebuild()

    def _archive_stream(self) -> None:
        """Archives what the stream has by now, up to the first entry that cannot be folded."""
        bounds = self.stream.bounds()
        try:
            reconcile.inspect(self.stream, reconcile.archived(self.archive), self.settings.archive)
        except DivergedLog:
            return  # said when the stream is read on
        while bounds and (page := self.stream.range(self.archive.end, reconcile.PAGE, bounds.top)):
            decoded, newer = decode_all(self.space, page, self.is_parked)
            good, diverged = reconcile.check_entries(
                self.stream, decoded, reconcile.folded(self.connection), self._accepted
            )
            with self.transaction():
                self.archive.append([entry for entry, _ in good])
            if newer is not None or diverged is not None:
                return
            self.renew_if_due()

    def is_parked(self, position: Position) -> bool:
        """Whether a later word on the log parks an entry; that word is archived before what it lets pass is folded."""
        word = event_log.parking(position, event_log.read(self.settings.archive, self.stream, after=position))
        if word is not None and word > self.archive.end:
            with self.transaction():
                for entry in event_log.read(self.settings.archive, self.stream, self.archive.end, word):
                    self.archive.append([entry])
        return word is not None

    def _fold_archive(self) -> None:
        """Folds what is archived and not in the file: after a kill between the two, or when the file was deleted."""
        batch: list[Entry] = []
        for entry in archive.read(self.settings.archive, after=self.position):
            batch.append(entry)
            if len(batch) == CATCH_UP_BATCH:
                self._fold_unfolded(batch)
                batch = []
                self.renew_if_due()
        self._fold_unfolded(batch)

    def _fold_unfolded(self, entries: Sequence[Entry]) -> None:
        # A void among them builds the file from the whole archive.
        position = self.position
        self._fold([entry for entry in entries if entry.position > position])

    # ---- keeping house -----------------------------------------------------------------------------------------

    def renew_if_due(self) -> None:
        """Renews the lease when a fifth of it has passed. Raises StaleWriter when it is another's."""
        if time.monotonic() - self._renewed < self.settings.lease_s / 5:
            return
        with self.transaction():
            lease.renew(self.connection)
        self._renewed = time.monotonic()

    def inspect(self) -> None:
        """Compares the stream with what was folded and heals what is safe. Raises DivergedLog.

        What is left of an erasure is done here, too, when it failed or when it is time.
        """
        if plans.is_under_way(self.settings):
            self.erase()
        carrying.clean_if_due(self)
        known = reconcile.folded(self.connection)
        if known.position != self._accepted.after:
            healed = reconcile.inspect(self.stream, known, self.settings.archive)
            if healed and healed != self._healed:
                log.warning("%s", healed, extra={"space": self.space})
            self._healed = healed or self._healed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction of the holder on the writer's own connection. Raises StaleWriter."""
        with self.lock, immediate(self.connection):
            self._guard()
            yield

    def rebuild(self) -> None:
        """Builds the file again from the archive and swaps it in under a new epoch; what is to be erased goes first."""
        if carrying.is_wanted(self.settings):
            self.erase()
            return
        with self.rebuilt() as side:
            self.put_in_place(side)

    @contextmanager
    def rebuilt(self) -> Iterator[apsw.Connection]:
        """A file built from the archive beside the live one, with vectors; it is removed afterwards."""
        path = side_file(self.settings.file)
        side = open_side(path)
        try:
            build(
                side,
                self.space,
                self.embedder,
                lambda: archive.read(self.settings.archive),
                self.is_parked,
                batch=CATCH_UP_BATCH,
                at=None,
                progress=self.working,
            )
            index_vectors(side, self.embedder, self.settings.file, self.working)
            yield side
        finally:
            side.close()
            remove(path)

    def put_in_place(self, side: apsw.Connection) -> None:
        """Swaps a built file in under a new epoch."""
        self.archive.sync()
        with self.lock:
            self.epoch = swap(side, self.connection, self.space, self.epoch)

    def working(self, _: int) -> None:
        """Keeps the lease, and lets others be kept, while something takes long."""
        self.renew_if_due()
        self.meanwhile()
