"""Controls over the log itself: which of its entries have no effect any more, and which have no content any more."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from mnemolog.schema.events import Counter, Id, Payload, StreamPart, TimeMs
from mnemolog.schema.ids import Position

#: How many outcomes one event may void; more of them take several events.
MAX_VOIDED = 50_000
MAX_REASON_CHARS = 2_000
#: How many tombstones one event may lift.
MAX_LIFTED = 10_000

VoidedEntry = tuple[StreamPart, StreamPart]
Word = Annotated[str, msgspec.Meta(max_length=40)]
#: A salted hash (see `salted`), in hexadecimal.
SaltedHash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
#: What an erasure names: a speaker, a session or an event by its salted hash, or the whole space.
ErasedWhat = Literal["speaker", "session", "event", "space"]
#: Decisions of people on facts by salted digests, each with the time up to which it holds.
Decided = tuple[tuple[SaltedHash, TimeMs], ...]


class OutcomesVoided(Payload, frozen=True, kw_only=True):
    """Outcomes, or earlier voids, have no effect any more: the state is the fold of the log without them.

    `positions` are (ms, seq) of entries before this one.
    """

    TYPE: ClassVar[str] = "outcomes_voided"

    positions: Annotated[tuple[VoidedEntry, ...], msgspec.Meta(min_length=1, max_length=MAX_VOIDED)]
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARS)] = ""

    @property
    def entries(self) -> tuple[Position, ...]:
        """The entries that are meant."""
        return tuple(Position(*position) for position in self.positions)


class ErasureRequested(Payload, frozen=True, kw_only=True):
    """A person wants content erased: all that stands before this entry and is of `hash`, and what was made from it.

    It names nothing by itself: `hash` is the salted hash of the speaker's name, the session's or the event's id, and
    empty for the whole space, or once it is `done`. What is with workers is to be done again: it may have been made
    from it.
    """

    TYPE: ClassVar[str] = "erasure_requested"

    what: ErasedWhat
    hash: SaltedHash | Literal[""] = ""
    done: bool = False

    def given(self) -> Any:
        """What the caller gave and carrying it out leaves as it is."""
        return (self.what,)


class EntryErased(Payload, frozen=True, kw_only=True):
    """What is left of an entry that was erased: no content, and all that the fold needs so that the rest stays.

    `kind` is the type it had and `event` the salted hash of its id, by which it is known if it comes again. A message
    still counts in the windows of its `session`, which is named by a salted hash when nothing else is left of it; so
    does a session's end. `decided` are digests by which a person's decision on facts is remembered; `hidden` are nodes
    that stay hidden, and `forgotten` facts that stay forgotten.
    """

    TYPE: ClassVar[str] = "entry_erased"

    kind: Word
    event: SaltedHash | None = None
    session: Id | None = None
    occurred_at: TimeMs | None = None
    counter: Counter = 0
    waits: bool = False
    decided: Decided = ()
    hidden: tuple[Id, ...] = ()
    forgotten: tuple[Id, ...] = ()


class ErasureLifted(Payload, frozen=True, kw_only=True):
    """A person publishes on purpose what was erased before: events of these salted ids are taken again."""

    TYPE: ClassVar[str] = "erasure_lifted"

    events: Annotated[tuple[SaltedHash, ...], msgspec.Meta(min_length=1, max_length=MAX_LIFTED)]


def salted(salt: str, *parts: str) -> str:
    """The hash that stands for a name on the log; it says nothing to who does not know the space's salt."""
    return blake2b("\x1f".join((salt, *parts)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def erased_id(position: Position) -> str:
    """The id of the event that stands for the one that was erased at a position."""
    return f"erased-{position}"


CONTROLS: tuple[type[Payload], ...] = (OutcomesVoided, ErasureRequested, EntryErased, ErasureLifted)
