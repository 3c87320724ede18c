"""Bodies and query strings: what callers give, as structs. Times are ISO 8601 with an offset, or UTC milliseconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mnemolog.gateway.http.operation import Body, Query, Reading, Seconds
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.gateway.memory.searching import DEFAULT_LIMIT
from mnemolog.gateway.memory.timelines import MOST_OF_A_PAGE
from mnemolog.projections.context import DEFAULT_BUDGET
from mnemolog.projections.recall import MIN_SCORE
from mnemolog.schema.ids import MAX_ID_CHARS

Time = Annotated[str, msgspec.Meta(description="ISO 8601 with an offset, or UTC milliseconds")]
Moment = Annotated[str, msgspec.Meta(description="A time, or a position of the log such as 1757000000000-0")]
Cursor = Annotated[str, msgspec.Meta(description="The `next` of the page before")]
EventId = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS, description="An id of yours: it counts once"),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]
PageLimit = Annotated[int, msgspec.Meta(ge=1, le=MOST_OF_A_PAGE)]
NodeType = Literal["episodic", "semantic", "procedural", "opinion"]


class Event(Interaction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody said in a session: role, content and session; see the parameters of `publish`."""


class Batch(Body, frozen=True, kw_only=True):
    """What was said, in order. All of it is checked before the first is published."""

    events: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1)]


class Waiting(Query, frozen=True, kw_only=True):
    """Of what writes: whether to answer when the writer has folded it, and how long to wait for that."""

    wait: bool = False
    wait_s: Seconds = 10.0


class Requesting(Query, frozen=True, kw_only=True):
    """Of requests: as Waiting, but they wait unless told not to."""

    wait: bool = True
    wait_s: Seconds = 10.0


class Closing(Body, frozen=True, kw_only=True):
    """When a session ended, now unless given."""

    occurred_at: str | int | None = None
    event_id: EventId | None = None


class Narrowed(Body, frozen=True, kw_only=True):
    """What a question is limited to (times and names, of which one must fit), who asks it, and which time it is about.

    `asker` is the speaker that I and my in it mean, `time_zone` the one in which last week is meant.
    """

    after: str | int | None = None
    before: str | int | None = None
    sessions: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    asker: str | None = None
    time_zone: str | None = None
    now: str | int | None = None
    as_of: str | int | None = None
    known_at: str | int | None = None


class Recalling(Narrowed, frozen=True, kw_only=True):
    """A question; the answer is empty unless the best result has `min_score`.

    `record` False leaves no trace of it, and reinforces nothing.
    """

    query: str
    limit: Limit = DEFAULT_LIMIT
    types: tuple[NodeType, ...] | None = None
    min_score: Score = MIN_SCORE
    fallback: bool = False
    record: bool = True


class Contexting(Narrowed, frozen=True, kw_only=True):
    """A question whose answer is packed into a budget of tokens.

    `without` are event ids of messages that the reader has before it anyway; `message` is the event id of the message
    that the question was, if it was published.
    """

    query: str
    budget: int = DEFAULT_BUDGET
    without: tuple[str, ...] = ()
    message: str | None = None
    record: bool = True


class Times(Reading, frozen=True, kw_only=True):
    """Which time is asked about: now, what was true at a time, what was known at a moment."""

    now: Time | None = None
    as_of: Time | None = None
    known_at: Moment | None = None


class Page(Reading, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: PageLimit = 100
    cursor: Cursor | None = None


class SpacesWanted(Query, frozen=True, kw_only=True):
    """Which page of the spaces."""

    limit: PageLimit = 100
    cursor: Cursor | None = None


class Paged(Times, frozen=True, kw_only=True):
    """Which page of a list that tells of a time."""

    limit: PageLimit = 100
    cursor: Cursor | None = None


class FactsWanted(Paged, frozen=True, kw_only=True):
    """Which facts: those that are live, those that are not (`past`), or any; of a topic, a kind, about a subject."""

    standing: Literal["live", "past", "any"] = "live"
    scene: str | None = None
    cell_type: str | None = None
    subject: str | None = None


class MessagesWanted(Paged, frozen=True, kw_only=True):
    """Which messages: of a session or of all, those that come next `after` a node, with `all` hidden ones too."""

    session: str | None = None
    after: str | None = None
    everything: bool = msgspec.field(default=False, name="all")


class EntityWanted(Times, frozen=True, kw_only=True):
    """How much of an entity's story: so many moments of its timeline, with `all` also facts that are not live."""

    everything: bool = msgspec.field(default=False, name="all")
    limit: Limit = 20


class WhyWanted(Reading, frozen=True, kw_only=True):
    """At which time the story is told, and whether engines' replies stand in it in full."""

    now: Time | None = None
    full: bool = False


class WorkWanted(Reading, frozen=True, kw_only=True):
    """How many of each kind of open work are listed."""

    limit: PageLimit = 100


class ChangesWanted(Reading, frozen=True, kw_only=True):
    """Between which moments; with `all` also the words of what was forgotten since.

    A page holds so many changes. The counts are those of all pages; give the `until` of the first page with a cursor.
    """

    since: Moment
    until: Moment | None = None
    everything: bool = msgspec.field(default=False, name="all")
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    cursor: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0


class Missing(Narrowed, frozen=True, kw_only=True):
    """A text that is missing from the memory, or from the answer to a query with the options of recall."""

    text: str
    query: str | None = None
    limit: Limit = DEFAULT_LIMIT
    types: tuple[NodeType, ...] | None = None


class Repeatable(Body, frozen=True, kw_only=True):
    """A request that needs nothing but an id, to be repeated safely."""

    event_id: EventId | None = None


class Stating(Repeatable, frozen=True, kw_only=True):
    """What is so, who says it, and when that was said, now unless given."""

    text: str
    speaker: str | None = None
    occurred_at: str | int | None = None


class Forget(Repeatable, frozen=True, kw_only=True):
    """What is to be forgotten: what a text means, or a fact by its id. A preview touches nothing."""

    text: str | None = None
    node_id: str | None = None
    preview: bool = True


def given(struct: msgspec.Struct, *without: str) -> dict[str, Any]:
    """The fields of a struct as keyword arguments, but for some."""
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if name not in without}
