"""What the tools take. The bounds here are in the schemas that clients see, and are checked before anything is done."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mnemolog.producers.requests import MAX_TEXT_CHARS
from mnemolog.projections.context import DEFAULT_BUDGET, LEAST_BUDGET
from mnemolog.schema.ids import MAX_ID_CHARS

MAX_QUERY_CHARS = 10_000
MAX_MESSAGE_CHARS = 200_000
MAX_NAMES = 20
#: What a model can take in at once.
MOST_RESULTS = 50
MOST_LISTED = 200
MOST_BUDGET = 20_000

_NODE = "A fact's id, or the beginning of it, such as ce-1f0c, as recall and context cite it."
_AS_OF = "Answer with what was true at this time, as is known today: ISO 8601 with an offset, 2026-03-09T10:00:00Z."

Statement = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]
Query = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]
Names = Annotated[tuple[Name, ...], Meta(max_length=MAX_NAMES)]
Time = Annotated[str, Meta(min_length=1, max_length=40, examples=["2026-03-09T10:00:00Z"])]
Node = Annotated[Name, Meta(description=_NODE)]
Cursor = Annotated[
    Annotated[str, Meta(min_length=1, max_length=500)] | None,
    Meta(description="The `next` of the answer before, for the page that follows it."),
]
EventId = Annotated[Name | None, Meta(description="An id of yours: the same call with it adds nothing more.")]


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments by name; others are refused."""


class Remember(Arguments, frozen=True, kw_only=True):
    """A statement."""

    text: Annotated[
        Statement,
        Meta(description="One or a few plain sentences that make sense by themselves: “Ada's locker is number 17.”"),
    ]
    speaker: Annotated[Name | None, Meta(description="Who says so; I and my mean that person.")] = None
    occurred_at: Annotated[Time | None, Meta(description="When it was said; now unless given.")] = None
    event_id: EventId = None


class Publish(Arguments, frozen=True, kw_only=True):
    """A turn of a conversation."""

    role: Annotated[Literal["user", "assistant"], Meta(description="Who said it.")]
    content: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_CHARS, description="The message, word for word.")]
    session: Annotated[Name | None, Meta(description="The conversation; this server's own unless given.")] = None
    speaker: Annotated[Name | None, Meta(description="A stable name or id of who said it.")] = None
    occurred_at: Annotated[Time | None, Meta(description="When it was said; now unless given.")] = None
    last: Annotated[
        bool, Meta(description="Whether the conversation is over: then facts are extracted from it soon.")
    ] = False
    event_id: EventId = None


class Recall(Arguments, frozen=True, kw_only=True):
    """A search."""

    query: Annotated[Query, Meta(description="What is to be found, in the words of the question; any text will do.")]
    limit: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description="How many results at most.")] = 10
    types: Annotated[
        tuple[Literal["episodic", "semantic", "procedural", "opinion"], ...],
        Meta(max_length=4, description="Only these: episodic are messages, the others are kinds of facts."),
    ] = ()
    speakers: Annotated[Names, Meta(description="Only what one of these said.")] = ()
    sessions: Annotated[Names, Meta(description="Only what was said in one of these sessions.")] = ()
    scenes: Annotated[Names, Meta(description="Only facts of one of these topics.")] = ()
    entities: Annotated[Names, Meta(description="Only what mentions one of these people, places or things.")] = ()
    after: Annotated[Time | None, Meta(description="Only what was said or held from this time on.")] = None
    before: Annotated[Time | None, Meta(description="Only what was said or held before this time.")] = None
    as_of: Annotated[Time | None, Meta(description=_AS_OF)] = None
    asker: Annotated[Name | None, Meta(description="Who asks: I and my in the query mean that person.")] = None


class Context(Arguments, frozen=True, kw_only=True):
    """A question, and how long the answer may be."""

    query: Annotated[Query, Meta(description="What the user just said, or the question to be answered.")]
    budget: Annotated[int, Meta(ge=LEAST_BUDGET, le=MOST_BUDGET, description="The most tokens of the answer.")] = (
        DEFAULT_BUDGET
    )
    as_of: Annotated[Time | None, Meta(description=_AS_OF)] = None
    asker: Annotated[Name | None, Meta(description="Who asks: I and my in the query mean that person.")] = None


class Facts(Arguments, frozen=True, kw_only=True):
    """Which facts."""

    scene: Annotated[Name | None, Meta(description="Only facts of this topic.")] = None
    subject: Annotated[Name | None, Meta(description="Only facts about this person or thing.")] = None
    standing: Annotated[
        Literal["live", "past", "any"],
        Meta(description="Facts that hold, or those that are superseded, ended, faded, corrected or forgotten."),
    ] = "live"
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="How many at most.")] = 50
    after: Cursor = None
    as_of: Annotated[Time | None, Meta(description=_AS_OF)] = None


class Correct(Arguments, frozen=True, kw_only=True):
    """A fact that never was so, and what is."""

    node: Node
    text: Annotated[Statement, Meta(description="What is true instead: a sentence, or the right value alone.")]
    occurred_at: Annotated[Time | None, Meta(description="When it was said; now unless given.")] = None
    event_id: EventId = None


class Forget(Arguments, frozen=True, kw_only=True):
    """What is to be forgotten: by words, which only shows it, or by id."""

    text: Annotated[
        Statement | None, Meta(description="Words that say what: this only shows what would be forgotten.")
    ] = None
    node: Annotated[Name | None, Meta(description=_NODE)] = None
    confirmed: Annotated[
        bool, Meta(description="True only after the user saw the preview and agreed; needs `node`.")
    ] = False
    event_id: EventId = None


class Why(Arguments, frozen=True, kw_only=True):
    """What is to be explained."""

    node: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_ID_CHARS,
            description="The id of a fact (ce-…) or message (ep-…), the beginning of one, or the key of a topic.",
        ),
    ]


class Timeline(Arguments, frozen=True, kw_only=True):
    """Which messages."""

    session: Annotated[Name | None, Meta(description="Only this session.")] = None
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="How many messages at most.")] = 50
    before: Cursor = None
    as_of: Annotated[Time | None, Meta(description=_AS_OF)] = None
