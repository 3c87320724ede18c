"""Spaces for benchmarks of recall, built without a log: nodes, edges and indexes as the writer leaves them."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import apsw
import msgspec

from mnemolog.projections.connection import load_vec
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.schema import tables
from mnemolog.schema.ids import episode_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mnemolog.projections.indexes.embedder import Embedder

BATCH = 1_000

COLUMNS = (
    "node_id, type, cell_type, content, scene, salience, session, role, speaker, source_type, occurred_at,"
    " utc_offset_min, seq, event_id, valid_from, valid_until, confidence, access_count, last_accessed, decay_rate,"
    " hidden, extractable, recorded_at, position_ms, position_seq"
)
INSERT_NODE = f"INSERT INTO nodes ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"
INSERT_CELL = """
INSERT INTO cells (node_id, subject, object, polarity, modality, basis, start, heir, untrue, pinned, cell)
VALUES (?, ?, ?, 1, 'asserted', 'first_person', ?, ?, 0, 0, '{}')
"""
INSERT_EDGE = "INSERT INTO edges VALUES (?, ?, ?, ?, NULL, 1)"
FACT_CONFIDENCE = 0.9
FACT_DECAY_RATE = 0.01
FACT_SALIENCE = 0.5


class Message(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str
    session: str
    content: str
    occurred_at: int
    seq: int
    role: str = "user"
    speaker: str | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken from messages, by their event ids; `heir` is the number of the fact that took its place."""

    content: str
    subject: str
    scene: str
    evidence: tuple[str, ...]
    heir: int | None = None


def build(path: Path, messages: list[Message], embedder: Embedder, facts: Sequence[Fact] = ()) -> None:
    """Write the file of a space in which these messages were said, and these facts taken from them."""
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
        _insert_facts(con, facts, {message.event_id: message for message in messages})
    _embed(con, embedder)
    con.close()


@contextmanager
def _transaction(con: apsw.Connection) -> Iterator[None]:
    con.execute("BEGIN IMMEDIATE")
    yield
    con.execute("COMMIT")


def _insert(con: apsw.Connection, message: Message) -> None:
    said = (None, message.content, None, 0, message.session, message.role, message.speaker)
    _insert_node(con, episode_id(message.event_id), "episodic", said, message, (None, 1, 0))


def _insert_node(
    con: apsw.Connection,
    node_id: str,
    node_type: str,
    said: tuple[str | int | float | None, ...],
    at: Message,
    validity: tuple[int | None, float, float],
) -> None:
    time = at.occurred_at
    until, confidence, rate = validity
    place = ("import", time, 0, at.seq, at.event_id, time, until, confidence, 0, time, rate, 0, 0, time, time, at.seq)
    con.execute(INSERT_NODE, (node_id, node_type, *said, *place))
    fulltext.add(con, con.last_insert_rowid(), str(said[1]), said[2] and str(said[2]), said[0] and str(said[0]))


def _insert_facts(con: apsw.Connection, facts: Sequence[Fact], messages: Mapping[str, Message]) -> None:
    latest = [max((messages[one] for one in fact.evidence), key=lambda m: (m.occurred_at, m.seq)) for fact in facts]
    for number, (fact, at) in enumerate(zip(facts, latest, strict=True)):
        node_id = f"fact-{number}"
        heir = None if fact.heir is None else f"fact-{fact.heir}"
        until = None if fact.heir is None else latest[fact.heir].occurred_at
        said = ("fact", fact.content, fact.scene, FACT_SALIENCE, at.session, None, at.speaker)
        _insert_node(con, node_id, "semantic", said, at, (until, FACT_CONFIDENCE, FACT_DECAY_RATE))
        con.execute(INSERT_CELL, (node_id, fact.subject, fact.content, at.occurred_at, heir))
        edges = [("derived_from", node_id, episode_id(one), at.occurred_at) for one in fact.evidence]
        edges += [("supersedes", heir, node_id, until)] if heir else []
        con.executemany(INSERT_EDGE, edges)


def _temporal_edges(messages: Iterable[Message]) -> Iterator[tuple[str, str, str, int]]:
    ordered = sorted(messages, key=lambda m: (m.session, m.occurred_at, m.seq, m.event_id))
    for _, session in groupby(ordered, key=lambda m: m.session):
        for earlier, later in pairwise(session):
            yield "temporal", episode_id(earlier.event_id), episode_id(later.event_id), later.occurred_at


def _embed(con: apsw.Connection, embedder: Embedder) -> None:
    while rows := vectors.missing(con, BATCH):
        numbers, texts = zip(*rows, strict=True)
        made = embedder.embed(texts)
        with _transaction(con):
            vectors.store(con, embedder.name, numbers, texts, made)
