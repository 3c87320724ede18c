"""The signs of all vectors of a file, held in memory and compared with a question's by counting differing bits.

sqlite-vec stores them, in chunks of rows that only grow at the end; numpy counts faster than its search does, and
more so the more neighbours are asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.indexes.vectors import VectorIndex

_MOST_FILES = 16
#: So many rows are compared at a time, that what is between stays in the processor's cache.
_BLOCK = 16_384

_CHUNKS = """
SELECT c.chunk_id, c.validity, c.rowids, v.vectors FROM {bits}_chunks AS c
JOIN {bits}_vector_chunks00 AS v ON v.rowid = c.chunk_id WHERE c.chunk_id >= ? ORDER BY c.chunk_id
"""


class Signs:
    """The numbers of nodes and the signs of their vectors, 8 bytes a word."""

    def __init__(self, dimension: int) -> None:
        self._bytes = dimension // 8
        self._words = -(-self._bytes // 8)
        self._numbers = np.zeros(512, np.int64)
        self._bits = np.zeros((512, self._words), np.uint64)
        self._full = 0
        self._last_chunk = 0
        self._lock = threading.Lock()

    def read(self, con: apsw.Connection, index: VectorIndex) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The numbers and the bits of all rows that the connection sees, and maybe of later ones."""
        with self._lock:
            count = self._full
            for chunk, validity, numbers, bits in con.execute(index.sql(_CHUNKS), (self._last_chunk,)):
                self._full, self._last_chunk = count, chunk
                count = self._append(count, validity, numbers, bits)
            return self._numbers[:count], self._bits[:count]

    def _append(self, count: int, validity: bytes, numbers: bytes, bits: bytes) -> int:
        valid = np.flatnonzero(np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little"))
        end = count + len(valid)
        if end > len(self._numbers):
            more = max(end, 2 * len(self._numbers)) - len(self._numbers)
            self._numbers = np.concatenate([self._numbers, np.zeros(more, np.int64)])
            self._bits = np.concatenate([self._bits, np.zeros((more, self._words), np.uint64)])
        self._numbers[count:end] = np.frombuffer(numbers, np.int64)[valid]
        rows = np.frombuffer(bits, np.uint8).reshape(-1, self._bytes)[valid]
        self._bits[count:end].view(np.uint8).reshape(len(valid), -1)[:, : self._bytes] = rows
        return end


class Nearest:
    """Nodes in order of how many signs differ from a question's, those of lower numbers first among equals."""

    def __init__(self, numbers: NDArray[np.int64], bits: NDArray[np.uint64], signs: bytes) -> None:
        self._numbers = numbers
        padded = np.zeros(8 * bits.shape[1], np.uint8)
        padded[: len(signs)] = np.frombuffer(signs, np.uint8)
        asked = padded.view(np.uint64)
        self._distances = np.zeros(len(numbers), np.int64)
        for start in range(0, len(numbers), _BLOCK):
            block = bits[start : start + _BLOCK] ^ asked
            self._distances[start : start + _BLOCK] = np.bitwise_count(block).sum(axis=1, dtype=np.int64)
        # One key sorts by distance, then by number.
        self._distances *= 2**40
        self._distances += numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def first(self, count: int) -> list[int]:
        """The numbers of the nearest `count` nodes, nearest first."""
        if count < len(self._numbers):
            rows = np.argpartition(self._distances, count)[:count]
            rows = rows[np.argsort(self._distances[rows])]
        else:
            rows = np.argsort(self._distances)
        found: list[int] = self._numbers[rows].tolist()
        return found


_files: OrderedDict[tuple[Any, ...], Signs] = OrderedDict()
_lock = threading.Lock()


def signs_of(con: apsw.Connection, index: VectorIndex) -> Signs:
    """What is remembered of a file; a swap of the file or of its index begins anew."""
    epoch = con.execute("SELECT coalesce(max(epoch), 0) FROM lease").get
    key = (*_file_of(con), epoch, index.generation, index.dimension)
    with _lock:
        known = _files.get(key)
        if known is None:
            known = _files[key] = Signs(index.dimension)
            if len(_files) > _MOST_FILES:
                _files.popitem(last=False)
        _files.move_to_end(key)
        return known


def _file_of(con: apsw.Connection) -> tuple[str | int, int]:
    """What tells a connection's file from others; one that was renamed since it was opened has a name of its own."""
    if not con.filename:
        return id(con), 0
    try:
        return con.filename, Path(con.filename).stat().st_ino
    except FileNotFoundError:
        return con.filename, 0
