"""The file of a space as its writer sees it: opening, creating, and the transactions that change it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from mnemolog.projections.connection import load_vec
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import tables
from mnemolog.schema.errors import DamagedFile, EngineError, MnemologError

log = logging.getLogger("mnemolog.writer")

BUSY_TIMEOUT_MS = 10_000
CACHE_KIB = 32 * 1024

#: What SQLite says of a file that is no longer a database, or not a whole one.
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.SchemaChangeError)


def open_for_writing(path: Path) -> apsw.Connection:
    """A connection that may write: WAL, foreign keys, deleted text overwritten, no checkpoints by itself."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    _use_wal(connection)
    for name, value in (
        ("synchronous", "NORMAL"),
        ("foreign_keys", "ON"),
        ("secure_delete", "ON"),
        ("wal_autocheckpoint", "0"),
        ("cache_size", f"-{CACHE_KIB}"),
        ("temp_store", "MEMORY"),
    ):
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    load_vec(connection)
    return connection


def _use_wal(connection: apsw.Connection) -> None:
    """SQLite does not wait when several turn a new file to WAL at once, as each would wait for the others."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except apsw.BusyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


def refusal(space: str, path: Path, error: Exception) -> MnemologError:
    """What to tell of an error of SQLite or the disk that a space cannot go on with."""
    if isinstance(error, DAMAGE):
        return DamagedFile(
            f"space {space!r}: {path} is damaged ({error}). Build it again from its log: "
            f"mnemolog --space {space} replay"
        )
    return MnemologError(f"space {space!r} cannot be written in {path.parent}: {type(error).__name__}: {error}")


@contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """One BEGIN IMMEDIATE transaction: committed at the end, rolled back when an error leaves the block."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite rolls some errors back by itself (a full disk); asking again would hide the first error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create_tables(connection: apsw.Connection, embedder: Embedder) -> None:
    """Creates all tables and indexes of an empty file, inside the caller's transaction."""
    connection.execute(tables.definitions())
    connection.execute("INSERT INTO space VALUES (1, '', '', ?, 0, 0, x'')", (tables.FOLD_VERSION,))
    connection.execute("INSERT INTO lease VALUES (1, 0, '', 0, 0, 0)")
    fulltext.create(connection)
    try:
        dimension = embedder.dimension
    except EngineError as error:
        log.warning("vectors are late: %s", error)
        vectors.create_unknown(connection)
    else:
        vectors.create(connection, embedder.name, dimension)


def has_tables(connection: apsw.Connection) -> bool:
    """Whether the file has been given its tables."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get)


def fold_version(connection: apsw.Connection) -> int:
    """The fold version that wrote the file."""
    return int(connection.execute("SELECT fold_version FROM space").get)
