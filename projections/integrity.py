"""What a file is worth: its hashes, and whether tables, checksums, full text and vectors agree with one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apsw
import msgspec

from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.schema.checksums import Sum, combined, sum_of
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import Position
from mnemolog.schema.tables import FOLD_TABLES, FOLD_VERSION, LOCAL_COLUMNS

#: What two logs of the same story share, given the caller's ids and times: no positions, no access counts, no
#: counters taken from lines of a file, no outcome or job rows, no summaries (which cells one saw depends on when). An
#: episode's `valid_from` may be held down by the time of recording, so it stands here for cells only.
CONTENT_QUERIES = {
    "nodes": """
        SELECT node_id, type, cell_type, content, scene, salience, session, role, speaker, metadata, occurred_at,
               CASE type WHEN 'episodic' THEN NULL ELSE valid_from END, valid_until, confidence, decay_rate
        FROM nodes""",
    "edges": "SELECT kind, source, target, valid_from, valid_until, confidence FROM edges",
    "sessions": "SELECT session, messages, opened_at, newest_at FROM sessions",
    "cells": """
        SELECT node_id, subject, slot, object, polarity, modality, basis, stated_by, start, stated_end, due, heir,
               retracted, pinned
        FROM cells""",
    "pending_requests": "SELECT request_id, node_id, subject, words, state FROM pending_requests",
    "scenes": "SELECT scene, cells FROM scenes",
    "entities": "SELECT entity_id, kind, name FROM entities",
    "entity_aliases": "SELECT alias, entity_id FROM entity_aliases",
}


class Hashes(msgspec.Struct, frozen=True):
    """The hashes of a file at a position, in hexadecimal."""

    hash: str
    content_hash: str
    position: Position


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of a check of the whole file: `problems` is empty when all is well."""

    hashes: Hashes
    problems: tuple[str, ...]


def columns_of(connection: apsw.Connection, table: str) -> list[str]:
    """The columns of a fold table that are hashed, in order."""
    names = [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    return [name for name in names if name not in LOCAL_COLUMNS.get(table, ())]


def _rows(connection: apsw.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    names = ", ".join(columns_of(connection, table))
    return connection.execute(f"SELECT {names} FROM {table}")


def table_sums(connection: apsw.Connection, progress: Callable[[str], None] | None = None) -> dict[str, Sum]:
    """The checksum of every fold table, by a scan of its rows."""
    sums = {}
    for table in FOLD_TABLES:
        if progress:
            progress(table)
        sums[table] = sum_of(table, _rows(connection, table))
    return sums


def stored_sums(connection: apsw.Connection) -> dict[str, Sum]:
    """The checksums that the writer kept; a table that never had a row counts as empty."""
    kept = {
        table: Sum(rows, int.from_bytes(total, "big"))
        for table, rows, total in connection.execute("SELECT table_name, row_count, row_sum FROM checksums")
    }
    return {table: kept.get(table, Sum(0, 0)) for table in FOLD_TABLES}


def position_of(connection: apsw.Connection) -> Position:
    """How far the log is folded into this file."""
    return Position(*connection.execute("SELECT position_ms, position_seq FROM space").get)


def fast_hash(connection: apsw.Connection) -> str:
    """`hash` from the checksums that the writer kept, without a scan."""
    return combined(stored_sums(connection), FOLD_VERSION)


def content_hash(connection: apsw.Connection) -> str:
    """The hash of what does not depend on how the log came about."""
    sums = {table: sum_of(table, connection.execute(query)) for table, query in CONTENT_QUERIES.items()}
    return combined(sums, FOLD_VERSION)


def hashes(connection: apsw.Connection) -> Hashes:
    """Both hashes by a scan of the file, and the position they hold for. The caller spans it with one transaction."""
    return Hashes(
        hash=combined(table_sums(connection), FOLD_VERSION),
        content_hash=content_hash(connection),
        position=position_of(connection),
    )


def _compare(scanned: dict[str, Sum], stored: dict[str, Sum]) -> list[str]:
    problems = []
    for table in FOLD_TABLES:
        if scanned[table].rows != stored[table].rows:
            problems.append(f"table {table}: {scanned[table].rows} rows, {stored[table].rows} were written")
        elif scanned[table] != stored[table]:
            problems.append(f"table {table}: a value differs from what was written")
    return problems


def _sqlite_problems(connection: apsw.Connection) -> list[str]:
    found = [f"SQLite: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    orphans = connection.execute('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')
    return found + [f"table {table}: {count} rows point to nothing in {parent}" for table, parent, count in orphans]


_TEMPORAL = """
    SELECT node_id, next FROM (
        SELECT node_id, lead(node_id) OVER (PARTITION BY session ORDER BY occurred_at, seq, event_id) AS next
        FROM nodes WHERE type = 'episodic')
    WHERE next IS NOT NULL
"""


def _chain_problems(connection: apsw.Connection) -> list[str]:
    wrong = connection.execute(
        f"""SELECT count(*) FROM (
            SELECT * FROM (SELECT source, target FROM edges WHERE kind = 'temporal' EXCEPT {_TEMPORAL})
            UNION ALL SELECT * FROM ({_TEMPORAL} EXCEPT SELECT source, target FROM edges WHERE kind = 'temporal'))"""
    ).get
    return [f"table edges: {wrong} temporal edges are not those of the messages' order"] if wrong else []


def check_version(connection: apsw.Connection) -> None:
    """Raises DamagedFile for a file that another version of the fold wrote: its hashes say nothing to this one."""
    version = connection.execute("SELECT fold_version FROM space").get
    if version not in (None, FOLD_VERSION):
        raise DamagedFile(
            f"{connection.filename} was folded by version {version} of the fold and this is {FOLD_VERSION}: their "
            "hashes cannot be compared. The writer builds the file again when it starts, and so does `mnemolog replay`"
        )


def verify(connection: apsw.Connection, progress: Callable[[str], None] | None = None) -> Verdict:
    """Checks the whole file: SQLite, fold tables against their checksums, edges, full text and vectors against nodes.

    `progress` is told what is being looked at. Raises DamagedFile for a file of another version of the fold, and apsw
    errors for one that SQLite cannot read.
    """
    tell = progress or (lambda _: None)
    with connection:
        check_version(connection)
        tell("SQLite")
        problems = _sqlite_problems(connection)
        scanned = table_sums(connection, tell)
        problems += _compare(scanned, stored_sums(connection))
        tell("content")
        found = Hashes(
            hash=combined(scanned, FOLD_VERSION),
            content_hash=content_hash(connection),
            position=position_of(connection),
        )
        problems += _chain_problems(connection)
        tell("full text")
        problems += fulltext.check(connection)
        tell("vectors")
        problems += vectors.check(connection)
    return Verdict(found, tuple(problems))
