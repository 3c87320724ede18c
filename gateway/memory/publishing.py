"""Putting what was said on the log, once for each event id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import apsw
import msgspec

from mnemolog.gateway.memory.axes import Time, time_of
from mnemolog.gateway.memory.objects import PositionText
from mnemolog.gateway.memory.place import Place
from mnemolog.producers import Message
from mnemolog.producers import Published as Acknowledged
from mnemolog.producers.messages import closing, payload_of
from mnemolog.schema.codec import digest
from mnemolog.schema.errors import DamagedFile, EventIdReused, SpaceNotFound
from mnemolog.schema.events import Payload, Role, SourceType
from mnemolog.schema.ids import Position

_LOGGED = "SELECT ms, seq, type, digest FROM events WHERE event_id = ?"


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said in a session.

    `occurred_at` is ISO 8601 with an offset, or UTC milliseconds; now unless given. `event_id` is an id of yours:
    publishing it again adds nothing. `seq` is your counter for messages of the same time. `speaker` is a stable name or
    id; `metadata` any JSON object to keep with it.
    """

    role: Role
    content: str
    session: str
    speaker: str | None = None
    occurred_at: str | int | None = None
    event_id: str | None = None
    seq: int | None = None
    metadata: dict[str, Any] | None = None
    source_type: SourceType = "chat"

    def message(self) -> Message:
        """The same for a producer."""
        return Message(**msgspec.structs.asdict(self))


class Published(msgspec.Struct, frozen=True):
    """What was acknowledged: the event's id, and its position, None for what is spooled until Redis takes it."""

    event_id: str
    position: PositionText | None
    spooled: bool = False


class Logged(msgspec.Struct, frozen=True):
    """An event that the file has folded: where it stands on the log, its type, and the digest of what was given."""

    position: Position
    type: str
    digest: bytes


def publish(place: Place, interaction: Interaction) -> Published:
    """Publishes one interaction; returns when the log has acknowledged it. Raises as `Producer.publish` does.

    Raises EventIdReused where the memory knows the event id with another content.
    """
    return publish_many(place, [interaction])[0]


def publish_many(place: Place, interactions: Sequence[Interaction]) -> tuple[Published, ...]:
    """Publishes interactions in order. All are checked before the first is sent. Raises as `publish` does.

    Of what the log has already, nothing is published again.
    """
    messages = [interaction.message() for interaction in interactions]
    known = logged(place, [message.event_id for message in messages if message.event_id is not None])
    fresh = [message for message in messages if not _is_known(message, known)]
    sent = iter(place.producer().publish_many(fresh) if fresh else ())
    done = {event_id: Published(event_id, str(found.position)) for event_id, found in known.items()}
    return tuple(
        done[message.event_id] if message.event_id in known else acknowledged(next(sent)) for message in messages
    )


def close_session(
    place: Place, session: str, *, occurred_at: Time | None = None, event_id: str | None = None
) -> Published:
    """Says that a session is over; what is said in it later is remembered all the same. Raises as `publish` does."""
    at = time_of(occurred_at)
    found = None if event_id is None else logged(place, [event_id]).get(event_id)
    if found is not None:
        check_same(event_id or "", found, closing(session, at))
        return Published(event_id or "", str(found.position))
    return acknowledged(place.producer().close_session(session, occurred_at=at, event_id=event_id))


def acknowledged(published: Acknowledged) -> Published:
    """What a producer says was published, as an answer."""
    position = None if published.position is None else str(published.position)
    return Published(published.event_id, position, published.spooled)


def logged(place: Place, event_ids: Sequence[str]) -> dict[str, Logged]:
    """Those of some events that the file has folded, by id; none where there is no file that can be read."""
    if not event_ids:
        return {}
    with suppress(SpaceNotFound, DamagedFile), place.reader() as connection:
        found = {event_id: _logged(connection, event_id) for event_id in event_ids}
        return {event_id: one for event_id, one in found.items() if one is not None}
    return {}


def _logged(connection: apsw.Connection, event_id: str) -> Logged | None:
    row: tuple[int, int, str, bytes] | None = connection.execute(_LOGGED, (event_id,)).fetchone()
    return None if row is None else Logged(Position(row[0], row[1]), row[2], row[3])


def _is_known(message: Message, known: Mapping[str, Logged]) -> bool:
    payload = payload_of(message)
    if message.event_id is None or message.event_id not in known:
        return False
    check_same(message.event_id, known[message.event_id], payload)
    return True


def check_same(event_id: str, found: Logged, payload: Payload) -> None:
    """Raises EventIdReused where the event that the log has under an id is another one."""
    if found.type != payload.TYPE or found.digest != digest(payload):
        raise EventIdReused(event_id)
