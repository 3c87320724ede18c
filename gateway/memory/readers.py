"""Connections that read one space's file, kept open from one question to the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from mnemolog.projections.connection import open_reader
from mnemolog.schema.errors import DamagedFile, InvalidContent, SpaceNotFound

#: So many questions are answered at once, the next one waits.
MOST_READERS = 4

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)


class _Reader(NamedTuple):
    """A connection, and the file that was at the path when it was opened."""

    connection: apsw.Connection
    file: tuple[int, int]


class Readers:
    """A few connections, each lent to one thread at a time. Thread-safe; after `close` it opens new ones.

    One whose file was deleted, or has another in its place, is closed instead of lent. A rebuild swaps inside the
    file, and needs no other connection.
    """

    def __init__(self, path: Path, most: int = MOST_READERS) -> None:
        self._path = path
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[_Reader] = []

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection for the block. Raises SpaceNotFound, also while a writer is about to fill it; DamagedFile."""
        with self._places:
            reader = self._taken()
            try:
                yield reader.connection
            except BaseException as error:
                # One that failed may be in any state: the next question gets another.
                reader.connection.close()
                _translate(error)
                raise
            with self._lock:
                self._idle.append(reader)

    def close(self) -> None:
        """Closes the connections that nobody uses now."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.connection.close()

    def _taken(self) -> _Reader:
        file = self._file()
        with self._lock:
            stale = [reader for reader in self._idle if reader.file != file]
            self._idle = [reader for reader in self._idle if reader.file == file]
            found = self._idle.pop() if self._idle else None
        for reader in stale:
            reader.connection.close()
        return found or self._opened(file)

    def _file(self) -> tuple[int, int]:
        """Which file is at the path; (0, 0) where none is."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_dev, found.st_ino

    def _opened(self, file: tuple[int, int]) -> _Reader:
        try:
            connection = open_reader(self._path)
        except _DAMAGE as error:
            _translate(error)
            raise
        try:
            self._check(connection)
        except BaseException as error:
            connection.close()
            _translate(error)
            raise
        return _Reader(connection, file)

    def _check(self, connection: apsw.Connection) -> None:
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get:
            raise SpaceNotFound(f"the file {self._path} is empty: nothing has been folded into it yet")


def _translate(error: BaseException) -> None:
    """Raises the error of ours that says what is wrong with the file, or with a text that was asked about, if any."""
    if isinstance(error, _DAMAGE):
        raise DamagedFile(f"the space's file is damaged ({error}): build it again with `mnemolog replay`") from error
    if isinstance(error, UnicodeEncodeError):
        raise InvalidContent(f"a text has a lone surrogate (half of a character) at {error.start}") from error
