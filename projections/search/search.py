"""Search: from a question to scored nodes, within one read transaction.

The first stage (`candidates`) gathers nodes by full text, by vectors and by time, what was taken from them and what
they were taken from, and the turns around them; the second (`ranking`) scores them together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.frequencies import FrequencyCache
from mnemolog.projections.search import candidates, timing
from mnemolog.projections.search.candidates import FULLTEXT_CANDIDATES, SMALL, VECTOR_CANDIDATES
from mnemolog.projections.search.duplicates import SAME_COSINE, Group, grouped
from mnemolog.projections.search.links import HITS, linked
from mnemolog.projections.search.near_words import near_words
from mnemolog.projections.search.ranking import REACH, WEIGHTS, Known, Ranking, rank
from mnemolog.projections.search.results import Scored
from mnemolog.projections.search.texts import Joined, lexicon
from mnemolog.schema.decay import confidence_at
from mnemolog.schema.times import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.indexes.embedder import Embedder
    from mnemolog.projections.indexes.frequencies import TermFrequency
    from mnemolog.projections.indexes.vectors import VectorIndex
    from mnemolog.projections.search.candidates import Candidate, Wanted
    from mnemolog.projections.search.questions import Question
    from mnemolog.projections.search.texts import Lexicon

#: A result has a term of the question in or around it, or is at least this similar, or is of its time, or is what an
#: edge leads to.
_MIN_TRACE = 0.1
#: A text is evidence by this times its cosine, whatever words it shares; and by this times the part of the question
#: that it covers, however long it is and whatever it means.
_ALIKE = 0.35
_COVERED = 0.47
#: Where a question or a node has no vector yet, words alone make its score, and this part of it is enough.
_WORDS_ALONE = 0.5
#: What says the same is looked for among so many times as many nodes as are asked for.
_COMPARED = 10
#: Facts are newer by so many days: what is older by them counts as less recent by a factor of e.
_RECENT_DAYS = 365.0

_FREQUENCIES = FrequencyCache()


class Asked(msgspec.Struct, frozen=True):
    """A question, its vector (None while the embedder fails), and what times it tells.

    `spans` are milliseconds (UTC; half-open); `sides` are ("before" or "after", a time); `end` is "first" or "last".
    """

    question: Question
    vector: NDArray[np.float32] | None
    spans: tuple[tuple[int, int], ...] = ()
    sides: tuple[tuple[str, int], ...] = ()
    end: str | None = None


class _Pool(msgspec.Struct, frozen=True):
    """What candidates of one question are scored by."""

    con: apsw.Connection
    asked: Asked
    frequencies: Sequence[TermFrequency]
    nodes: int
    index: VectorIndex
    query: NDArray[np.float32]
    embedder: Embedder
    wanted: Wanted
    has_facts: bool
    words: Lexicon


class _Found(msgspec.Struct, frozen=True):
    """The candidates, a row each, and what they were scored."""

    read: list[Candidate]
    ranking: Ranking
    known: Known
    vectors: NDArray[np.float32]
    kept: NDArray[np.bool_]

    @property
    def order(self) -> list[int]:
        """The rows that may be results, best first; of equals the newest first."""
        newest_first = np.array([-one.turn.occurred_at for one in self.read])
        rows: list[int] = np.lexsort((newest_first, -self.ranking.scores)).tolist()
        return [row for row in rows if self.kept[row]]

    def evidence(self, order: Sequence[int]) -> float:
        """How good the best of some rows (best first) is: by its score, by its meaning alone, or by its words alone."""
        best = order[0]
        whole = self.vectors[best].any() and self.ranking.arms["vector"][best]
        score = float(self.ranking.scores[best]) / (1.0 if whole else _WORDS_ALONE)
        alike = _ALIKE * float(self.ranking.similarity[order].max())
        return max(score, alike, _COVERED * float(self.ranking.coverage[order].max()))


def search(
    con: apsw.Connection, asked: Asked, embedder: Embedder, wanted: Wanted, limit: int, min_score: float
) -> list[Scored]:
    """The best nodes, best first; none unless the best has `min_score`. The caller spans it with a read transaction."""
    pool = _pool(con, asked, embedder, wanted)
    stretches = _gathered(pool, limit)
    if not stretches:
        return []
    found = _again(pool, stretches, _ranked(pool, stretches, {}, None))
    order = found.order
    if not order or found.evidence(order) < min_score:
        return []
    return [_scored(found, group) for group in _with_fact(found, _told(pool, found, order, limit), limit)]


def _pool(con: apsw.Connection, asked: Asked, embedder: Embedder, wanted: Wanted) -> _Pool:
    nodes: int = con.execute("SELECT coalesce(max(number), 0) FROM nodes").get
    index = vectors.index_in_use(con)
    frequencies = _FREQUENCIES.of(con, asked.question.asked, nodes)
    # Vectors of another model say nothing about this one's.
    fits = asked.vector is not None and index.model == embedder.name
    query = asked.vector if asked.vector is not None and fits else np.zeros(index.dimension, np.float32)
    return _Pool(con, asked, frequencies, nodes, index, query, embedder, wanted, candidates.has_facts(con), lexicon())


def _gathered(pool: _Pool, limit: int) -> list[list[int]]:
    """Stretches of candidates: turns that follow each other, and facts, each alone."""
    con, wanted = pool.con, pool.wanted
    seeds = candidates.by_fulltext(con, pool.frequencies, pool.nodes, wanted, max(limit, FULLTEXT_CANDIDATES))
    if pool.query.any():
        most = VECTOR_CANDIDATES if pool.nodes <= SMALL else VECTOR_CANDIDATES // 2
        seeds += candidates.by_vector(con, pool.index, pool.query, wanted, max(limit, most))
    seeds += candidates.by_date(con, pool.asked.spans, wanted)
    if not pool.has_facts:
        return candidates.around(con, list(dict.fromkeys(seeds)), REACH)
    seeds += [message for _, message in candidates.sources_of(con, seeds)]
    stretches = candidates.around(con, list(dict.fromkeys(seeds)), REACH)
    there = {number for stretch in stretches for number in stretch}
    facts = dict.fromkeys(candidates.facts_of(con, list(there), wanted))
    return stretches + [[fact] for fact in facts if fact not in there]


def _again(pool: _Pool, stretches: list[list[int]], found: _Found) -> _Found:
    """Scores once more where a question asks for what edges lead to from the hits, or for the first or last of them."""
    ranking = found.ranking
    answering = [row for row in found.order if ranking.coverage[row] > 0 or ranking.similarity[row] >= _MIN_TRACE][
        :HITS
    ]
    best = ranking.scores[answering[0]] if answering else 0
    scored = {found.read[row].number: float(ranking.scores[row]) for row in answering}
    hits = {number: score for number, score in scored.items() if score >= best / 2}
    links = linked(pool.con, pool.asked.question, hits, pool.wanted)
    if not links and pool.asked.end is None:
        return found
    there = {number for stretch in stretches for number in stretch}
    more = [[link.number] for link in links if link.number not in there]
    scores = {one.number: float(score) for one, score in zip(found.read, ranking.scores, strict=True)}
    return _ranked(pool, stretches + more, {link.number: link.strength for link in links}, scores)


def _ranked(
    pool: _Pool, stretches: list[list[int]], links: dict[int, float], scores: Mapping[int, float] | None
) -> _Found:
    """`links` holds the scores of the hits from which edges lead to nodes, `scores` what all had before."""
    numbers = [number for stretch in stretches for number in stretch]
    by_number = candidates.read(pool.con, numbers, pool.frequencies)
    read = [by_number[number] for number in numbers]
    known = _known(pool, read, links, scores)
    made = vectors.fetch(pool.con, pool.index, numbers)
    turns = [[by_number[number].turn for number in stretch] for stretch in stretches]
    ranking = rank(
        pool.asked.question, pool.frequencies, pool.nodes, turns, made, pool.query, known=known, words=pool.words
    )
    return _Found(read, ranking, known, made, _kept(pool, read, ranking, known))


def _kept(pool: _Pool, read: Sequence[Candidate], ranking: Ranking, known: Known) -> NDArray[np.bool_]:
    numbers = candidates.passing(pool.con, [one.number for one in read], pool.wanted)
    passing = np.array([one.number in numbers for one in read], bool)
    dated = ranking.arms["date"] >= np.float32(WEIGHTS["date"])
    traced = (ranking.coverage > 0) | (ranking.similarity >= _MIN_TRACE) | dated | (ranking.arms["linked"] > 0)
    by_message = traced.copy()
    np.logical_or.at(by_message, known.facts, traced[known.sources])
    kept: NDArray[np.bool_] = passing & by_message
    facts = passing & np.array([one.type != "episodic" for one in read], bool) & (ranking.scores > 0)
    if facts.any() and not (kept & facts).any():
        # The one that answers may do so in none of the question's words.
        kept[np.argmax(np.where(facts, ranking.scores, -1))] = True
    return kept


def _known(
    pool: _Pool,
    read: Sequence[Candidate],
    links: dict[int, float],
    scores: Mapping[int, float] | None,
) -> Known:
    row = {one.number: place for place, one in enumerate(read)}
    told = list(row) if pool.has_facts else []
    outdated = candidates.outdated(pool.con, told, pool.wanted.now)
    pairs = [(row[f], row[m]) for f, m in candidates.sources_of(pool.con, told) if m in row]
    ties = np.array(pairs, np.intp).reshape(-1, 2)
    times = np.array([one.turn.occurred_at for one in read], np.int64)
    surety, salience, recency = _standing(read, pool.wanted.now)
    return Known(
        linked=np.array([links.get(one.number, 0.0) for one in read], np.float32),
        outdated=np.array([one.number in outdated for one in read], np.float32),
        moment=timing.fit(pool.asked.spans, times),
        order=_order(pool.asked, read, times, scores),
        surety=surety,
        salience=salience,
        recency=recency,
        facts=ties[:, 0],
        sources=ties[:, 1],
        sessions=_sessions(read),
        near=_near(pool, read),
    )


def _sessions(read: Sequence[Candidate]) -> NDArray[np.intp]:
    numbers: dict[str, int] = {}
    return np.array(
        [-1 if one.session is None else numbers.setdefault(one.session, len(numbers)) for one in read], np.intp
    )


def _near(pool: _Pool, read: Sequence[Candidate]) -> dict[str, NDArray[np.float32]]:
    """In a large space too many words are new to each question to be compared with its own."""
    if pool.nodes > SMALL:
        return {}
    spoken = pool.words.spoken(one.turn.content for one in read)
    return near_words(pool.words, Joined.of([one.words for one in spoken]), pool.frequencies, pool.embedder)


def _standing(read: Sequence[Candidate], now: int) -> NDArray[np.float32]:
    """How sure, how salient and how recent facts are, a row each; zeros for messages."""
    found = np.zeros((3, len(read)), np.float32)
    facts = [row for row, one in enumerate(read) if one.type != "episodic"]
    found[:, facts] = np.array([_worth(read[row], now) for row in facts], np.float32).reshape(-1, 3).T
    return found


def _worth(fact: Candidate, now: int) -> tuple[float, float, float]:
    surety = confidence_at(fact.confidence, fact.decay_rate, fact.last_accessed, now)
    return surety, fact.salience, math.exp(-max(0, now - fact.valid_from) / DAY / _RECENT_DAYS)


def _order(
    asked: Asked, read: Sequence[Candidate], times: NDArray[np.int64], scores: Mapping[int, float] | None
) -> NDArray[np.float32]:
    order = np.zeros(len(times), np.float32)
    for kind, anchor in asked.sides:
        order = np.maximum(order, timing.beside(kind, anchor, times))
    if asked.end is not None and scores is not None:
        before = np.array([scores.get(one.number, 0.0) for one in read], np.float32)
        order = np.maximum(order, timing.in_order(asked.end, before, times))
    return order


def _with_fact(found: _Found, groups: Iterator[Group], limit: int) -> list[Group]:
    """The first groups; the last makes room for the best fact where all of them are messages."""

    def is_fact(group: Group) -> bool:
        return found.read[group.row].type != "episodic"

    told = list(islice(groups, limit))
    if told and any(one.type != "episodic" for one in found.read) and not any(map(is_fact, told)):
        told[-1] = next(filter(is_fact, groups), told[-1])
    return told


def _told(pool: _Pool, found: _Found, order: Sequence[int], limit: int) -> Iterator[Group]:
    sources: defaultdict[int, list[int]] = defaultdict(list)
    kept = set(order)
    for row in kept:
        if found.read[row].type != "episodic":
            sources[row] = []
    for fact, message in zip(found.known.facts.tolist(), found.known.sources.tolist(), strict=True):
        if message in kept and fact in kept:
            sources[fact].append(message)
    between = found.ranking.arms["surety"] + found.ranking.arms["salience"] + found.ranking.arms["recency"]
    return grouped(
        order,
        _said(pool, found, order[: limit * _COMPARED]),
        sources,
        lambda one, other: float(found.vectors[one] @ found.vectors[other]) >= SAME_COSINE,
        lambda row: float(between[row]),
    )


def _said(pool: _Pool, found: _Found, rows: Sequence[int]) -> dict[int, tuple[str | None, frozenset[str]]]:
    """What decides which nodes say the same: of messages the speaker does, too."""
    spoken = pool.words.spoken(found.read[row].turn.content for row in rows)
    return {
        row: (None if found.read[row].type != "episodic" else found.read[row].turn.speaker or "", one.said)
        for row, one in zip(rows, spoken, strict=True)
    }


def _scored(found: _Found, group: Group) -> Scored:
    arms = {name: float(values[group.row]) for name, values in found.ranking.arms.items()}
    score = float(found.ranking.scores[group.place])
    arms["key"] += score - float(found.ranking.scores[group.row])
    measures = {
        "coverage": float(found.ranking.coverage[group.row]),
        "similarity": float(found.ranking.similarity[group.row]),
    }
    same = tuple(found.read[row].number for row in group.same)
    return Scored(found.read[group.row].number, score, arms | measures, same)
