"""Forgetting: which facts some words mean, what would be hidden with them, and having them forgotten."""

from __future__ import annotations

import re

import apsw
import msgspec

from mnemolog.gateway.folding import Folded
from mnemolog.gateway.memory.axes import now_ms
from mnemolog.gateway.memory.facts import Fact
from mnemolog.gateway.memory.objects import PositionText, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.publishing import logged
from mnemolog.gateway.memory.requests import Manner, again, send, statements
from mnemolog.producers.requests import forgotten
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import facts, find_fact, saying_the_same
from mnemolog.projections.history import Quotation, evidence
from mnemolog.projections.logged import events_at
from mnemolog.projections.matching import Matches, matching
from mnemolog.schema.errors import EventIdReused
from mnemolog.schema.requests import FactsForgotten

_NODE = re.compile(r"ce-[0-9a-f]{1,20}")


class Hidden(msgspec.Struct, frozen=True):
    """A message that is not told any more when the facts are forgotten that were taken from it."""

    event_id: str
    speaker: str | None
    content: str


class Plan(msgspec.Struct, frozen=True):
    """What would be forgotten: the facts that are meant, and what is hidden with them.

    `nearest` are the best facts where none is surely meant.
    """

    facts: tuple[Fact, ...]
    hides: tuple[Hidden, ...]
    nearest: tuple[Fact, ...] = ()


class HiddenMessage(msgspec.Struct, frozen=True):
    """A message that is hidden."""

    event_id: str
    content: str


class Forgetting(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be forgotten, and what became of it.

    `forgotten` says whether it was asked of the log, at `position`, and `folded` whether the file has it. Without, it
    is a preview. `nearest` are the best facts where none is surely meant: then nothing is forgotten.
    """

    facts: tuple[Fact, ...]
    hides: tuple[HiddenMessage, ...]
    nearest: tuple[Fact, ...]
    forgotten: bool
    event_id: str | None
    position: PositionText | None
    folded: bool


def plan(place: Place, what: str, *, by_id: bool) -> Plan:
    """What a text, or a fact's id or the beginning of one, means, with all that say the same. Raises InvalidInput."""
    with place.reader() as connection:
        matches = _named(connection, what) if by_id else _meant(place, connection, what)
        return plan_of(connection, matches)


def is_id(what: str) -> bool:
    """Whether it looks like the id of a fact, or the beginning of one."""
    return _NODE.fullmatch(what) is not None


def plan_of(connection: apsw.Connection, matches: Matches) -> Plan:
    """What would be forgotten with facts that are meant."""
    with read_transaction(connection):
        said = {one.event_id: one for found in matches.meant for one in evidence(connection, found.node_id)}
    return Plan(
        tuple(told(Fact, found) for found in matches.meant),
        tuple(map(hidden, said.values())),
        tuple(told(Fact, found) for found in matches.nearest),
    )


def hidden(said: Quotation) -> Hidden:
    """A piece of evidence as a message that is hidden."""
    return Hidden(said.event_id, said.speaker, said.content)


def forget(place: Place, planned: Plan, manner: Manner, request: str | None = None) -> Folded | None:
    """Has the facts of a plan forgotten, as a `request` in talk asked; None where no fact is meant."""
    if not planned.facts:
        return None
    return send(place, forgotten([fact.node_id for fact in planned.facts], request), manner)


def forgotten_before(place: Place, node: str | None, manner: Manner) -> Forgetting | None:
    """What a request of this event id forgot; None where the log has none. Raises EventIdReused for another request."""
    if manner.event_id is None or (found := logged(place, [manner.event_id]).get(manner.event_id)) is None:
        return None
    event = events_at(place.settings.archive, [found.position]).get(found.position)
    if event is None or not isinstance(event.payload, FactsForgotten):
        raise EventIdReused(manner.event_id)
    node_ids = event.payload.node_ids
    with place.reader() as connection, read_transaction(connection):
        if node is not None and find_fact(connection, node) not in node_ids:
            raise EventIdReused(manner.event_id)
        meant = tuple(facts(connection, now_ms(), everything=True, node_ids=node_ids))
    with place.reader() as connection:
        planned = plan_of(connection, Matches(meant, ()))
    return outcome(planned, again(place, manner.event_id, found))


def outcome(planned: Plan, done: Folded | None) -> Forgetting:
    """What would be touched, and what became of it."""
    return Forgetting(
        facts=planned.facts,
        hides=tuple(HiddenMessage(one.event_id, one.content) for one in planned.hides),
        nearest=planned.nearest,
        forgotten=done is not None,
        event_id=done.event_id if done else None,
        position=done.position if done else None,
        folded=done.folded if done else False,
    )


def _meant(place: Place, connection: apsw.Connection, text: str) -> Matches:
    words = statements().what_to_forget(text)
    return matching(connection, words, embedder=place.embedder(), now=now_ms())


def _named(connection: apsw.Connection, node: str) -> Matches:
    with read_transaction(connection):
        same = saying_the_same(connection, find_fact(connection, node), now_ms())
        return Matches(tuple(facts(connection, now_ms(), everything=True, node_ids=same)), ())
