"""Reasons why something is not told: their words, which are stable, and what they are decided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.reasons.decisions import Decision, decisions
from mnemolog.projections.reasons.standing import Answer, standing
from mnemolog.projections.reasons.wording import How, Match
from mnemolog.schema.archive import Entry

REASONS: dict[str, str] = {
    "in_answer": "it is in the answer",
    "remembered": "it is remembered and live",
    "never_published": "nothing like it was published",
    "erased": "nothing like it is there, and it may be among what was erased",
    "parked": "its entry could not be folded",
    "not_folded": "it is published, and the writer has not folded it yet",
    "waits_for_window": "its window of messages is still open",
    "waits_for_job": "an engine has not read it yet",
    "waits_for_budget": "an engine is to read it once there is a budget again",
    "job_failed": "the engine that was to read it failed",
    "not_extractable": "what such a message says makes no facts",
    "unknown_language": "the engine does not know its language",
    "nothing_found": "an engine read it and found nothing to remember",
    "refused": "an engine found it, and it did not hold up",
    "held": "a verdict on it waits for a person",
    "same_as": "something newer says the same",
    "superseded": "something else took its place",
    "ended": "it held until a time that was stated",
    "not_yet": "it holds from a later time on",
    "faded": "nobody asked about it for so long that it faded",
    "forgotten": "a person had it forgotten",
    "corrected": "a person corrected it",
    "voided": "the outcome that held it was called off",
    "filtered_out": "the options of the question leave it out",
    "no_vector": "its vector is not made yet",
    "out_ranked": "other results are better",
    "not_relevant": "it has too little to do with the question",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A reason with what shows it: `kind` is fact, message, proposal, dead_letter, entry or nothing.

    `match` says how the text is said there; `near` means that only something like it was found.
    """

    reason: str
    detail: str
    kind: str
    match: How | None
    node_id: str | None = None
    content: str = ""
    evidence: dict[str, Any] = {}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What lies beside the file: the archive, entries after the file's position, jobs that wait with the reason."""

    archive: Path
    pending: Sequence[Entry] = ()
    waiting: Mapping[str, str] = {}


class Case:
    """What all nodes that say a text are examined with; an answer only where a question was asked."""

    def __init__(self, connection: apsw.Connection, now: int, beside: Surroundings, asked: Answer | None) -> None:
        self.connection = connection
        self.now = now
        self.beside = beside
        self.asked = asked

    @cached_property
    def decisions(self) -> list[Decision]:
        """What people decided, the newest first."""
        return decisions(self.connection, self.beside.archive)[::-1]

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    def standing(self, match: Match) -> list[Finding]:
        """Where a node stands in the answer, where a question was asked."""
        if self.asked is None:
            return []
        found = standing(self.connection, self.asked, match)
        return [finding(match, found.reason, found.detail, **found.evidence)]


def finding(match: Match, reason: str, detail: str, **evidence: Any) -> Finding:
    """A reason why a node that says the text is not told."""
    return Finding(
        reason=reason,
        detail=detail,
        kind="message" if match.is_message else "fact",
        match=match.how,
        node_id=match.node_id,
        content=match.content,
        evidence=evidence,
    )
