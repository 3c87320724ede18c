"""A spool: a bounded file of events that could not be appended yet, in order, which survives a crash.

The file begins with a line that says how far it is drained; then comes a line for each event, a checksum before it. It
is touched only under the lock file beside it, and opened anew each time, so that any number of processes may share it;
a second lock file is held by whoever drains it. Where the file is empty nothing waits.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from pathlib import Path

import msgspec

from mnemolog.schema.errors import DamagedFile, InvalidInput, LogUnavailable, SpoolFull
from mnemolog.schema.ids import check_space

log = logging.getLogger("mnemolog.spool")

DEFAULT_SPOOL_BYTES = 64 * 1024 * 1024
#: How much is sent to Redis at a time.
CHUNK_EVENTS = 500
CHUNK_BYTES = 4 * 1024 * 1024

_MAGIC = b"mnemolog-spool-1 "
_DIGITS = 14
_HEADER_BYTES = len(_MAGIC) + _DIGITS + 1
_CHECKSUM_BYTES = 9  # eight hexadecimal digits and a space
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Waiting(msgspec.Struct, frozen=True):
    """What waits in a spool: events, the bytes of their lines, and how many bytes there may be."""

    events: int
    bytes: int
    most_bytes: int


class Spool:
    """The spool of one space in `folder`, which is made when first needed, for its owner alone.

    Raises InvalidInput for a folder that belongs to others or that others may write to, InvalidSpaceName, and OSError
    for one that cannot be made.
    """

    def __init__(self, folder: Path, space: str, most_bytes: int = DEFAULT_SPOOL_BYTES) -> None:
        if most_bytes < 1:
            raise InvalidInput(f"a spool has room for 1 byte or more, not {most_bytes}")
        name = check_space(space)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        self.path = folder / f"{name}.spool"
        self.damaged = folder / f"{name}.damaged"
        self.most_bytes = most_bytes
        self._lock = folder / f"{name}.lock"
        self._drain_lock = folder / f"{name}.draining"

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def append(self, bodies: Sequence[bytes]) -> None:
        """Adds encoded events behind those that wait; all or none. They are on the disk when this returns.

        Raises SpoolFull where there is no room for them, LogUnavailable when the disk does not take them, DamagedFile
        for a file that is no spool.
        """
        lines = b"".join(map(_line, bodies))
        with self._opened() as file:
            if file.waiting + len(lines) > self.most_bytes:
                raise SpoolFull(
                    f"the spool {self.path} has {file.waiting:,} of {self.most_bytes:,} bytes and no room for "
                    f"{len(lines):,} more; nothing of them was kept. It drains when Redis takes events again"
                )
            try:
                file.append(lines)
            except OSError as error:
                raise LogUnavailable(
                    f"Redis takes no events, and the spool {self.path} cannot be written: {error.strerror}. Nothing of "
                    "them was kept"
                ) from error

    def waiting(self) -> Waiting:
        """What waits. Raises DamagedFile."""
        with self._opened() as file:
            events = sum(1 for _ in file.lines(file.waiting))
            return Waiting(events, file.waiting, self.most_bytes)

    def drain(self, send: Callable[[Sequence[bytes]], object], *, wait: bool = False) -> int | None:
        """Hands all that waits to `send`, in order, and takes away what it has taken; gives how many events.

        None where another process is draining, unless it is to `wait` for that. What `send` raises ends it, and what
        was not taken stays: of that, a beginning may be sent again. Raises DamagedFile.
        """
        with _locked(self._drain_lock, wait=wait) as mine:
            if not mine:
                return None
            sent = 0
            while lines := self._first():
                send([line[_CHECKSUM_BYTES:-1] for line in lines])
                sent += len(lines)
                with self._opened() as file:
                    file.take(sum(map(len, lines)))
            return sent

    def discard(self, unwanted: Callable[[bytes], bool]) -> int:
        """Takes the waiting events away that are `unwanted`, unpublished, and gives how many.

        Nothing of them is left in the files, and nothing of damaged lines. Raises DamagedFile, and OSError where the
        disk does not take what is left.
        """
        with _locked(self._drain_lock, wait=True):
            self.damaged.unlink(missing_ok=True)
            if self.is_empty():
                self.path.with_suffix(".new").unlink(missing_ok=True)
                return 0
            with self._opened() as file:
                lines = list(file.lines(file.waiting))
                whole = [line for line in lines if _is_whole(line)]
                kept = [line for line in whole if not unwanted(line[_CHECKSUM_BYTES:-1])]
                # Also where all are kept: what was published already stands before them.
                file.hold(b"".join(kept))
                return len(whole) - len(kept)

    def _first(self) -> list[bytes]:
        """The first lines that wait, some of them; none where nothing waits. Damaged ones are set aside."""
        with self._opened() as file:
            while file.waiting:
                good = list(islice(takewhile(_is_whole, file.lines(CHUNK_BYTES)), CHUNK_EVENTS))
                if good:
                    return good
                line = next(file.lines(1))
                self._set_aside(line)
                file.take(len(line))
        return []

    def _set_aside(self, line: bytes) -> None:
        log.warning("a line of the spool %s is damaged: it is kept in %s and not published", self.path, self.damaged)
        with os.fdopen(os.open(self.damaged, _FLAGS | os.O_APPEND, 0o600), "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _opened(self) -> Iterator[_File]:
        with _locked(self._lock, wait=True):
            descriptor = os.open(self.path, _FLAGS, 0o600)
            try:
                yield _File(descriptor, self.path)
            finally:
                os.close(descriptor)


class _File:
    """The open file, under its lock. `waiting` is how many bytes are not drained."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._file = descriptor
        self._path = path
        self._size = os.fstat(descriptor).st_size
        if self._size < _HEADER_BYTES:
            self._cut(0)
        self._start = self._drained_to() if self._size else _HEADER_BYTES
        self._drop_torn_line()

    @property
    def waiting(self) -> int:
        return self._size - self._start if self._size else 0

    def _drained_to(self) -> int:
        header = os.pread(self._file, _HEADER_BYTES, 0)
        digits = header[len(_MAGIC) : -1]
        if not header.startswith(_MAGIC) or not digits.isdigit() or not header.endswith(b"\n"):
            raise DamagedFile(f"{self._path} is not a spool; move it away, and what it holds is not published")
        start = int(digits)
        # Sent again from the beginning, every event counts once.
        return start if _HEADER_BYTES <= start <= self._size else _HEADER_BYTES

    def _drop_torn_line(self) -> None:
        """Cuts what was being written when a process died: it was never acknowledged."""
        end = self._size
        while end > self._start:
            begin = max(self._start, end - 65_536)
            newline = os.pread(self._file, end - begin, begin).rfind(b"\n")
            if newline >= 0:
                end = begin + newline + 1
                break
            end = begin
        if end < self._size or end == self._start:
            self._cut(end if end > self._start else 0)

    def append(self, lines: bytes) -> None:
        """Writes lines at the end, and has them on the disk. Leaves the file as it was when that fails."""
        before = self._size
        if self._start - _HEADER_BYTES > self.waiting:
            self.hold(os.pread(self._file, self.waiting, self._start))
            before = self._size
        written = lines if before else _header(_HEADER_BYTES) + lines
        try:
            _write(self._file, written, before)
            os.fsync(self._file)
            if not before:
                _sync_folder(self._path.parent)
        except OSError:
            os.ftruncate(self._file, before)
            raise
        self._size = before + len(written)

    def hold(self, lines: bytes) -> None:
        """Puts a file with these lines alone in the place of this one."""
        beside = self._path.with_suffix(".new")
        content = _header(_HEADER_BYTES) + lines if lines else b""
        descriptor = os.open(beside, _FLAGS | os.O_TRUNC, 0o600)
        try:
            _write(descriptor, content, 0)
            os.fsync(descriptor)
            beside.replace(self._path)
            os.dup2(descriptor, self._file, inheritable=False)
        finally:
            os.close(descriptor)
        _sync_folder(self._path.parent)
        self._start, self._size = _HEADER_BYTES, len(content)

    def lines(self, most: int) -> Iterator[bytes]:
        """The lines that wait, about `most` bytes of them and one at least."""
        position, end = self._start, self._start + min(self.waiting, most)
        rest = b""
        while position < end or (rest and position < self._size):
            piece = os.pread(self._file, 1 << 20, position)
            position += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line + b"\n"
            if whole and position >= end:
                return

    def take(self, count: int) -> None:
        """Marks the first `count` waiting bytes as drained; a file in which nothing waits is emptied."""
        self._start += count
        if self._start >= self._size:
            self._cut(0)
        else:
            _write(self._file, _header(self._start), 0)

    def _cut(self, size: int) -> None:
        os.ftruncate(self._file, size)
        self._size = size
        if not size:
            self._start = _HEADER_BYTES


def _header(start: int) -> bytes:
    return _MAGIC + b"%0*d\n" % (_DIGITS, start)


def _line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _is_whole(line: bytes) -> bool:
    return line == _line(line[_CHECKSUM_BYTES:-1])


def _write(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds a lock file; yields whether it does."""
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _check_private(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & _WRITABLE_BY_OTHERS:
        raise InvalidInput(f"the spool folder {folder} can be written by others: make it yours alone (chmod 700)")
