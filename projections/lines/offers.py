"""Offers: what a context could tell of a question, in the order of its worth, and the ways of telling each of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log

import apsw
import msgspec

from mnemolog.projections.facts import Fact
from mnemolog.projections.indexes.analysis import query_terms, terms
from mnemolog.projections.lines.changes_told import MOST_BEFORE
from mnemolog.projections.lines.passages import passage
from mnemolog.projections.lines.rendering import Kind, Line, Told, tell
from mnemolog.projections.lines.tokens import count_tokens
from mnemolog.projections.recall import Result
from mnemolog.projections.scenes import Scene

#: In the order of worth the first of a kind has this place, and each further one so many places more.
_STRONG, _WEAK, _SCENE, _MESSAGE = (0, 3), (20, 4), (10, 8), (0, 1)
#: The shares of the budget that a text may take: a fact or one of the first messages, a later message, a summary; of a
#: longer one the passage is told that answers. In tokens at least so many.
_WHOLE_FIRST = 5
_WHOLE_SHARE = 0.1
_PASSAGE_SHARE = 0.024
_SCENE_SHARE = 0.05
_LEAST_TOKENS = 24
_LEAST_FACT_TOKENS = 48
#: A fact tells a message when it has so much of what the message says.
_TOLD = 0.8
#: So much of a text is enough to see how many tokens its characters make.
_SAMPLE_CHARS = 2_000


class Found(msgspec.Struct, frozen=True):
    """What was found for a question, of each kind the best first: facts that answer, weaker ones, scenes, messages."""

    strong: Sequence[Fact]
    weak: Sequence[Fact]
    scenes: Sequence[Scene]
    said: Sequence[Result]


def offers(connection: apsw.Connection, query: str, found: Found, now: int, budget: int) -> Iterator[Iterator[Told]]:
    """What is to be told, the worthiest first; last the messages that facts tell already.

    Each offer is the ways of telling one thing within a share of the budget (tokens), the fullest first. The caller
    spans it with a read transaction.
    """
    wanted = _weights(query, found.said)
    told: list[set[str]] = []
    again: list[Iterable[Line]] = []
    ways: Iterable[Line]
    for one, place in _by_turns(found):
        if isinstance(one, Result):
            ways = _message_lines(one, wanted, budget, place)
            if _is_told(one, told):
                again.append(ways)
                continue
        elif isinstance(one, Fact):
            told.append(set(terms(one.content)))
            ways = _fact_lines(one, wanted, budget)
        else:
            ways = [_part("scene", one.scene, one.summary, wanted, int(budget * _SCENE_SHARE))]
        yield _ways(connection, ways, now)
    yield from (_ways(connection, ways, now) for ways in again)


def _ways(connection: apsw.Connection, lines: Iterable[Line], now: int) -> Iterator[Told]:
    return (told for line in lines if (told := tell(connection, line, now)) is not None)


def _by_turns(found: Found) -> Iterator[tuple[Fact | Scene | Result, int]]:
    """What is known and was said in the order of its worth, each with its place among its kind."""
    kinds: tuple[tuple[tuple[int, int], Iterable[Fact | Scene | Result]], ...] = (
        (_STRONG, found.strong),
        (_WEAK, found.weak),
        (_SCENE, found.scenes),
        (_MESSAGE, found.said),
    )
    turns = [(first + step * place, place, one) for (first, step), kind in kinds for place, one in enumerate(kind)]
    for _, place, one in sorted(turns, key=lambda turn: turn[0]):
        yield one, place


def _is_told(message: Result, told: Iterable[set[str]]) -> bool:
    """Whether a fact has all that a message says."""
    own = set(query_terms(message.content).terms)
    return any(len(own & fact) >= _TOLD * len(own) for fact in told)


def _weights(query: str, said: Sequence[Result]) -> dict[str, float]:
    """How much a term of the question tells one message from another."""
    held = [set(terms(one.content)) for one in said]
    return {term: log(1 + len(held) / (1 + sum(term in one for one in held))) for term in query_terms(query).terms}


def _fact_lines(fact: Fact, wanted: Mapping[str, float], budget: int) -> Iterator[Line]:
    """The ways of telling a fact: with its whole history, with the last change, alone."""
    line = _part("fact", fact.node_id, fact.content, wanted, max(_LEAST_FACT_TOKENS, int(budget * _WHOLE_SHARE)))
    return (msgspec.structs.replace(line, changes=changes) for changes in (MOST_BEFORE, 1, 0))


def _message_lines(message: Result, wanted: Mapping[str, float], budget: int, place: int) -> Iterator[Line]:
    """The ways of telling a message: whole if it is short or among the first, then the passage that answers best."""
    for share in (_WHOLE_SHARE, _PASSAGE_SHARE)[place >= _WHOLE_FIRST :]:
        yield _part("message", message.node_id, message.content, wanted, int(budget * share))


def _part(kind: Kind, name: str, text: str, wanted: Mapping[str, float], most_tokens: int) -> Line:
    """A line that tells a text, or the passage of it that answers best, in about so many tokens."""
    sample = text[:_SAMPLE_CHARS]
    most_chars = max(_LEAST_TOKENS, most_tokens) * len(sample) // max(1, count_tokens(sample))
    if len(text) <= most_chars:
        return Line(kind, name)
    part = passage(text, wanted, most_chars)
    return Line(kind, name, part.start, part.end)
