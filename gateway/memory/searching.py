"""Recall as doors give it: the results of a query, with what facts among them took the place of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import msgspec

from mnemolog.gateway.memory.objects import When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reading import reading
from mnemolog.gateway.memory.recording import Asked, recording
from mnemolog.gateway.memory.scope import MOST_RESULTS, Scope, bounded, checked_types
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.recall import MIN_SCORE
from mnemolog.projections.recall import Result as Hit
from mnemolog.projections.recall import recall as search
from mnemolog.schema.errors import InvalidInput

DEFAULT_LIMIT = 10
_RETRACTED = ("forgotten", "corrected")


class Replaced(msgspec.Struct, frozen=True):
    """A fact whose place a result took, and when it held."""

    node_id: str
    content: str
    since: When
    until: When | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A message or a fact that was found.

    `score` says how well it answers, from 0 (not at all) to about 1, and compares between questions; `scores` holds
    what each arm of the search added to it. `event_ids` are the messages that say it, `same_as` nodes that say the
    same. Of a fact `since` tells since when it holds, `utc_offset_min` by which calendar that was said, and `replaced`
    what it took the place of, the newest last.
    `fallback` marks what was not found and stands in for an empty answer.
    """

    node_id: str
    type: str
    cell_type: str | None
    content: str
    score: float
    scores: dict[str, float]
    event_ids: tuple[str, ...]
    supersedes: tuple[str, ...]
    same_as: tuple[str, ...]
    session: str | None
    role: str | None
    speaker: str | None
    occurred_at: When
    seq: int
    recorded_at: When
    valid_from: When
    valid_until: When | None
    confidence: float
    salience: float
    fallback: bool
    since: When | None
    utc_offset_min: int | None
    replaced: tuple[Replaced, ...]


class Recall(msgspec.Struct, frozen=True):
    """What was found for a query, the best first, in so many milliseconds; nothing relevant is an answer, too."""

    query: str
    took_ms: float
    results: tuple[Result, ...]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found: how many nodes at most, of which types, in which scope; and whether it leaves a trace.

    The answer is empty unless the best has `min_score`.
    """

    scope: Scope
    limit: int = DEFAULT_LIMIT
    types: tuple[str, ...] | None = None
    min_score: float = MIN_SCORE
    fallback: bool = False
    record: bool = True


class Search(msgspec.Struct, frozen=True):
    """What all queries of a wish share; `now` is the time asked about, `given` are arguments of the search."""

    place: Place
    connection: apsw.Connection
    embedder: Embedder
    wish: Wish
    now: int
    given: dict[str, Any]

    def run(self, query: str, *, record: bool = True) -> Recall:
        """The results of a query. They leave a trace where that is wished. Raises what `recall` raises."""
        started = time.perf_counter()
        hits = search(self.connection, query, embedder=self.embedder, now=self.now, **self.given)
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        known = self._facts([hit for hit in hits if hit.type != "episodic"])
        if self.wish.scope.axes.as_of is not None:
            # Of recalls after the time asked about none counts, which only the whole row of a fact tells.
            live = {node_id for node_id, fact in known.items() if fact.status == "live"}
            hits = [hit for hit in hits if hit.type == "episodic" or hit.node_id in live]
        recording(self.place, wanted=record and self.wish.record).recall(self.connection, self._asked(query), hits)
        return Recall(query, took_ms, tuple(_result(hit, known) for hit in hits))

    def _facts(self, hits: Sequence[Hit]) -> dict[str, Fact]:
        ids = {node_id for hit in hits for node_id in (hit.node_id, *hit.supersedes)}
        if not ids:
            return {}
        with read_transaction(self.connection):
            return {fact.node_id: fact for fact in facts(self.connection, self.now, everything=True, node_ids=ids)}

    def _asked(self, query: str) -> Asked:
        wish = self.wish
        options = {"limit": wish.limit, "types": wish.types, "fallback": wish.fallback or None, **wish.scope.told}
        if wish.min_score != MIN_SCORE:
            options["min_score"] = wish.min_score
        return Asked(query=query, about=self.now, options=options, is_use=not wish.scope.axes.is_past)


@contextmanager
def searched(place: Place, wish: Wish) -> Iterator[Search]:
    """A search for the queries of the block. Raises InvalidInput, SpaceNotFound, and what a past moment raises."""
    # Not a number is no score either.
    if not 0 <= wish.min_score <= 1:
        raise InvalidInput(f"a score to be reached is from 0 to 1, not {wish.min_score}")
    given = {
        "limit": bounded("limit", wish.limit, MOST_RESULTS),
        "types": checked_types(wish.types),
        "fallback": wish.fallback,
        "min_score": wish.min_score,
    }
    at = wish.scope.axes.at
    with reading(place, wish.scope.axes) as connection:
        options = wish.scope.options(place.settings.time_zone, at)
        yield Search(place, connection, place.embedder(), wish, at, {**given, **options})


def _result(hit: Hit, known: dict[str, Fact]) -> Result:
    """A result with the facts whose place it took, the newest last; none that was forgotten, or never true."""
    own = known.get(hit.node_id)
    before = (known[node_id] for node_id in hit.supersedes if node_id in known)
    replaced = [
        {"node_id": fact.node_id, "content": fact.content, "since": fact.since, "until": fact.valid_until}
        for fact in before
        if fact.status not in _RETRACTED
    ]
    since, offset = (None, None) if own is None else (own.since, own.utc_offset_min)
    return told(Result, hit, since=since, utc_offset_min=offset, replaced=replaced)
