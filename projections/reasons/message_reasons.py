"""Why a message, or what it says, is not told: by where it is on its way to an engine, and by what came of it."""

from __future__ import annotations

from typing import Any

import msgspec

from mnemolog.projections.jobs import Job, JobOutcome, outcomes
from mnemolog.projections.reasons.fact_reasons import fact_findings
from mnemolog.projections.reasons.reasons import REASONS, Case, Finding, finding
from mnemolog.projections.reasons.windows import Window, refused_of, voiding, window_of
from mnemolog.projections.reasons.wording import Match
from mnemolog.schema.times import show
from mnemolog.schema.troubles import job_name

_TAKEN = """
SELECT n.number, n.node_id, n.content FROM edges e JOIN nodes n ON n.node_id = e.source
WHERE e.kind = 'derived_from' AND e.target = ? ORDER BY n.number
"""
_SAID = "SELECT event_id, hidden, session FROM nodes WHERE node_id = ?"
_SILENT = """
SELECT count(*) FROM json_each(?) i JOIN nodes n ON n.node_id = i.value
WHERE n.role = 'user' AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.kind = 'derived_from' AND e.target = n.node_id)
"""


def message_findings(case: Case, match: Match) -> list[Finding]:
    """Why a message that says the text is not told, or the facts that were taken from it."""
    place = case.standing(match)
    if place and place[0].reason == "in_answer":
        return place
    ((event_id, hidden, session),) = case.rows(_SAID, match.node_id)
    taken = [
        Match(number, node_id, False, content, match.how, match.share)  # noqa: FBT003
        for number, node_id, content in case.rows(_TAKEN, match.node_id)
    ]
    of_facts = [found for one in taken for found in fact_findings(case, one)]
    if hidden and not any(found.reason == "forgotten" for found in of_facts):
        place = [finding(match, "forgotten", "a fact that was taken from it was forgotten")]
    if taken:
        return [*of_facts, *([] if hidden else place)]
    return [*place, _unread(case, match, event_id, session)]


def _unread(case: Case, match: Match, event_id: str, session: str) -> Finding:
    """Why no fact was taken from a message."""
    window = window_of(case.connection, match.node_id)
    if window.state == "open":
        detail = f"session {session!r} goes on: its window closes when it is full, idle or closed"
        return finding(match, "waits_for_window", detail, session=session)
    if window.state == "not_extractable" and not _own_refusal(case, event_id):
        return finding(match, "not_extractable", window.why)
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
        return finding(match, "job_failed", f"job {job.job_key[:12]} was given up: {job.reason}", **named)
    if job.state == "void":
        off = voiding(case.connection, case.beside.archive, job)
        return finding(match, "voided", f"job {job.job_key[:12]} was called off", **named, **off)
    return _read(case, match, event_id, job)


def _due(case: Case, match: Match, job: Job, named: dict[str, Any]) -> Finding:
    waits = case.beside.waiting.get(job_name(job.job_key, job.generation))
    if waits is not None:
        return finding(match, "waits_for_budget", waits, **named)
    detail = f"job {job.job_key[:12]} is due since {show(job.made_at.ms)}, {job.attempts} attempts so far"
    return finding(match, "waits_for_job", detail, **named, since=job.made_at.ms, attempts=job.attempts)


def _read(case: Case, match: Match, event_id: str, job: Job | None) -> Finding:
    """An engine has read it, and no fact came of it."""
    refused = refused_of(case.connection, case.beside.archive, match.node_id, event_id)
    if refused:
        first = refused[0]
        told = [{"reason": one.reason, "content": one.content, "event_id": one.event_id} for one in refused]
        return finding(match, "refused", f"{first.reason}: {first.detail}", refusals=told)
    done = None if job is None else _outcome(case, job)
    if done is None or job is None:
        return finding(match, "nothing_found", REASONS["nothing_found"])
    by = {"engine": done.engine, "model": done.model, "event_id": done.event_id, "position": done.position}
    ((unknown,),) = case.rows("SELECT unknown_language FROM outcomes WHERE event_id = ?", done.event_id)
    ((silent,),) = case.rows(_SILENT, msgspec.json.encode(job.inputs).decode())
    who = " ".join(filter(None, (done.engine, done.model)))
    if unknown and unknown >= silent:
        detail = f"{who} knows the language of none of the {unknown} messages that it took nothing from"
        return finding(match, "unknown_language", detail, **by, unknown_language=unknown)
    detail = f"{who} read it on {show(done.position.ms)} and found nothing to remember"
    return finding(match, "nothing_found", detail, **by, unknown_language=unknown)


def _outcome(case: Case, job: Job) -> JobOutcome | None:
    """The outcome that closed a job."""
    found = outcomes(case.connection, job.job_key)
    return next((one for one in found if one.generation == job.generation and one.accepted), None)
