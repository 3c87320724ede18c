"""A space's file made by hand, and an embedder that needs no weights."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw
import numpy as np
import pytest

from mnemolog.projections.connection import load_vec, open_reader
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder, unit_rows
from mnemolog.projections.recall import recall
from mnemolog.schema import tables
from mnemolog.schema.ids import episode_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MINUTE = 60_000
DAY = 86_400_000
START = 1_772_000_000_000  # 2026-02-25

INSERT = """INSERT INTO nodes (node_id, type, cell_type, content, scene, salience, session, role, speaker, source_type,
    occurred_at, utc_offset_min, seq, event_id, valid_from, valid_until, confidence, access_count, last_accessed,
    decay_rate, fades_at, hidden, extractable, recorded_at, position_ms, position_seq)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'chat', ?, 0, ?, ?, ?, ?, 0.9, 0, 0, 0.02, ?, 0, 0, ?, ?, 0)"""


class WordHashes:
    """The in-memory twin of the embedders: every word is a fixed random vector, a text is their mean."""

    def __init__(self, name: str = "word-hashes", dimension: int = 64) -> None:
        self.name = name
        self.dimension = dimension

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                rows[row] += self._word(word)
        return unit_rows(rows)

    def _word(self, word: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.blake2b(f"{self.name} {word}".encode("utf-8", "replace"), digest_size=8).digest())
        return np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)


class Memory:
    """A space's file with helpers that add nodes as the fold does."""

    START = START
    DAY = DAY

    def __init__(self, path: Path, embedder: WordHashes) -> None:
        self.path = path
        self.embedder = embedder
        self.con = apsw.Connection(str(path))
        load_vec(self.con)
        self.con.pragma("journal_mode", "wal")
        self.con.pragma("secure_delete", 1)
        self.con.execute(tables.definitions())
        fulltext.create(self.con)
        vectors.create(self.con, embedder.name, embedder.dimension)
        self._minute = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.con.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def say(self, content, *, session="s1", role="user", speaker="Ada", at=None, event_id=None, seq=0):
        self._minute += 1
        occurred_at = START + self._minute * MINUTE if at is None else at
        event_id = event_id or f"e{self._minute}"
        with self.transaction():
            self._insert(
                (episode_id(event_id), "episodic", None, content, None, 0.0, session, role, speaker, occurred_at, seq,
                 event_id, occurred_at, None, None, occurred_at, occurred_at)
            )  # fmt: skip
        return event_id

    def cell(
        self, content, *, evidence=(), node_type="semantic", cell_type="fact", scene="life", salience=0.5,
        valid_from=START, valid_until=None, fades_at=None,
    ):  # fmt: skip
        self._minute += 1
        event_id = f"e{self._minute}"
        node_id = f"cell-{self._minute}"
        with self.transaction():
            self._insert(
                (node_id, node_type, cell_type, content, scene, salience, None, None, "Ada", valid_from, 0, event_id,
                 valid_from, valid_until, fades_at, valid_from, valid_from)
            )  # fmt: skip
            for message in evidence:
                self.con.execute(
                    "INSERT INTO edges VALUES ('derived_from', ?, ?, ?, NULL, 1.0)",
                    (node_id, episode_id(message), valid_from),
                )
        return node_id

    def _insert(self, row) -> None:
        self.con.execute(INSERT, row)
        fulltext.add(self.con, self.con.last_insert_rowid(), row[3], row[4], row[2])

    def recall(self, query, **options):
        options.setdefault("now", self.START + 1000 * self.DAY)
        reader = open_reader(self.path)
        try:
            return recall(reader, query, embedder=self.embedder, **options)
        finally:
            reader.close()

    def found(self, query, **options) -> list[str]:
        return [result.content for result in self.recall(query, **options)]

    def embed(self, limit=1000) -> None:
        while rows := vectors.missing(self.con, limit):
            numbers, texts = zip(*rows, strict=True)
            made = self.embedder.embed(texts)
            with self.transaction():
                vectors.store(self.con, self.embedder.name, numbers, texts, made)


WORDLLAMA = WordLlamaEmbedder()


@pytest.fixture
def wordllama() -> WordLlamaEmbedder:
    return WORDLLAMA


@pytest.fixture
def embedder() -> WordHashes:
    return WordHashes()


@pytest.fixture
def memory(tmp_path: Path, embedder: WordHashes) -> Iterator[Memory]:
    made = Memory(tmp_path / "space.db", embedder)
    yield made
    made.con.close()


@pytest.fixture
def other_embedder() -> WordHashes:
    return WordHashes("other-hashes", 32)
