"""Why not: the reasons why something is not remembered, or not in an answer, as doors tell them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import apsw
import msgspec

from mnemolog.gateway.memory.objects import told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.scope import MOST_RESULTS, Scope, bounded, checked_types
from mnemolog.projections import status
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.indexes.analysis import clean
from mnemolog.projections.integrity import position_of
from mnemolog.projections.reasons.reasons import Surroundings
from mnemolog.projections.reasons.standing import Answer, Question, answer
from mnemolog.projections.why_not import why_not as reasons_of
from mnemolog.schema import log
from mnemolog.schema.errors import InvalidInput, LogFull, LogRefused, LogUnavailable

#: As many entries that are not folded yet are looked through.
MOST_PENDING = 20_000
#: So often an answer is asked for again because the file changed while it was examined.
_ATTEMPTS = 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A reason, a stable word, with what shows it: `kind` is fact, message, proposal, dead_letter, entry or nothing.

    `match` says how the text is said there; `near` means that only something like it was found.
    """

    reason: str
    detail: str
    kind: str
    match: str | None
    node_id: str | None
    content: str
    evidence: dict[str, Any]


class WhyNot(msgspec.Struct, frozen=True):
    """The reasons why a text is not remembered, the best match first; `not_searched` says what was not looked at."""

    text: str
    findings: tuple[Finding, ...]
    not_searched: str | None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The question whose answer a text is missing from, if it is about one, with the options of recall."""

    scope: Scope
    query: str = ""
    limit: int = 10
    types: tuple[str, ...] | None = None


def why_not(place: Place, text: str, wish: Wish) -> WhyNot:
    """Why a text is not remembered, or not in the answer to a question. Raises InvalidInput for an empty text."""
    text = clean(text)
    if not text.strip():
        raise InvalidInput("give the TEXT that is missing")
    at = wish.scope.axes.at
    question = Question(
        query=clean(wish.query),
        now=at,
        limit=bounded("limit", wish.limit, MOST_RESULTS),
        types=checked_types(wish.types),
        **wish.scope.options(place.settings.time_zone, at),
    )
    with place.reader() as connection:
        return _found(place, connection, text, question)


def _found(place: Place, connection: apsw.Connection, text: str, question: Question) -> WhyNot:
    """The reasons, found in the state of the file in which the question was answered."""
    embedder = place.embedder() if question.query else None
    beside, unsearched = _beside(place, connection)
    for _ in range(_ATTEMPTS):
        before = connection.pragma("data_version")
        asked: Answer | None = None if embedder is None else answer(connection, question, embedder)
        with read_transaction(connection):
            found = reasons_of(connection, text, now=question.now, beside=beside, asked=asked)
            if asked is None or connection.pragma("data_version") == before:
                break
    return WhyNot(text, tuple(told(Finding, one) for one in found), unsearched)


def _beside(place: Place, connection: apsw.Connection) -> tuple[Surroundings, str | None]:
    """What lies beside the file, as far as Redis says it, and why not all does; none is started for it."""
    archive = place.settings.archive
    stream = place.stream()
    if stream is None:
        pending = log.read(archive, None, position_of(connection))
        return Surroundings(archive=archive, pending=list(islice(pending, MOST_PENDING))), "no Redis runs here"
    try:
        pending = log.read(archive, stream, position_of(connection))
        waiting = status.waiting(stream)
        return Surroundings(archive=archive, pending=list(islice(pending, MOST_PENDING)), waiting=waiting), None
    except (LogUnavailable, LogRefused, LogFull) as error:
        return Surroundings(archive=archive), str(error)
