"""In how many nodes a term stands: asked of the full-text index, and remembered while it stays about true."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from mnemolog.projections.indexes.analysis import is_single_character

if TYPE_CHECKING:
    import apsw

    from mnemolog.projections.indexes.analysis import QueryTerms

_REMEMBERED = 50_000
#: What was counted holds until the number of nodes has changed by this share.
_DRIFT = 0.02

_COUNT = "SELECT coalesce(sum(doc), 0) FROM fulltext_terms WHERE term = ?"
_COUNT_PREFIX = "SELECT coalesce(sum(doc), 0) FROM fulltext_terms WHERE term >= ?1 AND term < ?1 || char(0x10ffff)"


class TermFrequency(NamedTuple):
    """A term of the question, the word that it comes from, and the number of nodes that hold it (about)."""

    term: str
    word: str
    documents: int


class _Count(NamedTuple):
    documents: int
    nodes: int


class FrequencyCache:
    """Frequencies by file, swap of that file, and term; the least recently asked are forgotten first."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._counts: OrderedDict[tuple[str, int, str], _Count] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def of(self, con: apsw.Connection, asked: QueryTerms, nodes: int) -> list[TermFrequency]:
        """The frequencies of the question's terms in a file that has `nodes` nodes."""
        epoch = con.execute("SELECT coalesce(max(epoch), 0) FROM lease").get
        return [
            TermFrequency(term, word, self._documents(con, (con.filename, epoch, term), nodes))
            for term, word in zip(asked.terms, asked.words, strict=True)
        ]

    def _documents(self, con: apsw.Connection, key: tuple[str, int, str], nodes: int) -> int:
        with self._lock:
            known = self._counts.get(key)
            if known is not None and abs(known.nodes - nodes) <= _DRIFT * nodes:
                self._counts.move_to_end(key)
                return known.documents
        documents = _count(con, key[2])
        with self._lock:
            self._counts[key] = _Count(documents, nodes)
            if len(self._counts) > self._size:
                self._counts.popitem(last=False)
        return documents


def _count(con: apsw.Connection, term: str) -> int:
    documents: int = con.execute(_COUNT_PREFIX if is_single_character(term) else _COUNT, (term,)).get
    return documents
