"""The first stage of recall: which nodes may answer, and what stands around them in their sessions."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mnemolog.projections.connection import number_array
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.analysis import MAX_SCORED_CHARS, is_single_character
from mnemolog.projections.search.filters import NO_CONDITION, Condition
from mnemolog.projections.search.ranking import Turn
from mnemolog.schema.decay import EXPONENT, FLOOR
from mnemolog.schema.times import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.indexes.frequencies import TermFrequency
    from mnemolog.projections.indexes.signs import Nearest
    from mnemolog.projections.indexes.vectors import VectorIndex

FULLTEXT_CANDIDATES = 100
VECTOR_CANDIDATES = 100
FACT_CANDIDATES = 25
#: Among so many of the nearest nodes facts are looked for; and where fewer than enough of so many are wanted, all that
#: are wanted are compared.
_FACTS_LOOKED_AT = 500
MOST_LOOKED_AT = 4_096
FACT_TYPES = ("semantic", "procedural", "opinion")
DATE_CANDIDATES = 30
#: A session of no more turns is read as a whole where several of them are candidates.
_SHORT = 100
_DATES = 3
#: In files with more nodes than this, frequent words are left out of the search when rarer ones are there.
SMALL = 20_000
FREQUENT = 0.05
#: … and at most this many are searched for, the rarest ones.
MOST_TERMS = 24

# What was forgotten, what that was taken from, and what was corrected is nobody's to find. Where a fact has an heir,
# `fades_at` tells when what is left of it fades: for a time before its end its own confidence counts.
_LIVE = f"""n.hidden = 0 AND (n.type = 'episodic' OR (
    n.valid_from <= :now AND (n.valid_until IS NULL OR :now < n.valid_until)
    AND (n.fades_at IS NULL OR :now < n.fades_at OR EXISTS (
        SELECT 1 FROM cells h WHERE h.node_id = n.node_id AND h.heir IS NOT NULL AND (h.pinned OR n.confidence * exp(
            -n.decay_rate * pow(max(0, :now - max(n.last_accessed, ifnull(h.due, 0))) / {float(DAY)}, {EXPONENT})
        ) >= {FLOOR})
    ))
    AND NOT EXISTS (SELECT 1 FROM cells r WHERE r.node_id = n.node_id AND r.retracted IS NOT NULL)
))"""
# Of a node's columns in the full-text index only a fact has this one.
_IS_FACT = "cell_type : (fact OR plan OR preference OR decision OR task OR risk OR procedure OR opinion)"
_TYPES = "n.type IN (SELECT value FROM json_each(:types))"

# In these {wanted} stands for Wanted.condition.
_MATCHING = """
SELECT f.rowid FROM fulltext AS f JOIN nodes AS n ON n.number = f.rowid
WHERE f.fulltext MATCH :match AND {wanted} ORDER BY f.rank LIMIT :limit
"""
_DURING = """
SELECT n.number FROM nodes AS n WHERE n.occurred_at >= :start AND n.occurred_at < :end AND {wanted}
ORDER BY n.occurred_at, n.seq, n.event_id LIMIT :limit
"""
_WANTED_AMONG = "SELECT n.number FROM nodes AS n WHERE n.number IN carray(:numbers) AND {wanted}"
_ALL_WANTED = "SELECT n.number FROM nodes AS n WHERE {wanted}"
_SALIENT = "SELECT n.number FROM nodes AS n WHERE {wanted} ORDER BY n.salience DESC, n.number DESC LIMIT :limit"

_READ = """
SELECT number, type, substr(content, 1, ?1), speaker, occurred_at, octet_length(content) > ?1, confidence, decay_rate,
    last_accessed, salience, valid_from, CASE type WHEN 'episodic' THEN session END
FROM nodes WHERE number IN carray(?2)
"""
_PLACES = """
SELECT number, session, occurred_at, seq, event_id FROM nodes
WHERE number IN carray(?) AND type = 'episodic' AND session IS NOT NULL
"""
# These are answered by the index nodes_in_session alone.
_TURNS = """
SELECT number FROM nodes WHERE type = 'episodic' AND session = ? ORDER BY occurred_at, seq, event_id LIMIT ?
"""
_EARLIER = """
SELECT number FROM nodes
WHERE type = 'episodic' AND session = ?2 AND (occurred_at, seq, event_id) < (?3, ?4, ?5)
ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT ?1
"""
_LATER = """
SELECT number FROM nodes
WHERE type = 'episodic' AND session = ?2 AND (occurred_at, seq, event_id) > (?3, ?4, ?5)
ORDER BY occurred_at, seq, event_id LIMIT ?1
"""

# A fact that others took the place of by a time; a message all of whose facts are such tells what is no longer so.
_REPLACED = (
    "EXISTS (SELECT 1 FROM edges s WHERE s.target = d.source AND s.kind = 'supersedes' AND s.valid_from <= :now)"
)
_OUTDATED = f"""
SELECT n.number FROM carray(:numbers) AS c CROSS JOIN nodes AS n ON n.number = c.value
CROSS JOIN edges AS d ON d.target = n.node_id AND d.kind = 'derived_from' WHERE n.type = 'episodic'
GROUP BY n.number HAVING min({_REPLACED})
"""
# A CROSS JOIN is never reordered: with few nodes asked for, SQLite would read all edges of the kind.
_FACTS_OF = """
SELECT n.number FROM carray(:numbers) AS c CROSS JOIN nodes AS m ON m.number = c.value
CROSS JOIN edges AS d ON d.kind = 'derived_from' AND d.target = m.node_id
CROSS JOIN nodes AS n ON n.node_id = d.source WHERE {wanted}
"""
_SOURCES_OF = """
SELECT n.number, m.number FROM carray(:numbers) AS c CROSS JOIN nodes AS n ON n.number = c.value
CROSS JOIN edges AS d ON d.kind = 'derived_from' AND d.source = n.node_id
CROSS JOIN nodes AS m ON m.node_id = d.target WHERE n.type != 'episodic' AND m.hidden = 0
"""
_HIDDEN = "SELECT number FROM nodes WHERE number IN carray(?) AND hidden = 1"

#: From a turn to the one beside it in its session; None where the session ends.
_Links = dict[int, int | None]


class Wanted(msgspec.Struct, frozen=True):
    """Which nodes may be results: live at `now` (milliseconds), of one of `types` unless that is None, and filtered."""

    now: int
    types: tuple[str, ...] | None = None
    filters: Condition = NO_CONDITION

    @property
    def condition(self) -> str:
        """Whether a node `n` may be a result, in SQL, by these bindings."""
        return " AND ".join([_LIVE, *([] if self.types is None else [_TYPES]), *filter(None, [self.filters.sql])])

    @property
    def is_narrow(self) -> bool:
        """Whether most nodes, which are messages, cannot pass."""
        return self.types is not None and "episodic" not in self.types

    def bindings(self) -> dict[str, Any]:
        """The values to bind: :now, :types and those of the filters."""
        types = {} if self.types is None else {"types": msgspec.json.encode(self.types).decode()}
        return {"now": self.now, **types, **self.filters.bindings}

    def numbers(self, con: apsw.Connection, statement: str, **bindings: Any) -> list[int]:
        """The node numbers that a statement gives in which {wanted} stands for the condition."""
        rows = con.execute(statement.format(wanted=self.condition), {**bindings, **self.bindings()})
        return [number for (number,) in rows]


class Candidate(msgspec.Struct, frozen=True):
    """A node that may be a result, or stands in the session beside one that may; `session` is that of a message."""

    number: int
    type: str
    turn: Turn
    confidence: float
    decay_rate: float
    last_accessed: int
    salience: float
    valid_from: int
    session: str | None = None


def by_fulltext(
    con: apsw.Connection, frequencies: Sequence[TermFrequency], nodes: int, wanted: Wanted, limit: int
) -> list[int]:
    """Numbers of wanted nodes that hold a term, best bm25 first; then those of facts, which many messages may hide."""
    asked = list(frequencies)
    if nodes > SMALL:
        asked.sort(key=lambda found: found.documents)
        rare = [found for found in asked if found.documents <= FREQUENT * nodes]
        asked = rare[:MOST_TERMS] or asked[:1]
    if not asked:
        return []
    match = " OR ".join(_quoted(found.word) for found in asked)
    found = wanted.numbers(con, _MATCHING, match=match, limit=limit)
    if len(found) < limit or wanted.types is not None:
        return found
    facts = wanted.numbers(con, _MATCHING, match=f"({match}) AND {_IS_FACT}", limit=FACT_CANDIDATES)
    return list(dict.fromkeys([*found, *facts]))


def _quoted(word: str) -> str:
    # A word holds letters, digits and marks only, so no quote; the star finds what begins with the character.
    return f'"{word}"*' if is_single_character(word) else f'"{word}"'


def by_date(con: apsw.Connection, spans: Sequence[tuple[int, int]], wanted: Wanted) -> list[int]:
    """Numbers of the first wanted nodes of each span of time (milliseconds, UTC) that the question tells."""
    return [
        number
        for start, end in spans[:_DATES]
        for number in wanted.numbers(con, _DURING, start=start, end=end, limit=DATE_CANDIDATES)
    ]


def by_vector(
    con: apsw.Connection, index: VectorIndex, query: NDArray[np.float32], wanted: Wanted, limit: int
) -> list[int]:
    """Numbers of wanted nodes nearest to the query by the signs of the floats, nearest first; then those of facts.

    Nodes that are not wanted are left out after the search, so more are looked at until enough are wanted; where most
    are not wanted, those that are wanted are compared one by one, by their floats.
    """
    if wanted.is_narrow:
        return _nearest_of_all(con, index, query, wanted, limit)
    near = vectors.nearest(con, index, query)
    k = limit
    while k <= MOST_LOOKED_AT:
        kept = _keep_wanted(con, near.first(k), wanted)
        if len(kept) >= limit or k >= len(near):
            return kept[:limit] + _near_facts(con, near, wanted)
        k *= 4
    return _nearest_of_all(con, index, query, wanted, limit)


def _near_facts(con: apsw.Connection, near: Nearest, wanted: Wanted) -> list[int]:
    """The nearest facts among the nearest nodes; where there is none, from farther away."""
    if wanted.types is not None or not has_facts(con):
        return []
    facts = msgspec.structs.replace(wanted, types=FACT_TYPES)
    found = _keep_wanted(con, near.first(_FACTS_LOOKED_AT), facts)
    return (found or _keep_wanted(con, near.first(MOST_LOOKED_AT), facts))[:FACT_CANDIDATES]


def _keep_wanted(con: apsw.Connection, numbers: list[int], wanted: Wanted) -> list[int]:
    kept = set(wanted.numbers(con, _WANTED_AMONG, numbers=number_array(numbers)))
    return [number for number in numbers if number in kept]


def _nearest_of_all(
    con: apsw.Connection, index: VectorIndex, query: NDArray[np.float32], wanted: Wanted, limit: int
) -> list[int]:
    numbers = wanted.numbers(con, _ALL_WANTED)
    similarities = vectors.fetch(con, index, numbers) @ query
    return [numbers[place] for place in np.argsort(-similarities, kind="stable")[:limit]]


def has_facts(con: apsw.Connection) -> bool:
    """Whether anything was taken from messages at all."""
    return bool(con.execute("SELECT EXISTS (SELECT 1 FROM edges WHERE kind = 'derived_from')").get)


def facts_of(con: apsw.Connection, numbers: Sequence[int], wanted: Wanted) -> list[int]:
    """The facts that were taken from some messages and are live, of whichever types are wanted."""
    return msgspec.structs.replace(wanted, types=None).numbers(con, _FACTS_OF, numbers=number_array(numbers))


def sources_of(con: apsw.Connection, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """(fact, message) for all messages that some facts were taken from."""
    rows: list[Any] = con.execute(_SOURCES_OF, (number_array(numbers),)).fetchall()
    return rows


def outdated(con: apsw.Connection, numbers: Sequence[int], now: int) -> frozenset[int]:
    """Those messages among some nodes that say only what others have taken the place of by `now` (milliseconds)."""
    return frozenset(number for (number,) in con.execute(_OUTDATED, {"numbers": number_array(numbers), "now": now}))


def passing(con: apsw.Connection, numbers: Sequence[int], wanted: Wanted) -> frozenset[int]:
    """Those among some nodes that may be results: what only stands beside one need not be wanted itself.

    No node is hidden, and no fact retired, that the other functions here gave.
    """
    if wanted.types is None and not wanted.filters.sql:
        return frozenset(numbers)
    return frozenset(wanted.numbers(con, _WANTED_AMONG, numbers=number_array(numbers)))


def most_salient(con: apsw.Connection, wanted: Wanted, limit: int) -> list[int]:
    """Numbers of the wanted nodes of the highest salience, newest first among equals."""
    return wanted.numbers(con, _SALIENT, limit=limit)


def read(con: apsw.Connection, numbers: Sequence[int], frequencies: Sequence[TermFrequency]) -> dict[int, Candidate]:
    """The nodes of these numbers, by number."""
    rows: Iterable[Any] = con.execute(_READ, (MAX_SCORED_CHARS, number_array(numbers)))
    found = {}
    for number, node_type, content, speaker, occurred_at, is_cut, *standing in rows:
        beyond = _terms_of_long(con, number, frequencies) if is_cut else frozenset[str]()
        found[number] = Candidate(number, node_type, Turn(content, speaker, occurred_at, beyond), *standing)
    return found


def _terms_of_long(con: apsw.Connection, number: int, frequencies: Sequence[TermFrequency]) -> frozenset[str]:
    """Which terms stand anywhere in a node that is too long to be counted in full."""
    return frozenset(
        found.term
        for found in frequencies
        if con.execute("SELECT 1 FROM fulltext WHERE fulltext MATCH ? AND rowid = ?", (_quoted(found.word), number)).get
    )


def around(con: apsw.Connection, seeds: Sequence[int], reach: int) -> list[list[int]]:
    """Stretches of sessions: node numbers in order of time, up to `reach` turns around every seed, none twice.

    A cell is a stretch of its own. Hidden turns are left out, so that those around them stand side by side.
    """
    rows: list[Any] = con.execute(_PLACES, (number_array(seeds),)).fetchall()
    by_session: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for number, *place in rows:
        by_session[place[0]].append((number, *place))
    turns = [stretch for session, places in by_session.items() for stretch in _in_session(con, session, places, reach)]
    hidden = {number for (number,) in con.execute(_HIDDEN, (number_array([one for turn in turns for one in turn]),))}
    shown = [[turn for turn in stretch if turn not in hidden] for stretch in turns] if hidden else turns
    placed = {row[0] for row in rows}
    return [stretch for stretch in shown if stretch] + [[seed] for seed in seeds if seed not in placed]


def _in_session(con: apsw.Connection, session: str, places: Sequence[tuple[Any, ...]], reach: int) -> list[list[int]]:
    """A short session is read once for all seeds in it; in a long one it is looked around each."""
    if len(places) > 1:
        turns: list[Any] = [number for (number,) in con.execute(_TURNS, (session, _SHORT + 1)).fetchall()]
        if len(turns) <= _SHORT:
            return _parts(turns, {place[0] for place in places}, reach)
    before: _Links = {}
    after: _Links = {}
    for seed, *place in places:
        if not (_knows(before, seed, reach) and _knows(after, seed, reach)):
            _look_around(con, seed, (reach, *place), before, after)
    return [list(_follow(after, node)) for node in after if before.get(node) is None]


def _parts(turns: Sequence[int], seeds: set[int], reach: int) -> list[list[int]]:
    """The stretches of a whole session that are no farther than `reach` from a seed."""
    parts: list[list[int]] = []
    end = 0
    for place, turn in enumerate(turns):
        if turn in seeds:
            start = max(place - reach, 0)
            if start > end or not parts:
                parts.append([])
                end = start
            parts[-1] += turns[end : place + reach + 1]
            end = max(end, min(place + reach + 1, len(turns)))
    return parts


def _knows(links: _Links, node: int, reach: int) -> bool:
    following: int | None = node
    for _ in range(reach):
        if following not in links:
            return False
        following = links[following]
        if following is None:
            break
    return True


def _look_around(con: apsw.Connection, seed: int, place: tuple[Any, ...], before: _Links, after: _Links) -> None:
    reach: int = place[0]
    earlier = [number for (number,) in con.execute(_EARLIER, place).fetchall()]
    later = [number for (number,) in con.execute(_LATER, place).fetchall()]
    turns = [*reversed(earlier), seed, *later]
    for first, second in pairwise(turns):
        after[first] = second
        before[second] = first
    if len(earlier) < reach:
        before[turns[0]] = None
    if len(later) < reach:
        after[turns[-1]] = None


def _follow(links: _Links, node: int) -> Iterator[int]:
    following: int | None = node
    while following is not None:
        yield following
        following = links.get(following)
