"""What asks a memory and changes nothing but what recall itself reinforces."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.http.bodies import Contexting, FactsWanted, Paged, Recalling, SpacesWanted, Times, given
from mnemolog.gateway.http.operation import Call
from mnemolog.gateway.memory import Memory
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.memory.facts import Facts, Link, Scenes
from mnemolog.gateway.memory.searching import Recall

_WAITING = ("wait", "wait_s")


class Position(msgspec.Struct, frozen=True):
    """How far the log is folded into the memory."""

    position: str


class Space(msgspec.Struct, frozen=True):
    """A space that the caller may see."""

    space: str


class Spaces(msgspec.Struct, frozen=True):
    """A page of spaces by their names; `next` is the cursor of the page that follows, None at the end."""

    spaces: tuple[Space, ...]
    next: str | None


def spaces(_: Memory, call: Call) -> Spaces:
    """A page of the spaces that the caller may see."""
    query: SpacesWanted = call.query
    found = [name for name in call.memories.spaces() if call.caller.sees(name) and name > (query.cursor or "")]
    page = found[: query.limit]
    return Spaces(tuple(map(Space, page)), page[-1] if len(found) > query.limit else None)


def recall(memory: Memory, call: Call) -> Recall:
    """Searches the memory."""
    body: Recalling = call.body
    return memory.recall(**given(body))


def context(memory: Memory, call: Call) -> Context:
    """What is known about a question, packed for a prompt."""
    body: Contexting = call.body
    return memory.context(**given(body))


def facts(memory: Memory, call: Call) -> Facts:
    """A page of facts."""
    query: FactsWanted = call.query
    return memory.facts(after=query.cursor, **given(query, "cursor", *_WAITING))


def history(memory: Memory, call: Call) -> tuple[Link, ...]:
    """The chain that a fact stands in."""
    query: Times = call.query
    return memory.history(call.path["node"], **given(query, *_WAITING))


def scenes(memory: Memory, call: Call) -> Scenes:
    """A page of topics."""
    query: Paged = call.query
    return memory.scenes(after=query.cursor, **given(query, "cursor", *_WAITING))


def position(memory: Memory, _: Call) -> Position:
    """How far the log is folded."""
    return Position(memory.position())
