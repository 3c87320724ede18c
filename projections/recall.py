"""Recall: hybrid search over one space, in two stages.

The first stage (`candidates`) gathers nodes by full text, by vectors and by date, and the turns around them; the
second (`ranking`) scores them together.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mnemolog.projections import candidates, vectors
from mnemolog.projections.candidates import FULLTEXT_CANDIDATES, VECTOR_CANDIDATES, Wanted
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.filters import NO_FILTERS, Filters, condition
from mnemolog.projections.frequencies import FrequencyCache
from mnemolog.projections.links import HITS, linked
from mnemolog.projections.questions import understand
from mnemolog.projections.ranking import REACH, WEIGHTS, Known, Ranking, rank
from mnemolog.schema.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.candidates import Candidate
    from mnemolog.projections.embedder import Embedder
    from mnemolog.projections.frequencies import TermFrequency
    from mnemolog.projections.questions import Question
    from mnemolog.projections.vectors import VectorIndex

log = logging.getLogger("mnemolog.recall")

#: The answer is empty unless a candidate has this share of the weight of the question's terms in or around it, or
#: is this similar to the question, or is of a date that the question names.
MIN_COVERAGE = 0.15
MIN_SIMILARITY = 0.3
#: A result has a term of the question in or around it, or is at least this similar, or is of its date, or is what an
#: edge leads to.
MIN_TRACE = 0.1

#: The answer holds nothing with a lower score.
MIN_SCORE = 0.0

_FREQUENCIES = FrequencyCache()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A node that recall found. Times are milliseconds (UTC).

    `score` orders the results of one question; `scores` holds what each arm added to it, and beside them
    `coverage` and `similarity` (see Ranking), which compare between questions. `event_ids` are the messages that
    say it, `supersedes` the node ids of facts whose place it took. `fallback` marks what was not found but is salient.
    """

    node_id: str
    type: str
    cell_type: str | None
    content: str
    score: float
    scores: dict[str, float]
    event_ids: tuple[str, ...]
    supersedes: tuple[str, ...]
    session: str | None
    role: str | None
    speaker: str | None
    occurred_at: int
    seq: int
    recorded_at: int
    valid_from: int
    valid_until: int | None
    confidence: float
    salience: float
    fallback: bool


class _Scored(msgspec.Struct, frozen=True):
    number: int
    score: float = 0.0
    scores: dict[str, float] = {}


def recall(
    con: apsw.Connection,
    query: str,
    *,
    embedder: Embedder,
    now: int,
    limit: int = 10,
    types: Sequence[str] | None = None,
    fallback: bool = False,
    filters: Filters = NO_FILTERS,
    asker: str | None = None,
    utc_offset_min: int = 0,
    min_score: float = MIN_SCORE,
) -> list[Result]:
    """The nodes that answer any text best, best first; an empty list when nothing is relevant.

    Only nodes that are live at `now` (milliseconds) and of one of `types` are found. With `fallback`, the most
    salient of them stand in for an empty answer. All is read in one read transaction, begun after the query was
    embedded and ended before this returns.
    """
    question = understand(query)
    vector = _embedded(embedder, question.text)
    with read_transaction(con):
        wanted = Wanted(now, None if types is None else tuple(types), condition(con, filters))
        best = _search(con, question, vector, embedder.name, wanted, limit) if question.asked.terms else []
        if best or not fallback:
            return _results(con, best, is_fallback=False)
        salient = [_Scored(number) for number in candidates.most_salient(con, wanted, limit)]
        return _results(con, salient, is_fallback=True)


def _embedded(embedder: Embedder, text: str) -> NDArray[np.float32] | None:
    """The vector of a text; None while the embedder fails: then full text answers alone."""
    try:
        vector: NDArray[np.float32] = embedder.embed([text])[0]
    except EngineError as error:
        log.warning("searched by full text alone: %s", error)
        return None
    return vector


def _search(
    con: apsw.Connection, question: Question, vector: NDArray[np.float32] | None, model: str, wanted: Wanted, limit: int
) -> list[_Scored]:
    nodes: int = con.execute("SELECT coalesce(max(number), 0) FROM nodes").get
    index = vectors.index_in_use(con)
    frequencies = _FREQUENCIES.of(con, question.asked, nodes)
    seeds = candidates.by_fulltext(con, frequencies, nodes, wanted, max(limit, FULLTEXT_CANDIDATES))
    # Vectors of another model say nothing about this one's.
    query = vector if vector is not None and index.model == model else np.zeros(index.dimension, np.float32)
    if query.any():
        seeds += candidates.by_vector(con, index, query, wanted, max(limit, VECTOR_CANDIDATES))
    seeds += candidates.by_date(con, question.dates, wanted)
    stretches = candidates.around(con, list(dict.fromkeys(seeds)), REACH)
    if not stretches:
        return []
    pool = _Pool(con, question, frequencies, nodes, index, query)
    found = _found(pool, stretches, {}, wanted, limit)
    hits = {one.number: one.score for one in found[:HITS] if one.score >= found[0].score / 2}
    links = linked(con, question, hits, wanted)
    if not links:
        return found
    known = {number for stretch in stretches for number in stretch}
    stretches += [[link.number] for link in links if link.number not in known]
    return _found(pool, stretches, {link.number: link.strength for link in links}, wanted, limit)


class _Pool(msgspec.Struct, frozen=True):
    """What candidates of one question are scored by."""

    con: apsw.Connection
    question: Question
    frequencies: Sequence[TermFrequency]
    nodes: int
    index: VectorIndex
    query: NDArray[np.float32]


def _found(
    pool: _Pool, stretches: list[list[int]], links: dict[int, float], wanted: Wanted, limit: int
) -> list[_Scored]:
    """The best of some candidates; `links` holds the scores of the hits from which edges lead to some of them."""
    numbers = [number for stretch in stretches for number in stretch]
    read = candidates.read(pool.con, numbers, pool.frequencies)
    outdated = candidates.outdated(pool.con, numbers, wanted.now)
    known = Known(
        linked=np.array([links.get(number, 0.0) for number in numbers], np.float32),
        outdated=np.array([number in outdated for number in numbers], np.float32),
    )
    ranking = rank(
        pool.question,
        pool.frequencies,
        pool.nodes,
        [[read[number].turn for number in stretch] for stretch in stretches],
        vectors.fetch(pool.con, pool.index, numbers),
        pool.query,
        known=known,
    )
    passing = candidates.passing(pool.con, numbers, wanted)
    return _best(ranking, [read[number] for number in numbers], passing, limit)


def _best(ranking: Ranking, read: list[Candidate], passing: frozenset[int], limit: int) -> list[_Scored]:
    dated = ranking.arms["date"] >= WEIGHTS["date"]
    evident = (ranking.coverage >= MIN_COVERAGE) | (ranking.similarity >= MIN_SIMILARITY) | dated
    if not evident.any():
        return []
    kept = (ranking.coverage > 0) | (ranking.similarity >= MIN_TRACE) | dated | (ranking.arms["linked"] > 0)
    kept &= np.array([one.number in passing for one in read])
    newest_first = np.array([-one.turn.occurred_at for one in read])
    order = [row for row in np.lexsort((newest_first, -ranking.scores)) if kept[row]][:limit]
    return [_Scored(read[row].number, float(ranking.scores[row]), _parts(ranking, row)) for row in order]


def _parts(ranking: Ranking, row: np.intp) -> dict[str, float]:
    arms = {name: float(values[row]) for name, values in ranking.arms.items()}
    return arms | {"coverage": float(ranking.coverage[row]), "similarity": float(ranking.similarity[row])}


_COLUMNS = (
    "node_id, type, cell_type, content, session, role, speaker, occurred_at, seq, recorded_at, valid_from,"
    " valid_until, confidence, salience"
)
_NODE = f"SELECT {_COLUMNS}, event_id FROM nodes WHERE number = ?"
_EVIDENCE = """
SELECT n.event_id FROM edges AS e JOIN nodes AS n ON n.node_id = e.target
WHERE e.kind = 'derived_from' AND e.source = ? AND n.type = 'episodic' ORDER BY n.occurred_at, n.seq, n.event_id
"""
_SUPERSEDED = """
SELECT e.target FROM edges AS e JOIN nodes AS n ON n.node_id = e.target
WHERE e.kind = 'supersedes' AND e.source = ? ORDER BY n.valid_from, e.target
"""


def _results(con: apsw.Connection, best: list[_Scored], *, is_fallback: bool) -> list[Result]:
    return [_result(con, scored, is_fallback=is_fallback) for scored in best]


def _result(con: apsw.Connection, scored: _Scored, *, is_fallback: bool) -> Result:
    *values, event_id = con.execute(_NODE, (scored.number,)).get
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), values, strict=True))
    said = fields["type"] == "episodic"
    return Result(
        score=scored.score,
        scores=scored.scores,
        event_ids=(event_id,) if said else _targets(con, _EVIDENCE, fields["node_id"]),
        supersedes=() if said else _targets(con, _SUPERSEDED, fields["node_id"]),
        fallback=is_fallback,
        **fields,
    )


def _targets(con: apsw.Connection, statement: str, node_id: str) -> tuple[str, ...]:
    return tuple(found for (found,) in con.execute(statement, (node_id,)))
