"""Recall: hybrid search over one space, within one read transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mnemolog.projections.connection import read_transaction
from mnemolog.projections.moments.moments import moments
from mnemolog.projections.search import candidates
from mnemolog.projections.search.candidates import Wanted
from mnemolog.projections.search.filters import NO_FILTERS, Filters, condition, normalised, user_speakers
from mnemolog.projections.search.questions import Question, understand
from mnemolog.projections.search.results import Result, Scored, results
from mnemolog.projections.search.search import Asked, search
from mnemolog.projections.search.timing import spans_of
from mnemolog.schema.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.indexes.embedder import Embedder
    from mnemolog.projections.moments.moments import Moment

__all__ = ["MIN_SCORE", "Result", "recall"]

log = logging.getLogger("mnemolog.recall")

#: The answer is empty unless its best result has this score: docs/ranking.md tells how it was chosen.
MIN_SCORE = 0.21


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

    Only nodes that are live at `now` (milliseconds), of one of `types` and let through by `filters` are found; the
    answer is empty unless the best has `min_score`. With `fallback`, the most salient of them stand in for an empty
    answer. "I" and "my" mean the speaker `asker`; without one, the only one who speaks as a user. Times that the
    question tells are reckoned from `now`, so many minutes east of UTC. All is read in one read transaction, begun
    after the query was embedded and ended before this returns.
    """
    question = understand(query)
    told = moments(question.text, now, utc_offset_min) if question.asked.terms else ()
    events = [moment for moment in told if moment.kind in {"before", "after"}]
    texts = [question.text, *(moment.text for moment in events)]
    vectors = _embedded(embedder, texts)
    with read_transaction(con):
        wanted = Wanted(now, None if types is None else tuple(types), condition(con, filters))
        best: list[Scored] = []
        if question.asked.terms:
            sides = [
                (moment.kind, time)
                for moment, vector in zip(events, vectors[1:], strict=True)
                if (time := _time_of(con, moment, vector, embedder, now)) is not None
            ]
            asked = _asked(con, question, asker, vectors[0], told, sides)
            best = search(con, asked, embedder, wanted, limit, min_score)
        if best or not fallback:
            return results(con, best, is_fallback=False)
        salient = [Scored(number) for number in candidates.most_salient(con, wanted, limit)]
        return results(con, salient, is_fallback=True)


def _embedded(embedder: Embedder, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
    """The vectors of texts; None while the embedder fails: then full text answers alone."""
    try:
        return list(embedder.embed(texts))
    except EngineError as error:
        log.warning("searched by full text alone: %s", error)
        return [None for _ in texts]


def _asked(
    con: apsw.Connection,
    question: Question,
    asker: str | None,
    vector: NDArray[np.float32] | None,
    told: Sequence[Moment],
    sides: Sequence[tuple[str, int]],
) -> Asked:
    if question.is_first_person:
        known = [asker] if asker is not None else user_speakers(con, 2)
        askers = tuple(normalised(name) for name in known) if len(known) == 1 else ()
        question = msgspec.structs.replace(question, askers=askers)
    named = [span for date in question.dates if (span := date.span()) is not None]
    ends = [moment.kind for moment in told if moment.kind in {"first", "last"}]
    return Asked(
        question=question,
        vector=vector,
        spans=tuple(dict.fromkeys([*named, *spans_of(told)])),
        sides=tuple(sides),
        end=ends[0] if ends else None,
    )


def _time_of(
    con: apsw.Connection, event: Moment, vector: NDArray[np.float32] | None, embedder: Embedder, now: int
) -> int | None:
    """When an event was that a question names, by the fact or message that tells it best; None where none does."""
    question = understand(event.text)
    if not question.asked.terms:
        return None
    found = search(con, Asked(question, vector), embedder, Wanted(now), 1, MIN_SCORE)
    best: int | None = (
        con.execute("SELECT occurred_at FROM nodes WHERE number = ?", (found[0].number,)).get if found else None
    )
    return best
