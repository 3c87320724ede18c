"""The thread beside the writer: keeps vectors, moves the write-ahead log into the file, seals full archive segments."""

from __future__ import annotations

import logging
import threading
import time

import apsw

from mnemolog.projections import vectors
from mnemolog.projections.embedder import Embedder
from mnemolog.schema import archive
from mnemolog.schema.errors import MnemologError
from mnemolog.workers import lease
from mnemolog.workers.space_file import immediate, open_for_writing
from mnemolog.workers.space_writer import SpaceWriter

log = logging.getLogger("mnemolog.housekeeper")

VECTOR_BATCH = 128
WAL_BYTES = 4 * 1024 * 1024
PAUSE_S = 0.5
RETRY_S = 5.0


class SpaceKeeper:
    """Keeps one space's house, over a connection of its own; every transaction checks the writer's epoch."""

    def __init__(self, writer: SpaceWriter) -> None:
        self._writer = writer
        self._connection = open_for_writing(writer.settings.file)
        self._wal = writer.settings.file.with_name(writer.settings.file.name + "-wal")
        self._checkpointed_bytes = -1

    def index_some(self, embedder: Embedder) -> bool:
        """Gives up to VECTOR_BATCH nodes their vectors; whether there were any. Raises StaleWriter."""
        missing = vectors.missing(self._connection, VECTOR_BATCH)
        if not missing:
            return False
        texts = [text for _, text in missing]
        # Embedded before the transaction: no one waits for a model.
        made = embedder.embed(texts)
        with self._writer.lock, immediate(self._connection):
            lease.check(self._connection, self._writer.space, self._writer.epoch)
            vectors.fit(self._connection, embedder.name, made.shape[1])
            vectors.store(self._connection, embedder.name, [number for number, _ in missing], texts, made)
        return True

    def tidy(self, *, idle: bool) -> None:
        """Moves the write-ahead log into the file when it is large or nothing else is to do, and seals segments."""
        size = self._wal.stat().st_size if self._wal.exists() else 0
        if size > WAL_BYTES or (idle and size not in (0, self._checkpointed_bytes)):
            # The archive first: the file must never be durably ahead of the log.
            self._writer.archive.sync()
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._checkpointed_bytes = size
        self._tidy_archive()

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
        self._writer.archive.sync()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()


class Housekeeper:
    """One thread for all spaces of a process. `start`, then `wake` after something was folded, then `stop`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._keepers: dict[str, SpaceKeeper] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def add(self, writer: SpaceWriter) -> None:
        """Begins to keep a space that this process holds."""
        with self._lock:
            self._keepers[writer.space] = SpaceKeeper(writer)

    def remove(self, space: str) -> None:
        """Ceases to keep a space: its write-ahead log is moved into the file."""
        with self._lock:
            keeper = self._keepers.pop(space, None)
            self._failed.pop(space, None)
            if keeper is not None:
                keeper.close()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Says that there may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Stops the thread after the batch it is at."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(PAUSE_S)
            idle = not self._wake.is_set()
            self._wake.clear()
            with self._lock:
                spaces = list(self._keepers)
            busy = [space for space in spaces if not self._stop.is_set() and self._keep(space, idle=idle)]
            if busy:
                self._wake.set()

    def _keep(self, space: str, *, idle: bool) -> bool:
        """One turn for one space; whether there is more. What fails is logged once and tried again later."""
        with self._lock:
            keeper = self._keepers.get(space)
            failed = self._failed.get(space)
            if keeper is None or (failed and time.monotonic() < failed[0]):
                return False
            try:
                more = keeper.index_some(self._embedder)
                keeper.tidy(idle=idle and not more)
            except (MnemologError, apsw.Error, OSError) as error:
                if failed is None or failed[1] != str(error):
                    log.warning("space %s: %s", space, error)
                self._failed[space] = (time.monotonic() + RETRY_S, str(error))
                return False
            self._failed.pop(space, None)
            return more
