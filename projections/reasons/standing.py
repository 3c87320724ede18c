"""Standing: where a node stands in the answer to a question, and what keeps it out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import msgspec
import numpy as np
from numpy.typing import NDArray

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.analysis import MAX_QUERY_CHARS, clean, query_terms, terms
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.reasons.wording import Match
from mnemolog.projections.recall import Result, recall
from mnemolog.projections.search.filters import NO_FILTERS, Filters
from mnemolog.schema.errors import EngineError

#: As far behind the answer it is looked for a node.
DEEP = 500
#: Scores that compare between questions and are no part of the sum.
_MEASURES = ("coverage", "similarity")
#: What the fields of Filters are called where the option has another name.
_OPTIONS = {"said_until": "as_of"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question with the options of recall."""

    query: str
    now: int
    limit: int = 10
    types: tuple[str, ...] | None = None
    filters: Filters = NO_FILTERS
    asker: str | None = None
    utc_offset_min: int = 0

    def only(self) -> dict[str, Question]:
        """The question with each of its options that leave something out alone."""
        bare = msgspec.structs.replace(self, types=None, filters=NO_FILTERS)
        kept = {"types": msgspec.structs.replace(bare, types=self.types)} if self.types is not None else {}
        for name in Filters.__struct_fields__:
            value = getattr(self.filters, name)
            if value != getattr(NO_FILTERS, name):
                option = _OPTIONS.get(name, name)
                kept[option] = msgspec.structs.replace(bare, filters=Filters(**{name: value}))
        return kept


class Answer(msgspec.Struct, frozen=True):
    """The answer to a question, what comes behind it, and what would without its options, or with each one alone.

    `vector` is that of the question by the model `model`, zeros where the embedder fails.
    """

    question: Question
    given: Sequence[Result]
    ranked: Mapping[str, tuple[int, Result]]
    unfiltered: Mapping[str, tuple[int, Result]]
    alone: Mapping[str, frozenset[str]]
    model: str
    vector: NDArray[np.float32]


class Standing(msgspec.Struct, frozen=True):
    """`reason` is in_answer, out_ranked, filtered_out, no_vector or not_relevant, with what shows it."""

    reason: str
    detail: str
    evidence: dict[str, Any]


class _Once:
    """An embedder that is asked once for the question's text."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._made: dict[tuple[str, ...], NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder."""
        key = tuple(texts)
        if key not in self._made:
            self._made[key] = self._embedder.embed(texts)
        return self._made[key]


def answer(connection: apsw.Connection, question: Question, embedder: Embedder) -> Answer:
    """Asks a question as recall is asked, and what is needed to say of any node why it is not in the answer.

    Outside of any transaction: recall begins its own.
    """
    once = _Once(embedder)

    def ask(asked: Question, limit: int) -> list[Result]:
        return recall(
            connection,
            asked.query,
            embedder=once,
            now=asked.now,
            limit=limit,
            types=asked.types,
            filters=asked.filters,
            asker=asked.asker,
            utc_offset_min=asked.utc_offset_min,
        )

    options = question.only()
    bare = msgspec.structs.replace(question, types=None, filters=NO_FILTERS)
    ranked = _ranks(ask(question, DEEP))
    return Answer(
        question,
        ask(question, question.limit),
        ranked,
        _ranks(ask(bare, DEEP)) if options else ranked,
        {name: frozenset(_ranks(ask(one, DEEP))) for name, one in options.items()},
        once.name,
        _vector(once, question.query),
    )


def _vector(embedder: Embedder, query: str) -> NDArray[np.float32]:
    try:
        vector: NDArray[np.float32] = embedder.embed([clean(query)[:MAX_QUERY_CHARS]])[0]
    except EngineError:
        return np.zeros(embedder.dimension, np.float32)
    return vector


def _ranks(results: Sequence[Result]) -> dict[str, tuple[int, Result]]:
    ranks = {result.node_id: (rank, result) for rank, result in enumerate(results, 1)}
    for rank, result in enumerate(results, 1):
        for same in result.same_as:
            ranks.setdefault(same, (rank, result))
    return ranks


def standing(connection: apsw.Connection, asked: Answer, match: Match) -> Standing:
    """Where a node stands in an answer. The caller spans it with a read transaction."""
    given = _ranks(asked.given)
    if match.node_id in given:
        rank, result = given[match.node_id]
        told = "" if result.node_id == match.node_id else f", told by {result.node_id}, which says the same"
        return Standing("in_answer", f"it is result {rank} of {len(asked.given)}{told}", {"rank": rank})
    if match.node_id in asked.unfiltered and match.node_id not in asked.ranked:
        return _filtered_out(asked, match.node_id)
    if not _has_vector(connection, match.number):
        place = {"rank": asked.ranked[match.node_id][0]} if match.node_id in asked.ranked else {}
        return Standing("no_vector", "its vector is not made yet, so it is found by its words alone", place)
    if match.node_id in asked.ranked:
        return _out_ranked(asked, match.node_id)
    return _not_relevant(connection, asked, match)


def _not_relevant(connection: apsw.Connection, asked: Answer, match: Match) -> Standing:
    shared = sorted(set(query_terms(asked.question.query).terms) & set(terms(match.content)))
    said = f"it shares only {', '.join(shared)} with the question" if shared else "it shares no word with the question"
    index = vectors.index_in_use(connection)
    if index.model != asked.model or not asked.vector.any():
        return Standing("not_relevant", f"{said}, and was searched for by words alone", {"shared": shared})
    similarity = round(float(vectors.fetch(connection, index, [match.number])[0] @ asked.vector), 4)
    told = f"{said}, and its meaning is similar by {similarity:.2f} only"
    return Standing("not_relevant", told, {"shared": shared, "similarity": similarity})


def _filtered_out(asked: Answer, node_id: str) -> Standing:
    """By those options that leave it out alone."""
    by = [name for name, found in asked.alone.items() if node_id not in found]
    rank = asked.unfiltered[node_id][0]
    told = f"left out by {', '.join(by) or 'the options together'}; without that it is result {rank}"
    return Standing("filtered_out", told, {"by": by, "rank": rank})


def _out_ranked(asked: Answer, node_id: str) -> Standing:
    """Against the last result that the answer has room for."""
    rank, own = asked.ranked[node_id]
    above = asked.given[-1] if asked.given else own
    best = asked.ranked.get(above.node_id, (0, above))[1]
    arms = {
        name: [round(own.scores.get(name, 0.0), 4), round(value, 4)]
        for name, value in best.scores.items()
        if name not in _MEASURES
    }
    lost = max(arms, key=lambda name: arms[name][1] - arms[name][0], default="")
    evidence = {
        "rank": rank,
        "limit": asked.question.limit,
        "score": round(own.score, 4),
        "by": [result.node_id for result in asked.given],
        "last": {"node_id": above.node_id, "content": above.content, "score": round(above.score, 4)},
        "arms": arms,
        "lost_in": lost,
    }
    own_part, other_part = arms.get(lost, [0.0, 0.0])
    return Standing(
        "out_ranked",
        f"it is result {rank} of a list of {asked.question.limit}; it loses most in the arm {lost} "
        f"({own_part:.2f} against {other_part:.2f} of the last result, {above.node_id})",
        evidence,
    )


def _has_vector(connection: apsw.Connection, number: int) -> bool:
    index = vectors.index_in_use(connection)
    return bool(connection.execute(index.sql("SELECT 1 FROM {vectors} WHERE number = ?"), (number,)).get)
