"""What people ask of the memory itself: remember, correct, confirm, unpin, unsupersede. Each is an event on the log.

A request with an event id that the log has already is not sent again: what became of the first one is told.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec

from mnemolog.gateway.folding import TIMEOUT_S, Folded, await_folded, became
from mnemolog.gateway.memory.axes import Time, now_ms
from mnemolog.gateway.memory.facts import Fact, fact
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.publishing import Logged, check_same, logged
from mnemolog.producers import Published
from mnemolog.producers.messages import moment
from mnemolog.producers.requests import checked_text, corrected, remembered
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import cell_of, find_fact
from mnemolog.projections.verdicts import retiring
from mnemolog.schema.errors import EventIdReused, InvalidInput
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import EventIds, episode_id
from mnemolog.schema.requests import FactConfirmed, FactCorrected, FactRemembered, FactUnpinned, VerdictGiven

_SAID = "SELECT content FROM nodes WHERE node_id = ?"
_ids = EventIds()


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is sent: under an event id of the caller's, and for how many seconds it waits for the writer."""

    event_id: str | None = None
    wait_s: float = TIMEOUT_S


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is to be believed; `speaker` says so, at a time (see Interaction), now unless given."""

    text: str
    speaker: str | None = None
    occurred_at: Time | None = None


class Wrong(msgspec.Struct, frozen=True):
    """A fact that was corrected."""

    node_id: str
    content: str


def statements() -> Any:
    """The module that reads statements. Its rules take half as long to load as a command: only who needs them waits."""
    return import_module("mnemolog.gateway.statements")


def send(place: Place, payload: Payload, manner: Manner) -> Folded:
    """Sends a request and waits until it is folded, where a writer runs. Raises as `Producer.publish` does."""
    found = _before(place, manner)
    if found is not None:
        check_same(manner.event_id or "", found, payload)
        return again(place, manner.event_id or "", found)
    producer = place.producer()
    return awaited(place, producer.send(producer.event(payload, manner.event_id)), manner.wait_s)


def awaited(place: Place, published: Published, wait_s: float) -> Folded:
    """What became of an event within so many seconds. Raises errors of the log."""
    stream = place.needed_stream()
    return await_folded(place.settings, stream, published, wait=wait_s > 0, timeout_s=wait_s, reader=place.reader)


def again(place: Place, event_id: str, found: Logged) -> Folded:
    """What became of an event that the file has folded."""
    with place.reader() as connection, read_transaction(connection):
        return became(connection, event_id, found.position)


def remember(place: Place, statement: Statement, manner: Manner) -> Folded:
    """Has something remembered as it is said: believed fully, without a model; at least as a note.

    Raises InvalidInput for a text that cannot be stored, and as `Producer.publish` does.
    """
    text = checked_text(statement.text)
    if (done := _stated_before(place, text, FactRemembered, manner)) is not None:
        return done
    event_id = manner.event_id or _ids.mint()
    at, offset_min = _moment(statement)
    cells = statements().read_cells(text, event_id, statement.speaker, at, offset_min=offset_min)
    payload = remembered(text, cells, speaker=statement.speaker, occurred_at=statement.occurred_at)
    return _sent(place, payload, event_id, manner.wait_s)


def correct(place: Place, node: str, statement: Statement, manner: Manner) -> tuple[Folded, Wrong]:
    """Says what is true instead of a fact that never was; gives the wrong one, too.

    The speaker is who stated the fact unless another one is given. Raises InvalidInput for a fact that is not there,
    and as `remember` does.
    """
    with place.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        wrong = cell_of(connection, node_id)
    text = checked_text(statement.text)
    if (done := _stated_before(place, text, FactCorrected, manner)) is not None:
        return done, Wrong(node_id, wrong.content)
    event_id = manner.event_id or _ids.mint()
    at, offset_min = _moment(statement)
    cells = statements().read_correction(text, event_id, wrong, at, offset_min=offset_min)
    speaker = statement.speaker or wrong.stated_by or wrong.subject
    payload = corrected(node_id, text, cells, speaker=speaker, occurred_at=statement.occurred_at)
    return _sent(place, payload, event_id, manner.wait_s), Wrong(node_id, wrong.content)


def confirm(place: Place, node: str, manner: Manner) -> tuple[Folded, Fact]:
    """Pins a fact: it does not fade any more. Raises InvalidInput for one that was forgotten or corrected."""
    found = fact(place, node, now_ms())
    if found.status in ("forgotten", "corrected"):
        raise InvalidInput(f"{found.node_id} was {found.status}: there is nothing to confirm")
    return send(place, FactConfirmed(node_id=found.node_id), manner), found


def unpin(place: Place, node: str, manner: Manner) -> tuple[Folded, Fact]:
    """Lets a fact fade again that was confirmed. Raises InvalidInput for a fact that is not there."""
    found = fact(place, node, now_ms())
    return send(place, FactUnpinned(node_id=found.node_id), manner), found


class Separated(msgspec.Struct, frozen=True):
    """A fact that holds beside others, which had retired it."""

    folded: Folded
    node_id: str
    content: str
    others: tuple[str, ...]


def unsupersede(place: Place, node: str, manner: Manner) -> Separated:
    """Says that a fact still holds beside those that took its place: no engine changes that. Raises InvalidInput."""
    with place.reader() as connection, read_transaction(connection):
        node_id = find_fact(connection, node)
        others = tuple(retiring(connection, node_id))
        content = cell_of(connection, node_id).content
    found = _before(place, manner)
    if found is not None:
        if found.type != VerdictGiven.TYPE:
            raise EventIdReused(manner.event_id or "")
        return Separated(again(place, manner.event_id or "", found), node_id, content, others)
    if not others:
        raise InvalidInput(f"nothing retires {node_id}")
    producer = place.producer()
    verdicts = [VerdictGiven(first=node_id, second=other, ruling="compatible") for other in others]
    # The last one has the caller's id: when that is folded, all are.
    ids = [manner.event_id and f"{manner.event_id}/{number}" for number in range(1, len(others))] + [manner.event_id]
    sent = producer.send_many([producer.event(*one) for one in zip(verdicts, ids, strict=True)])
    return Separated(awaited(place, sent[-1], manner.wait_s), node_id, content, others)


def _moment(statement: Statement) -> tuple[int, int]:
    return (now_ms(), 0) if statement.occurred_at is None else moment(statement.occurred_at)


def _sent(place: Place, payload: Payload, event_id: str, wait_s: float) -> Folded:
    producer = place.producer()
    return awaited(place, producer.send(producer.event(payload, event_id)), wait_s)


def _before(place: Place, manner: Manner) -> Logged | None:
    return None if manner.event_id is None else logged(place, [manner.event_id]).get(manner.event_id)


def _stated_before(place: Place, text: str, kind: type[Payload], manner: Manner) -> Folded | None:
    """What became of a statement that was sent before; None where it was not. Raises EventIdReused for another text.

    Its cells are not compared: what they say may depend on the day on which they were read.
    """
    found = _before(place, manner)
    if found is None or manner.event_id is None:
        return None
    with place.reader() as connection, read_transaction(connection):
        said = connection.execute(_SAID, (episode_id(manner.event_id),)).get
        if found.type != kind.TYPE or said != text:
            raise EventIdReused(manner.event_id)
        return became(connection, manner.event_id, found.position)
