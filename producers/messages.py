"""Messages as callers give them, and the events they become. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mnemolog.schema import times
from mnemolog.schema.codec import check_payload, check_text, decode, encode
from mnemolog.schema.errors import InvalidContent, InvalidInput, InvalidTime, Undecodable
from mnemolog.schema.events import ROLES, MessagePublished, Payload, Role, SessionClosed, SourceType, SpaceCreated
from mnemolog.schema.ids import MAX_ID_CHARS, MAX_STREAM_PART, EventId, EventIds, Position, check_space
from mnemolog.schema.policy import Policy

Time = datetime | int | str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said, for `publish_many`.

    A time is an aware datetime, ISO 8601 with an offset, or UTC milliseconds.
    """

    role: Role
    content: str
    session: str
    speaker: str | None = None
    occurred_at: Time | None = None
    event_id: str | None = None
    seq: int | None = None
    metadata: Mapping[str, Any] | None = None
    source_type: SourceType = "chat"
    line: int | None = None


class Published(msgspec.Struct, frozen=True):
    """What was acknowledged: the event's id, and its position on the stream.

    One that is `spooled` waits on this machine's disk for Redis to take it, and has no position yet.
    """

    event_id: EventId
    position: Position | None
    spooled: bool = False


class Outgoing(msgspec.Struct, frozen=True):
    """An event ready to be appended."""

    event_id: EventId
    body: bytes


def published(events: Sequence[Outgoing], positions: Sequence[Position] | None) -> list[Published]:
    """What became of events: None for positions says that they were spooled."""
    if positions is None:
        return [Published(event.event_id, None, spooled=True) for event in events]
    return [Published(event.event_id, position) for event, position in zip(events, positions, strict=True)]


def moment(value: Time) -> tuple[int, int]:
    """(UTC milliseconds, minutes east of UTC) of a time in any accepted form. Raises InvalidTime."""
    if isinstance(value, datetime):
        offset = value.utcoffset()
        return times.check(times.from_datetime(value)), int(offset.total_seconds() // 60) if offset else 0
    if isinstance(value, str):
        return times.parse_with_offset(value)
    if not isinstance(value, int):
        raise InvalidTime(
            f"a time is an aware datetime, ISO 8601 text or integer milliseconds, not {type(value).__name__}"
        )
    return times.check(value), 0


def check_id(what: str, value: str) -> str:
    """The id itself, if the log can hold it. Raises InvalidInput or InvalidContent."""
    check_text(what, value, 4 * MAX_ID_CHARS)
    if not 1 <= len(value) <= MAX_ID_CHARS:
        raise InvalidInput(f"{what} has 1 to {MAX_ID_CHARS} characters, not {len(value)}")
    return value


def payload_of(message: Message) -> MessagePublished:
    """The payload of a message. Raises InvalidInput, InvalidTime or InvalidContent, saying what is wrong with it."""
    if message.role not in ROLES:
        raise InvalidInput(f"role is one of {', '.join(ROLES)}, not {message.role!r}")
    if message.seq is not None and not (isinstance(message.seq, int) and 0 <= message.seq <= MAX_STREAM_PART):
        raise InvalidInput(f"seq is a counter from 0 to {MAX_STREAM_PART}, not {message.seq!r}")
    if not isinstance(message.metadata, Mapping | None):
        raise InvalidContent(f"metadata is an object of names and JSON values, not {type(message.metadata).__name__}")
    occurred_at, offset = moment(message.occurred_at) if message.occurred_at is not None else (None, 0)
    payload = MessagePublished(
        session=check_id("session", message.session),
        role=message.role,
        content=message.content,
        speaker=None if message.speaker is None else check_id("speaker", message.speaker),
        occurred_at=occurred_at,
        utc_offset_min=offset,
        seq=message.seq,
        line=message.line,
        source_type=message.source_type,
        metadata=dict(message.metadata or {}),
    )
    check_payload(payload)
    return payload


def closing(session: str, occurred_at: Time | None) -> SessionClosed:
    """The payload that closes a session. Raises as `payload_of` does."""
    payload = SessionClosed(
        session=check_id("session", session), occurred_at=None if occurred_at is None else moment(occurred_at)[0]
    )
    check_payload(payload)
    return payload


def outgoing(event_id: str, at: int, payload: Payload) -> Outgoing:
    """The event of a payload, encoded. Raises InvalidInput for an id, InvalidContent for what cannot be stored."""
    body = encode(check_id("event_id", event_id), at, payload)
    try:
        # What is acknowledged must be what the writer can fold.
        decode(body)
    except Undecodable as error:
        raise InvalidContent(f"the event cannot be stored: {error.detail}") from None
    return Outgoing(EventId(event_id), body)


class Builder:
    """Makes the events of one producer: stamps its clock, mints ids where the caller gives none."""

    def __init__(self, space: str, clock: Callable[[], int]) -> None:
        self.space = check_space(space)
        self._clock = clock
        self._ids = EventIds()

    def message(self, message: Message) -> Outgoing:
        """The event of a message. Raises as `payload_of` does."""
        return outgoing(message.event_id or self._ids.mint(), self._clock(), payload_of(message))

    def event(self, payload: Payload, event_id: str | None = None) -> Outgoing:
        """The event of any payload."""
        return outgoing(event_id or self._ids.mint(), self._clock(), payload)

    def creation(self, salt: str) -> Outgoing:
        """The first event of the space, with the policy in full."""
        return self.event(SpaceCreated(space=self.space, salt=salt, policy=Policy()))
