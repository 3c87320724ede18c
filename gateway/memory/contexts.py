"""Context as doors give it: what is known about a question, packed into a budget of tokens for a prompt."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from mnemolog.gateway.memory.objects import PositionText
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reading import reading
from mnemolog.gateway.memory.recording import Asked, recording
from mnemolog.gateway.memory.scope import Scope, bounded
from mnemolog.projections.context import DEFAULT_BUDGET, LEAST_BUDGET
from mnemolog.projections.context import Context as Recollected
from mnemolog.projections.context import context as recollect

MOST_BUDGET = 1_000_000


class Line(msgspec.Struct, frozen=True):
    """A line of a context: the node that it tells, or the scene; which characters of it, and how many changes."""

    kind: Literal["fact", "scene", "message"]
    id: str
    start: int
    end: int | None
    changes: int


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a question, for a user's message of a prompt, never for its instructions.

    `text` is marked as recalled data, empty where nothing is relevant, and `tokens` long, at most `budget`. `scenes`,
    `facts` and `messages` are what is told in it, by scene and node id; `event_ids` the messages that say it. `now`
    is the time asked about (UTC milliseconds), `position` how far the log was folded then.
    """

    query: str
    budget: int
    text: str
    tokens: int
    scenes: tuple[str, ...]
    facts: tuple[str, ...]
    messages: tuple[str, ...]
    event_ids: tuple[str, ...]
    lines: tuple[Line, ...]
    now: int
    position: PositionText


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a context is wished: in which scope, how long in tokens, without which messages (event ids).

    `message` is the event id of the message that the query was, if it was one; it leaves a trace unless told not to.
    """

    scope: Scope
    budget: int = DEFAULT_BUDGET
    without: Collection[str] = ()
    message: str | None = None
    record: bool = True


def context(place: Place, query: str, wish: Wish) -> Context:
    """What is known about a question. Raises InvalidInput, SpaceNotFound, and what a past moment raises."""
    found = recollected(place, query, wish)
    return msgspec.convert({"query": query, "budget": wish.budget, **msgspec.to_builtins(found)}, Context)


def recollected(place: Place, query: str, wish: Wish) -> Recollected:
    """The same as the projection gives it."""
    bounded("budget", wish.budget, MOST_BUDGET, LEAST_BUDGET)
    axes = wish.scope.axes
    at = axes.at
    with reading(place, axes) as connection:
        options = wish.scope.options(place.settings.time_zone, at)
        found = recollect(
            connection,
            query,
            embedder=place.embedder(),
            now=at,
            budget=wish.budget,
            without=frozenset(wish.without),
            **options,
        )
        left_out = {"without": len(wish.without)} if wish.without else {}
        asked = Asked(
            query=query,
            about=at,
            options={"budget": wish.budget, **left_out, **wish.scope.told},
            message=wish.message,
            is_use=not axes.is_past,
        )
        recording(place, wanted=wish.record).context(connection, asked, found)
    return found
