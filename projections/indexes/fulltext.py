"""The full-text index: one FTS5 row a node, written in the transaction that writes the node."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from mnemolog.projections.indexes.analysis import TOKENIZER, index_text, indexed_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

_REBUILD_BATCH = 2_000
_PROBLEMS_SHOWN = 20
_MAX_NUMBER = 2**63 - 1
#: FTS5 cuts longer ones.
_MAX_TERM_BYTES = 32_768

_CREATE = """
CREATE VIRTUAL TABLE {table} USING fts5(content, scene, cell_type, tokenize = '{tokenizer}');
INSERT INTO {table} ({table}, rank) VALUES ('secure-delete', 1);
"""
_CREATE_TERMS = "CREATE VIRTUAL TABLE fulltext_terms USING fts5vocab(fulltext, row)"
_INSERT = "INSERT INTO {table} (rowid, content, scene, cell_type) VALUES (?, ?, ?, ?)"
_ADD = _INSERT.format(table="fulltext")
_ADD_NEXT = _INSERT.format(table="fulltext_next")


class _Row(NamedTuple):
    number: int
    content: str
    scene: str | None
    cell_type: str | None


def create(con: apsw.Connection) -> None:
    """Create the empty index in a new file, and the table of its terms that recall reads frequencies from."""
    con.execute(_CREATE.format(table="fulltext", tokenizer=TOKENIZER))
    con.execute(_CREATE_TERMS)


def add(con: apsw.Connection, number: int, content: str, scene: str | None, cell_type: str | None) -> None:
    """Index a node. The caller's transaction must also hold the node's row."""
    con.execute(_ADD, (number, index_text(content), scene, cell_type))


def remove(con: apsw.Connection, number: int) -> None:
    """Take a node out of the index; its text does not stay in the file where `secure_delete` is on."""
    con.execute("DELETE FROM fulltext WHERE rowid = ?", (number,))


def check(con: apsw.Connection) -> list[str]:
    """What is wrong with the index, compared with the nodes; empty when nothing is. Reads only."""
    problems = [
        f"full text: {message}"
        for (message,) in con.execute("SELECT * FROM pragma_integrity_check('fulltext')")
        if message != "ok"
    ]
    # A row that cannot be read ends the search for others.
    try:
        problems += islice(_wrong_rows(con), _PROBLEMS_SHOWN)
        problems += islice(_wrong_terms(con), _PROBLEMS_SHOWN)
    except apsw.CorruptError as error:
        problems.append(f"full text: {error}")
    return problems


def _wrong_rows(con: apsw.Connection) -> Iterator[str]:
    rows: Iterable[Any] = con.execute(
        "SELECT n.number, n.content, n.scene, n.cell_type, f.rowid, f.content, f.scene, f.cell_type"
        " FROM nodes AS n LEFT JOIN fulltext AS f ON f.rowid = n.number ORDER BY n.number"
    )
    for number, content, scene, cell_type, row, *indexed in rows:
        if row is None:
            yield f"full text: node {number} has no row"
        elif indexed != [index_text(content), scene, cell_type]:
            yield f"full text: the row of node {number} is not what the node says"
    for (number,) in con.execute("SELECT rowid FROM fulltext WHERE rowid NOT IN (SELECT number FROM nodes)"):
        yield f"full text: row {number} belongs to no node"


def _wrong_terms(con: apsw.Connection) -> Iterator[str]:
    """Count every term again: FTS5's own check adds by XOR, so that one change made in two rows cancels out."""
    counted: Counter[bytes] = Counter()
    for row in con.execute("SELECT content, scene, cell_type FROM fulltext"):
        for text in row:
            if text:
                counted.update(term.encode()[:_MAX_TERM_BYTES] for term in indexed_terms(str(text)))
    indexed: Iterable[Any] = con.execute("SELECT CAST(term AS BLOB), cnt FROM fulltext_terms")
    for found, count in indexed:
        # An accent that stands alone leaves an empty word, which fts5vocab tells as NULL.
        term = found or b""
        if counted.pop(term, 0) != count:
            yield f"full text: the index does not have {term.decode(errors='replace')!r} where the rows have it"
    for term in counted:
        yield f"full text: the index has lost {term.decode(errors='replace')!r}"


def rebuild(
    con: apsw.Connection,
    transaction: Callable[[], AbstractContextManager[object]],
    progress: Callable[[int, int], None],
) -> None:
    """Build the index anew beside the old one and swap them; who searches meanwhile finds the old one.

    `transaction()` is entered once a batch; `progress` is called with (nodes indexed, nodes in all).
    """
    total, newest = con.execute("SELECT count(*), max(number) FROM nodes").get
    with transaction():
        con.execute("DROP TABLE IF EXISTS fulltext_next")
        con.execute(_CREATE.format(table="fulltext_next", tokenizer=TOKENIZER))
    done = last = 0
    while rows := _batch(con, last, newest):
        with transaction():
            _add_next(con, rows)
        last = rows[-1].number
        done += len(rows)
        progress(done, total)
    with transaction():
        _catch_up(con, last)
        con.execute("DROP TABLE fulltext")
        con.execute("ALTER TABLE fulltext_next RENAME TO fulltext")


def _batch(con: apsw.Connection, after: int, up_to: int | None) -> list[_Row]:
    rows = con.execute(
        "SELECT number, content, scene, cell_type FROM nodes WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
        (after, up_to, _REBUILD_BATCH),
    )
    return [_Row(*row) for row in rows]


def _add_next(con: apsw.Connection, rows: list[_Row]) -> None:
    con.executemany(_ADD_NEXT, ((row.number, index_text(row.content), row.scene, row.cell_type) for row in rows))


def _catch_up(con: apsw.Connection, last: int) -> None:
    """Follow what changed since the batches were read: new nodes, removed ones, and cells whose scene changed."""
    while rows := _batch(con, last, _MAX_NUMBER):
        _add_next(con, rows)
        last = rows[-1].number
    con.execute("DELETE FROM fulltext_next WHERE rowid NOT IN (SELECT number FROM nodes)")
    moved = con.execute(
        "SELECT n.number, n.scene FROM nodes AS n JOIN fulltext_next AS f ON f.rowid = n.number"
        " WHERE n.type <> 'episodic' AND n.scene IS NOT f.scene"
    ).fetchall()
    con.executemany("UPDATE fulltext_next SET scene = ?2 WHERE rowid = ?1", moved)
