"""Spaces for benchmarks of recall, built without a log: nodes, edges and indexes as the writer leaves them."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import apsw
import msgspec

from mnemolog.projections import fulltext, vectors
from mnemolog.projections.connection import load_vec
from mnemolog.schema import tables
from mnemolog.schema.ids import episode_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mnemolog.projections.embedder import Embedder

BATCH = 1_000

INSERT_NODE = """
INSERT INTO nodes (node_id, type, content, salience, session, role, speaker, source_type, occurred_at, utc_offset_min,
    seq, event_id, valid_from, confidence, access_count, last_accessed, decay_rate, recorded_at, position_ms,
    position_seq)
VALUES (?1, 'episodic', ?2, 0, ?3, ?4, ?5, 'import', ?6, 0, ?7, ?8, ?6, 1, 0, ?6, 0, ?6, ?6, ?7)
"""
INSERT_EDGE = "INSERT INTO edges VALUES ('temporal', ?, ?, ?, NULL, 1)"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str
    session: str
    content: str
    occurred_at: int
    seq: int
    role: str = "user"
    speaker: str | None = None


def build(path: Path, messages: list[Message], embedder: Embedder) -> None:
    """Write the file of a space in which these messages were said."""
    con = apsw.Connection(str(path))
    load_vec(con)
    con.pragma("journal_mode", "wal")
    con.pragma("synchronous", "off")
    con.execute(tables.definitions())
    fulltext.create(con)
    vectors.create(con, embedder.name, embedder.dimension)
    for start in range(0, len(messages), BATCH):
        with _transaction(con):
            for message in messages[start : start + BATCH]:
                _insert(con, message)
    with _transaction(con):
        con.executemany(INSERT_EDGE, _temporal_edges(messages))
    _embed(con, embedder)
    con.close()


@contextmanager
def _transaction(con: apsw.Connection) -> Iterator[None]:
    con.execute("BEGIN IMMEDIATE")
    yield
    con.execute("COMMIT")


def _insert(con: apsw.Connection, message: Message) -> None:
    row = (
        episode_id(message.event_id),
        message.content,
        message.session,
        message.role,
        message.speaker,
        message.occurred_at,
        message.seq,
        message.event_id,
    )
    con.execute(INSERT_NODE, row)
    fulltext.add(con, con.last_insert_rowid(), message.content, None, None)


def _temporal_edges(messages: Iterable[Message]) -> Iterator[tuple[str, str, int]]:
    ordered = sorted(messages, key=lambda m: (m.session, m.occurred_at, m.seq, m.event_id))
    for _, session in groupby(ordered, key=lambda m: m.session):
        for earlier, later in pairwise(session):
            yield episode_id(earlier.event_id), episode_id(later.event_id), later.occurred_at


def _embed(con: apsw.Connection, embedder: Embedder) -> None:
    while rows := vectors.missing(con, BATCH):
        numbers, texts = zip(*rows, strict=True)
        made = embedder.embed(texts)
        with _transaction(con):
            vectors.store(con, embedder.name, numbers, texts, made)
