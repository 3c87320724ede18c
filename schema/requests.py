"""Requests: what a person asks of the memory itself. Each is an event, and what it asks for is decided by the fold.

A request that states something carries the cells that the door read out of its text, so that the fold never reads.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Name, Ruling
from mnemolog.schema.controls import Decided
from mnemolog.schema.events import Id, Offset, Payload, TimeMs
from mnemolog.schema.outcomes import ExtractedCell, JobKey
from mnemolog.schema.recalls import MAX_ANSWERS, Answer

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=8 * MAX_SENTENCE_CHARS)]


class Statement(Payload, frozen=True, kw_only=True):
    """A request that states something: becomes a message of role user that no engine extracts, and its cells."""

    text: Text
    speaker: Id | None = None
    occurred_at: TimeMs | None = None
    utc_offset_min: Offset = 0
    cells: tuple[ExtractedCell, ...]


class FactRemembered(Statement, frozen=True, kw_only=True):
    """A person wants this remembered: believed fully, salience 1.

    `decided` is what is left of the fact that it corrected, where that was erased.
    """

    TYPE: ClassVar[str] = "fact_remembered"

    decided: Decided = ()


class FactCorrected(Statement, frozen=True, kw_only=True):
    """A person says that a fact was never true: what is stated takes its place from its beginning."""

    TYPE: ClassVar[str] = "fact_corrected"

    node_id: Name


class NodePayload(Payload, frozen=True, kw_only=True):
    """A request about one node."""

    node_id: Name


class FactConfirmed(NodePayload, frozen=True, kw_only=True):
    """A person confirms a fact: it does not fade any more. A later statement still supersedes it."""

    TYPE: ClassVar[str] = "fact_confirmed"


class FactUnpinned(NodePayload, frozen=True, kw_only=True):
    """A person takes a confirmation back: the fact fades again."""

    TYPE: ClassVar[str] = "fact_unpinned"


class FactsForgotten(Payload, frozen=True, kw_only=True):
    """A person wants facts retired: they are not told any more, nor what they were taken from.

    With `request` this is what was asked in talk, and confirmed.
    """

    TYPE: ClassVar[str] = "facts_forgotten"

    node_ids: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1_000)]
    request: Name | None = None


class RequestDismissed(Payload, frozen=True, kw_only=True):
    """A person does not want done what was asked in talk."""

    TYPE: ClassVar[str] = "request_dismissed"

    request: Name


class VerdictGiven(Payload, frozen=True, kw_only=True):
    """A person's verdict on two facts; it outweighs every engine's."""

    TYPE: ClassVar[str] = "verdict_given"

    first: Name
    second: Name
    ruling: Ruling


class VerdictsReviewed(Payload, frozen=True, kw_only=True):
    """A person decides on verdicts that were held: approved ones come into force, the others do not."""

    TYPE: ClassVar[str] = "verdicts_reviewed"

    pairs: Annotated[tuple[tuple[Name, Name], ...], msgspec.Meta(min_length=1)]
    approved: bool


class JobRequeued(Payload, frozen=True, kw_only=True):
    """A person wants a job done again: its next generation is due."""

    TYPE: ClassVar[str] = "job_requeued"

    job_key: JobKey


class NodesRecalled(Payload, frozen=True, kw_only=True):
    """Recalls of a while: facts that were used, each reinforced at its time, and the answers, for the recall log."""

    TYPE: ClassVar[str] = "nodes_recalled"

    recalls: Annotated[tuple[tuple[TimeMs, tuple[Name, ...]], ...], msgspec.Meta(max_length=10_000)] = ()
    answers: Annotated[tuple[Answer, ...], msgspec.Meta(max_length=MAX_ANSWERS)] = ()


class SessionIdled(Payload, frozen=True, kw_only=True):
    """The writer's process noticed that a session has been quiet since `last_event`."""

    TYPE: ClassVar[str] = "session_idled"

    session: Id
    last_event: Id


REQUESTS: tuple[type[Payload], ...] = (
    FactRemembered,
    FactCorrected,
    FactConfirmed,
    FactUnpinned,
    FactsForgotten,
    RequestDismissed,
    VerdictGiven,
    VerdictsReviewed,
    JobRequeued,
    NodesRecalled,
    SessionIdled,
)
