"""Matching: which facts a person means by some words, so that only what was surely meant is touched."""

from __future__ import annotations

import apsw
import msgspec

from mnemolog.projections.context import CELL_TYPES
from mnemolog.projections.facts import Fact, facts, saying_the_same
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.recall import Result, recall

#: A fact is meant when it has this share of the weight of the words; where none has, the one that is nearest in
#: meaning, from this cosine on. Words that say only how something is asked for do not count.
LEAST_COVERAGE = 0.8
LEAST_SIMILARITY = 0.65
_LOOKED_AT = 20
_NEAREST_SHOWN = 3


class Matches(msgspec.Struct, frozen=True):
    """The facts that are meant, with all that say the same; `nearest` are the best live ones where none is meant."""

    meant: tuple[Fact, ...]
    nearest: tuple[Fact, ...]


def matching(connection: apsw.Connection, text: str, *, embedder: Embedder, now: int) -> Matches:
    """The live facts that a text means. Messages are not looked at: a request is never taken for what it is about."""
    found = recall(connection, text, embedder=embedder, now=now, limit=_LOOKED_AT, types=CELL_TYPES)
    named = [node_id for result in _meant(found) for node_id in (result.node_id, *result.same_as)]
    meant = [same for node_id in named for same in saying_the_same(connection, node_id, now)]
    nearest = [] if meant else [result.node_id for result in found[:_NEAREST_SHOWN]]
    return Matches(
        tuple(facts(connection, now, everything=True, node_ids=meant)),
        tuple(facts(connection, now, node_ids=nearest)),
    )


def _meant(found: list[Result]) -> list[Result]:
    named = [result for result in found if result.scores["coverage"] >= LEAST_COVERAGE]
    if named:
        return named
    best = max(found, key=lambda result: result.scores["similarity"], default=None)
    return [best] if best is not None and best.scores["similarity"] >= LEAST_SIMILARITY else []
