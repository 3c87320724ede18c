"""Connections that read a space's file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np
import sqlite_vec

from mnemolog.schema.errors import SpaceNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BUSY_TIMEOUT_MS = 5_000
_CACHE_KIB = 32 * 1024
_MMAP_BYTES = 256 * 1024 * 1024


def open_reader(path: Path) -> apsw.Connection:
    """A connection to the file of a space that can read only, with sqlite-vec loaded. For one thread at a time.

    Raises SpaceNotFound when there is no file.
    """
    # Read-write with query_only, because a WAL file opened read-only needs its shared-memory file to be there.
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError as error:
        raise SpaceNotFound(f"there is no memory at {path} yet: publish something, and run `mnemolog up`") from error
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    load_vec(connection)
    connection.pragma("query_only", 1)
    connection.pragma("cache_size", -_CACHE_KIB)
    connection.pragma("mmap_size", _MMAP_BYTES)
    return connection


@contextmanager
def read_transaction(connection: apsw.Connection) -> Iterator[None]:
    """One state of the file for all that the block reads. Never for longer than that: it holds up checkpoints."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        # An error may have ended it already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def load_vec(connection: apsw.Connection) -> None:
    """Make sqlite-vec's tables and functions known to the connection."""
    connection.enable_load_extension(True)  # noqa: FBT003 (APSW takes it by position only)
    try:
        connection.load_extension(sqlite_vec.loadable_path())
    finally:
        connection.enable_load_extension(False)  # noqa: FBT003


def number_array(numbers: Sequence[int]) -> Any:
    """Make numbers of nodes a value to bind. SQLite takes no empty array, and no node has the number 0."""
    return apsw.carray(np.array(numbers or [0], np.int64))
