"""Why a fact is not told: by what became of it, by the verdicts on it, and by what people decided."""

from __future__ import annotations

from typing import Any

from mnemolog.projections.facts import Fact, fact
from mnemolog.projections.reasons.reasons import Case, Finding, finding
from mnemolog.projections.reasons.wording import Match
from mnemolog.schema.times import show

_RULING = "SELECT ruling FROM verdicts WHERE low = ? AND high = ? AND state = 'in_force'"


def fact_findings(case: Case, match: Match) -> list[Finding]:
    """Why a fact that says the text is not told: of several reasons the deciding one first."""
    place = case.standing(match)
    told = fact(case.connection, match.node_id, case.now)
    if told is None or (place and place[0].reason == "in_answer"):
        return place
    newest = _newest(case, told)
    if newest.status != "live":
        return [_retired(case, match, newest)]
    if newest.node_id != told.node_id:
        detail = f"{newest.node_id} says the same since {show(newest.occurred_at)}: {newest.content}"
        return [finding(match, "same_as", detail, node_id=newest.node_id, occurred_at=newest.occurred_at)]
    return [*place, *([] if place and not told.held else [_live(match, told)])]


def _live(match: Match, told: Fact) -> Finding:
    """What is to be said of a live fact by itself."""
    if told.held:
        detail = f"verdicts between it and {', '.join(told.held)} wait: `mnemolog verdicts list`"
        return finding(match, "held", detail, others=list(told.held))
    detail = f"it is live since {show(told.since)}, confidence {told.confidence_now:.2f}"
    return finding(match, "remembered", detail, since=told.since, confidence_now=told.confidence_now)


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
    return finding(match, reason, f"{detail} {shown}", **evidence, **same)


def _superseded(case: Case, match: Match, told: Fact, same: dict[str, Any]) -> Finding:
    heir = None if told.superseded_by is None else fact(case.connection, told.superseded_by, case.now)
    # What was forgotten is not told by what it took the place of.
    forgotten = heir is not None and heir.status == "forgotten"
    by = "another fact" if heir is None else f"{heir.node_id}: {'forgotten since' if forgotten else heir.content}"
    since = "" if told.valid_until is None else f" since {show(told.valid_until)}"
    return finding(
        match,
        "superseded",
        f"superseded{since} by {by}",
        by=told.superseded_by,
        by_content=None if heir is None or forgotten else heir.content,
        since=told.valid_until,
        **same,
    )


def _taken_back(case: Case, match: Match, told: Fact, same: dict[str, Any]) -> Finding:
    """Forgotten or corrected, with the request that says so where a person made one."""
    asked = [one for one in case.decisions if one.kind == told.status and told.node_id in one.node_ids]
    at = f" on {show(asked[0].at)}" if asked else ""
    by = f" by {told.superseded_by}" if told.status == "corrected" and told.superseded_by else ""
    evidence = {"event_id": asked[0].event_id if asked else None, "at": asked[0].at if asked else None}
    return finding(match, told.status, f"{told.status}{at}{by}", by=told.superseded_by, **evidence, **same)
