"""Reasons: why a fact or a message is not told, decided by what the file and the archive have of it.

The words of REASONS are stable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.decisions import Decision, decisions
from mnemolog.projections.facts import Fact, fact
from mnemolog.projections.jobs import Job, JobOutcome, outcomes
from mnemolog.projections.standing import Answer, standing
from mnemolog.projections.windows import Window, refused_of, voiding, window_of
from mnemolog.projections.wording import How, Match
from mnemolog.schema.archive import Entry
from mnemolog.schema.times import show
from mnemolog.schema.troubles import job_name

REASONS: dict[str, str] = {
    "in_answer": "it is in the answer",
    "remembered": "it is remembered and live",
    "never_published": "nothing like it was published",
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


def node_findings(case: Case, match: Match) -> list[Finding]:
    """Why a node that says the text is not told: of several reasons the deciding one first."""
    place = [] if case.asked is None else [_standing(case, case.asked, match)]
    if place and place[0].reason == "in_answer":
        return place
    return _message_findings(case, match, place) if match.is_message else _fact_findings(case, match, place)


def _standing(case: Case, asked: Answer, match: Match) -> Finding:
    found = standing(case.connection, asked, match)
    return _finding(match, found.reason, found.detail, **found.evidence)


def _finding(match: Match, reason: str, detail: str, **evidence: Any) -> Finding:
    return Finding(
        reason=reason,
        detail=detail,
        kind="message" if match.is_message else "fact",
        match=match.how,
        node_id=match.node_id,
        content=match.content,
        evidence=evidence,
    )


# ---- facts -------------------------------------------------------------------------------------------------------

_RULING = "SELECT ruling FROM verdicts WHERE low = ? AND high = ? AND state = 'in_force'"


def _fact_findings(case: Case, match: Match, place: list[Finding]) -> list[Finding]:
    told = fact(case.connection, match.node_id, case.now)
    if told is None:
        return place
    newest = _newest(case, told)
    if newest.status != "live":
        return [_retired(case, match, newest)]
    if newest.node_id != told.node_id:
        detail = f"{newest.node_id} says the same since {show(newest.occurred_at)}: {newest.content}"
        return [_finding(match, "same_as", detail, node_id=newest.node_id, occurred_at=newest.occurred_at)]
    return [*(place or _undecided(match, told)), *(_undecided(match, told)[:1] if place and told.held else [])]


def _undecided(match: Match, told: Fact) -> list[Finding]:
    """A live fact of which nobody asked where it stands."""
    if told.held:
        detail = f"verdicts between it and {', '.join(told.held)} wait: `mnemolog verdicts list`"
        return [_finding(match, "held", detail, others=list(told.held))]
    detail = f"it is live since {show(told.since)}, confidence {told.confidence_now:.2f}"
    return [_finding(match, "remembered", detail, since=told.since, confidence_now=told.confidence_now)]


def _newest(case: Case, told: Fact) -> Fact:
    """The last of the facts that say the same after a fact, by the verdicts in force; itself where none does."""
    while told.status == "superseded" and told.superseded_by is not None:
        low, high = sorted((told.node_id, told.superseded_by))
        heir = fact(case.connection, told.superseded_by, case.now)
        if heir is None or case.rows(_RULING, low, high) != [("same",)]:
            break
        told = heir
    return told


def _retired(case: Case, match: Match, told: Fact) -> Finding:
    """Why a fact is not live. It stands for an older one that says the same, if it is not the match itself."""
    same = {} if told.node_id == match.node_id else {"same_as": told.node_id}
    if told.status == "superseded":
        return _superseded(case, match, told, same)
    if told.status in ("forgotten", "corrected"):
        return _taken_back(case, match, told, same)
    reason, detail, moment = {
        "ended": ("ended", "it held until", told.valid_until),
        "future": ("not_yet", "it holds from", told.valid_from),
        "faded": ("faded", "it faded on", told.fades_at),
    }[told.status]
    shown = "a time that is not known" if moment is None else show(moment)
    evidence = {"changed_at": moment, "confidence_now": told.confidence_now}
    return _finding(match, reason, f"{detail} {shown}", **evidence, **same)


def _superseded(case: Case, match: Match, told: Fact, same: dict[str, Any]) -> Finding:
    heir = None if told.superseded_by is None else fact(case.connection, told.superseded_by, case.now)
    by = "another fact" if heir is None else f"{heir.node_id}: {heir.content}"
    since = "" if told.valid_until is None else f" since {show(told.valid_until)}"
    return _finding(
        match,
        "superseded",
        f"superseded{since} by {by}",
        by=told.superseded_by,
        by_content=heir and heir.content,
        since=told.valid_until,
        **same,
    )


def _taken_back(case: Case, match: Match, told: Fact, same: dict[str, Any]) -> Finding:
    """Forgotten or corrected, with the request that says so where a person made one."""
    asked = [one for one in case.decisions if one.kind == told.status and told.node_id in one.node_ids]
    at = f" on {show(asked[0].at)}" if asked else ""
    by = f" by {told.superseded_by}" if told.status == "corrected" and told.superseded_by else ""
    evidence = {"event_id": asked[0].event_id if asked else None, "at": asked[0].at if asked else None}
    return _finding(match, told.status, f"{told.status}{at}{by}", by=told.superseded_by, **evidence, **same)


# ---- messages ----------------------------------------------------------------------------------------------------

_TAKEN = """
SELECT n.number, n.node_id, n.content FROM edges e JOIN nodes n ON n.node_id = e.source
WHERE e.kind = 'derived_from' AND e.target = ? ORDER BY n.number
"""
_SAID = "SELECT event_id, hidden, session FROM nodes WHERE node_id = ?"
_SILENT = """
SELECT count(*) FROM json_each(?) i JOIN nodes n ON n.node_id = i.value
WHERE n.role = 'user' AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.kind = 'derived_from' AND e.target = n.node_id)
"""


def _message_findings(case: Case, match: Match, place: list[Finding]) -> list[Finding]:
    ((event_id, hidden, session),) = case.rows(_SAID, match.node_id)
    taken = [
        Match(number, node_id, False, content, match.how, match.share)  # noqa: FBT003
        for number, node_id, content in case.rows(_TAKEN, match.node_id)
    ]
    of_facts = [finding for one in taken for finding in node_findings(case, one)]
    if hidden and not any(finding.reason == "forgotten" for finding in of_facts):
        place = [_finding(match, "forgotten", "a fact that was taken from it was forgotten")]
    if taken:
        return [*of_facts, *([] if hidden else place)]
    return [*place, _unread(case, match, event_id, session)]


def _unread(case: Case, match: Match, event_id: str, session: str) -> Finding:
    """Why no fact was taken from a message."""
    window = window_of(case.connection, match.node_id)
    if window.state == "open":
        detail = f"session {session!r} goes on: its window closes when it is full, idle or closed"
        return _finding(match, "waits_for_window", detail, session=session)
    if window.state == "not_extractable" and not _own_refusal(case, event_id):
        return _finding(match, "not_extractable", window.why)
    return _job_finding(case, match, event_id, window)


def _own_refusal(case: Case, event_id: str) -> bool:
    """Whether a message is a request of which something was refused."""
    return bool(case.rows("SELECT 1 FROM refusals WHERE event_id = ?", event_id))


def _job_finding(case: Case, match: Match, event_id: str, window: Window) -> Finding:
    if not window.jobs:
        return _read(case, match, event_id, None)
    job = window.jobs[-1]
    named = {"job_key": job.job_key, "generation": job.generation}
    if job.state == "due":
        return _due(case, match, job, named)
    if job.state == "failed":
        return _finding(match, "job_failed", f"job {job.job_key[:12]} was given up: {job.reason}", **named)
    if job.state == "void":
        off = voiding(case.connection, case.beside.archive, job)
        return _finding(match, "voided", f"job {job.job_key[:12]} was called off", **named, **off)
    return _read(case, match, event_id, job)


def _due(case: Case, match: Match, job: Job, named: dict[str, Any]) -> Finding:
    waits = case.beside.waiting.get(job_name(job.job_key, job.generation))
    if waits is not None:
        return _finding(match, "waits_for_budget", waits, **named)
    detail = f"job {job.job_key[:12]} is due since {show(job.made_at.ms)}, {job.attempts} attempts so far"
    return _finding(match, "waits_for_job", detail, **named, since=job.made_at.ms, attempts=job.attempts)


def _read(case: Case, match: Match, event_id: str, job: Job | None) -> Finding:
    """An engine has read it, and no fact came of it."""
    refused = refused_of(case.connection, case.beside.archive, match.node_id, event_id)
    if refused:
        first = refused[0]
        told = [{"reason": one.reason, "content": one.content, "event_id": one.event_id} for one in refused]
        return _finding(match, "refused", f"{first.reason}: {first.detail}", refusals=told)
    done = None if job is None else _outcome(case, job)
    if done is None or job is None:
        return _finding(match, "nothing_found", REASONS["nothing_found"])
    by = {"engine": done.engine, "model": done.model, "event_id": done.event_id, "position": done.position}
    ((unknown,),) = case.rows("SELECT unknown_language FROM outcomes WHERE event_id = ?", done.event_id)
    ((silent,),) = case.rows(_SILENT, msgspec.json.encode(job.inputs).decode())
    who = " ".join(filter(None, (done.engine, done.model)))
    if unknown and unknown >= silent:
        detail = f"{who} knows the language of none of the {unknown} messages that it took nothing from"
        return _finding(match, "unknown_language", detail, **by, unknown_language=unknown)
    detail = f"{who} read it on {show(done.position.ms)} and found nothing to remember"
    return _finding(match, "nothing_found", detail, **by, unknown_language=unknown)


def _outcome(case: Case, job: Job) -> JobOutcome | None:
    """The outcome that closed a job."""
    found = outcomes(case.connection, job.job_key)
    return next((one for one in found if one.generation == job.generation and one.accepted), None)
