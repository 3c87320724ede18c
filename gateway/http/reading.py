"""What asks a memory and changes nothing but what recall itself reinforces."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.http.bodies import (
    ChangesWanted,
    Contexting,
    EntityWanted,
    FactsWanted,
    MessagesWanted,
    Missing,
    Page,
    Paged,
    Recalling,
    SpacesWanted,
    Times,
    WhyWanted,
    WorkWanted,
    given,
)
from mnemolog.gateway.http.operation import Call
from mnemolog.gateway.memory import Memory
from mnemolog.gateway.memory.changes import Digest
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.memory.entities import Entities, EntityStory
from mnemolog.gateway.memory.facts import Facts, Link, SceneFacts, Scenes
from mnemolog.gateway.memory.reasons import WhyNot
from mnemolog.gateway.memory.searching import Recall
from mnemolog.gateway.memory.standing import Status
from mnemolog.gateway.memory.stories import Story
from mnemolog.gateway.memory.timelines import Sessions, Timeline
from mnemolog.gateway.memory.work import Work

_WAITING = ("wait", "wait_s")


#: What is said of Redis that names no server.
_PLAIN = ("running", "not running")


class Changed(Digest, frozen=True, kw_only=True):
    """What changed between two moments, a page of it; `next` is the cursor of the page that follows, None at the end.

    `counts` is of all pages.
    """

    next: int | None


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


def scene(memory: Memory, call: Call) -> SceneFacts:
    """A topic with a page of its facts."""
    query: Paged = call.query
    return memory.scene(call.path["scene"], after=query.cursor, **given(query, "cursor", *_WAITING))


def entities(memory: Memory, call: Call) -> Entities:
    """A page of names."""
    query: Page = call.query
    return memory.entities(limit=query.limit, after=query.cursor)


def entity(memory: Memory, call: Call) -> EntityStory:
    """All that is known of an entity."""
    query: EntityWanted = call.query
    return memory.entity(call.path["name"], **given(query, *_WAITING))


def sessions(memory: Memory, call: Call) -> Sessions:
    """A page of sessions."""
    query: Paged = call.query
    return memory.sessions(after=query.cursor, **given(query, "cursor", *_WAITING))


def timeline(memory: Memory, call: Call) -> Timeline:
    """A page of messages."""
    query: MessagesWanted = call.query
    return memory.timeline(before=query.cursor, **given(query, "cursor", *_WAITING))


def why(memory: Memory, call: Call) -> Story:
    """Where a node comes from."""
    query: WhyWanted = call.query
    return memory.why(call.path["node"], now=query.now, full=query.full)


def why_not(memory: Memory, call: Call) -> WhyNot:
    """Why a text is not there."""
    body: Missing = call.body
    return memory.why_not(**given(body))


def changes(memory: Memory, call: Call) -> Changed:
    """A page of what changed."""
    query: ChangesWanted = call.query
    found = memory.changes(query.since, until=query.until, everything=query.everything)
    end = query.cursor + query.limit
    fields = msgspec.structs.asdict(found) | {"changes": found.changes[query.cursor : end]}
    return Changed(**fields, next=end if end < len(found.changes) else None)


def status(memory: Memory, call: Call) -> Status:
    """How the space stands; what Redis said of itself is for admins alone."""
    found = memory.status()
    if call.caller.may("admin") or found.log.redis in _PLAIN:
        return found
    return msgspec.structs.replace(found, log=msgspec.structs.replace(found.log, redis="not answering"))


def work(memory: Memory, call: Call) -> Work:
    """What is open."""
    query: WorkWanted = call.query
    return memory.work(limit=query.limit)


def position(memory: Memory, _: Call) -> Position:
    """How far the log is folded."""
    return Position(memory.position())
