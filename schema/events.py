"""The events of the log: payload structs, one per type and version, all named in the past tense.

A payload that changes its shape gets a new version here, an upcaster in `upcasters.py`, a golden file in
tests/replay/golden, and a higher SCHEMA_GENERATION. Old structs' golden files stay for ever.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from mnemolog.schema.ids import MAX_ID_CHARS, MAX_STREAM_PART, EventId, Position
from mnemolog.schema.policy import Policy
from mnemolog.schema.times import MAX_MS, MIN_MS

#: Grows by one whenever a type or a version is added; an unknown type of a higher generation is "newer than me".
SCHEMA_GENERATION = 1

#: The longest message content, in bytes of UTF-8.
MAX_CONTENT_BYTES = 2 * 1024 * 1024
#: The largest metadata object, in bytes of JSON.
MAX_METADATA_BYTES = 64 * 1024
#: How deep arrays and objects may be nested in metadata.
MAX_NESTING = 100
#: The longest encoded event the writer folds, in bytes: content may grow sixfold when JSON escapes it.
MAX_EVENT_BYTES = 6 * MAX_CONTENT_BYTES + 6 * MAX_METADATA_BYTES + 64 * 1024

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
TimeMs = Annotated[int, msgspec.Meta(ge=MIN_MS, le=MAX_MS)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_STREAM_PART)]
StreamPart = Annotated[int, msgspec.Meta(ge=0, le=MAX_STREAM_PART)]
Offset = Annotated[int, msgspec.Meta(ge=-24 * 60, le=24 * 60)]
Role = Literal["user", "assistant", "system", "tool"]
SourceType = Literal["chat", "import", "recall"]

ROLES: tuple[Role, ...] = ("user", "assistant", "system", "tool")


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all payloads share. `TYPE` is the event's name, `VERSION` the shape's number."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    def given(self) -> Any:
        """What the caller gave, for the digest that tells a repeated event from a reused id."""
        return self


class SpaceCreated(Payload, frozen=True, kw_only=True):
    """The first event of every space."""

    TYPE: ClassVar[str] = "space_created"

    space: Id
    salt: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    policy: Policy


class PolicySet(Payload, frozen=True, kw_only=True):
    """The whole policy that holds from here on."""

    TYPE: ClassVar[str] = "policy_set"

    policy: Policy


class MessagePublished(Payload, frozen=True, kw_only=True):
    """Somebody said something: becomes one episodic node.

    `occurred_at` is the caller's time (absent: the envelope's `at`), `utc_offset_min` the offset it was stated
    in, `seq` the caller's counter, `line` the line of an imported file (used as the counter where there is no
    `seq`, and not part of what the caller gave). `source_type` `recall` marks text that recall produced.
    """

    TYPE: ClassVar[str] = "message_published"

    session: Id
    role: Role
    content: str
    speaker: Id | None = None
    occurred_at: TimeMs | None = None
    utc_offset_min: Offset = 0
    seq: Counter | None = None
    line: Counter | None = None
    source_type: SourceType = "chat"
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)

    def given(self) -> Any:
        """What the caller gave; neither what the producer stamped nor where the line stood in its file."""
        return (self.session, self.role, self.content, self.speaker, self.occurred_at, self.seq, self.metadata)


class SessionClosed(Payload, frozen=True, kw_only=True):
    """The caller says that a session is over. What is said in it later is remembered all the same."""

    TYPE: ClassVar[str] = "session_closed"

    session: Id
    occurred_at: TimeMs | None = None

    def given(self) -> Any:
        """What the caller gave."""
        return (self.session, self.occurred_at)


class PositionPayload(Payload, frozen=True, kw_only=True):
    """A control that names one entry of the log."""

    ms: StreamPart
    seq: StreamPart

    @property
    def position(self) -> Position:
        """The entry that is meant."""
        return Position(self.ms, self.seq)


class EntryParked(PositionPayload, frozen=True, kw_only=True):
    """An operator lets the writer pass an entry that a newer version wrote: it becomes a dead letter."""

    TYPE: ClassVar[str] = "entry_parked"


class DeadLetterRequeued(PositionPayload, frozen=True, kw_only=True):
    """A parked entry is to be folded again, here."""

    TYPE: ClassVar[str] = "dead_letter_requeued"


class DeadLetterDiscarded(PositionPayload, frozen=True, kw_only=True):
    """A parked entry needs nothing more; it stays readable."""

    TYPE: ClassVar[str] = "dead_letter_discarded"


class GapAccepted(PositionPayload, frozen=True, kw_only=True):
    """An operator accepts that entries after this position were lost before the writer read them."""

    TYPE: ClassVar[str] = "gap_accepted"


INTERACTIONS_AND_CONTROLS: tuple[type[Payload], ...] = (
    SpaceCreated,
    PolicySet,
    MessagePublished,
    SessionClosed,
    EntryParked,
    DeadLetterRequeued,
    DeadLetterDiscarded,
    GapAccepted,
)


class Event(msgspec.Struct, frozen=True):
    """A decoded event: `at` is the producer's clock in UTC milliseconds, `digest` covers what the caller gave."""

    id: EventId
    type: str
    at: int
    payload: Payload
    digest: bytes
