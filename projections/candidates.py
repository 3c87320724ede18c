"""The first stage of recall: which nodes may answer, and what stands around them in their sessions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import apsw
import msgspec
import numpy as np

from mnemolog.projections import vectors
from mnemolog.projections.analysis import MAX_SCORED_CHARS, is_single_character
from mnemolog.projections.ranking import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.frequencies import TermFrequency
    from mnemolog.projections.vectors import VectorIndex

FULLTEXT_CANDIDATES = 100
VECTOR_CANDIDATES = 50
#: In files with more nodes than this, frequent words are left out of the search when rarer ones are there.
SMALL = 20_000
FREQUENT = 0.05

_LIVE = (
    "(n.type = 'episodic' OR (n.valid_from <= :now AND (n.valid_until IS NULL OR :now < n.valid_until)"
    " AND (n.fades_at IS NULL OR :now < n.fades_at)))"
)
_WANTED = f"{_LIVE} AND (:types IS NULL OR n.type IN (SELECT value FROM json_each(:types)))"

_MATCHING = f"""
SELECT f.rowid FROM fulltext AS f JOIN nodes AS n ON n.number = f.rowid
WHERE f.fulltext MATCH :match AND {_WANTED} ORDER BY f.rank LIMIT :limit
"""
_WANTED_AMONG = f"SELECT n.number FROM nodes AS n WHERE n.number IN carray(:numbers) AND {_WANTED}"
_ALL_WANTED = f"SELECT n.number FROM nodes AS n WHERE {_WANTED}"
_SALIENT = f"SELECT n.number FROM nodes AS n WHERE {_WANTED} ORDER BY n.salience DESC, n.number DESC LIMIT :limit"

_READ = """
SELECT number, type, substr(content, 1, ?1), speaker, occurred_at, octet_length(content) > ?1
FROM nodes WHERE number IN carray(?2)
"""
# Both halves read the index nodes_in_session alone.
_AROUND = """
SELECT * FROM (
    SELECT o.number FROM nodes AS n JOIN nodes AS o
    WHERE n.number = ?1 AND o.session = n.session AND o.type = 'episodic' AND n.type = 'episodic'
        AND (o.occurred_at, o.seq, o.event_id) <= (n.occurred_at, n.seq, n.event_id)
    ORDER BY o.occurred_at DESC, o.seq DESC, o.event_id DESC LIMIT ?2 + 1)
UNION ALL
SELECT * FROM (
    SELECT -o.number FROM nodes AS n JOIN nodes AS o
    WHERE n.number = ?1 AND o.session = n.session AND o.type = 'episodic' AND n.type = 'episodic'
        AND (o.occurred_at, o.seq, o.event_id) > (n.occurred_at, n.seq, n.event_id)
    ORDER BY o.occurred_at, o.seq, o.event_id LIMIT ?2)
"""


class Wanted(msgspec.Struct, frozen=True):
    """Which nodes may be results: live at `now` (milliseconds), and of one of `types` unless that is None."""

    now: int
    types: tuple[str, ...] | None

    def bindings(self) -> dict[str, Any]:
        """The parameters :now and :types of the statements here."""
        return {"now": self.now, "types": None if self.types is None else msgspec.json.encode(self.types).decode()}


class Candidate(msgspec.Struct, frozen=True):
    """A node that may be a result, or stands in the session beside one that may."""

    number: int
    type: str
    turn: Turn


def by_fulltext(
    con: apsw.Connection, frequencies: Sequence[TermFrequency], nodes: int, wanted: Wanted, limit: int
) -> list[int]:
    """Numbers of wanted nodes that hold a term, best bm25 first."""
    asked = list(frequencies)
    if nodes > SMALL:
        rare = [found for found in asked if found.documents <= FREQUENT * nodes]
        asked = rare or sorted(asked, key=lambda found: found.documents)[:1]
    if not asked:
        return []
    match = " OR ".join(_quoted(found.word) for found in asked)
    rows = con.execute(_MATCHING, {"match": match, "limit": limit, **wanted.bindings()})
    return [number for (number,) in rows]


def _quoted(word: str) -> str:
    # A word holds letters, digits and marks only, so no quote; the star finds what begins with the character.
    return f'"{word}"*' if is_single_character(word) else f'"{word}"'


def by_vector(
    con: apsw.Connection, index: VectorIndex, query: NDArray[np.float32], wanted: Wanted, limit: int
) -> list[int]:
    """Numbers of wanted nodes nearest to the query, nearest first by the signs of the floats.

    Nodes that are not wanted are left out after the search, so it is asked for more until enough are wanted.
    """
    k = limit
    while k <= vectors.MAX_NEAREST:
        near = vectors.nearest(con, index, query, k)
        kept = _keep_wanted(con, near, wanted)
        if len(kept) >= limit or len(near) < k:
            return kept[:limit]
        k *= 4
    return _nearest_of_all(con, index, query, wanted, limit)


def _keep_wanted(con: apsw.Connection, numbers: list[int], wanted: Wanted) -> list[int]:
    kept = {number for (number,) in con.execute(_WANTED_AMONG, {"numbers": _carray(numbers), **wanted.bindings()})}
    return [number for number in numbers if number in kept]


def _nearest_of_all(
    con: apsw.Connection, index: VectorIndex, query: NDArray[np.float32], wanted: Wanted, limit: int
) -> list[int]:
    numbers = [number for (number,) in con.execute(_ALL_WANTED, wanted.bindings())]
    similarities = vectors.fetch(con, index, numbers) @ query
    return [numbers[place] for place in np.argsort(-similarities, kind="stable")[:limit]]


def most_salient(con: apsw.Connection, wanted: Wanted, limit: int) -> list[int]:
    """Numbers of the wanted nodes of the highest salience, newest first among equals."""
    return [number for (number,) in con.execute(_SALIENT, {"limit": limit, **wanted.bindings()})]


def read(con: apsw.Connection, numbers: Sequence[int], frequencies: Sequence[TermFrequency]) -> dict[int, Candidate]:
    """The nodes of these numbers, by number."""
    rows: Iterable[Any] = con.execute(_READ, (MAX_SCORED_CHARS, _carray(numbers)))
    found = {}
    for number, node_type, content, speaker, occurred_at, is_cut in rows:
        beyond = _terms_of_long(con, number, frequencies) if is_cut else frozenset[str]()
        found[number] = Candidate(number, node_type, Turn(content, speaker, occurred_at, beyond))
    return found


def _terms_of_long(con: apsw.Connection, number: int, frequencies: Sequence[TermFrequency]) -> frozenset[str]:
    """Which terms stand anywhere in a node that is too long to be counted in full."""
    return frozenset(
        found.term
        for found in frequencies
        if con.execute("SELECT 1 FROM fulltext WHERE fulltext MATCH ? AND rowid = ?", (_quoted(found.word), number)).get
    )


def around(con: apsw.Connection, seeds: Iterable[int], reach: int) -> list[list[int]]:
    """Stretches of sessions: node numbers in order of time, up to `reach` turns around every seed, none twice.

    A cell is a stretch of its own.
    """
    after: dict[int, int | None] = {}
    before: dict[int, int] = {}
    for seed in seeds:
        for first, second in _links(con, seed, reach):
            after[first] = second
            before[second] = first
        after.setdefault(seed, None)
    for node in before:
        after.setdefault(node, None)
    stretches = []
    for node in after:
        if node not in before:
            stretch = [node]
            while (following := after.get(stretch[-1])) is not None:
                stretch.append(following)
            stretches.append(stretch)
    return stretches


def _links(con: apsw.Connection, seed: int, reach: int) -> list[tuple[int, int]]:
    earlier, later = [], []
    for (number,) in con.execute(_AROUND, (seed, reach)):
        if number > 0:
            earlier.append(number)
        else:
            later.append(-number)
    turns = [*reversed(earlier), *later]
    return list(pairwise(turns))


def _carray(numbers: Sequence[int]) -> Any:
    return apsw.carray(np.fromiter(numbers, np.int64, len(numbers)))
