"""Why not: the reason why something is not remembered, or not in an answer, each decided by evidence and shown with it.

The words of REASONS are stable. What a text means is looked for among nodes, entries that were parked or are not folded
yet, and what engines found and the fold refused; the best match comes first, and of several reasons the deciding one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from mnemolog.projections.integrity import position_of
from mnemolog.projections.reasons.fact_reasons import fact_findings
from mnemolog.projections.reasons.message_reasons import message_findings
from mnemolog.projections.reasons.reasons import REASONS, Case, Finding, Surroundings
from mnemolog.projections.reasons.standing import Answer
from mnemolog.projections.reasons.windows import called_off, refusals_saying
from mnemolog.projections.reasons.wording import HOWS, matches, parked, unfolded
from mnemolog.projections.tombstones import erasures
from mnemolog.schema.times import show


def why_not(
    connection: apsw.Connection, text: str, *, now: int, beside: Surroundings, asked: Answer | None = None
) -> list[Finding]:
    """Why a text is not remembered at a time (UTC milliseconds), or not in the answer `asked`; never empty.

    The caller spans it with a read transaction. Raises DamagedFile for a damaged archive.
    """
    said = matches(connection, text)
    case = Case(connection, now, beside, asked)
    found = [finding for one in said for finding in (message_findings if one.is_message else fact_findings)(case, one)]
    found += _elsewhere(connection, text, beside)
    surely = [finding for finding in found if finding.match != "near"]
    if not surely:
        found.insert(0, _nothing(connection))
    return sorted(_once(found), key=_place)


def _nothing(connection: apsw.Connection) -> Finding:
    """That nothing says it; where something was erased it may have been that, and nobody can tell."""
    gone = erasures(connection)
    if gone is None:
        return Finding(reason="never_published", detail=REASONS["never_published"], kind="nothing", match=None)
    detail = f"{REASONS['erased']}: {gone.entries} entries were, the last of them published on {show(gone.last.ms)}"
    evidence = {"entries": gone.entries, "last": gone.last}
    return Finding(reason="erased", detail=detail, kind="nothing", match=None, evidence=evidence)


def _place(finding: Finding) -> tuple[int, int, int]:
    how = -1 if finding.match is None else HOWS.index(finding.match)
    return (how, int(finding.reason != "in_answer"), int(finding.kind == "message"))


def _once(found: Sequence[Finding]) -> list[Finding]:
    """Each node's reasons once, where its best match has them."""
    kept: dict[tuple[Any, ...], Finding] = {}
    for finding in found:
        key = (finding.kind, finding.node_id or finding.content, finding.reason, str(finding.evidence.get("position")))
        before = kept.get(key)
        if before is None or _place(finding) < _place(before):
            kept[key] = finding
    return list(kept.values())


def _elsewhere(connection: apsw.Connection, text: str, beside: Surroundings) -> Iterator[Finding]:
    """What says a text and is no node."""
    yield from _not_folded(connection, text, beside)
    for letter, piece, how in parked(connection, text):
        yield Finding(
            reason="parked",
            detail=f"parked at {letter.position} ({letter.reason}: {letter.detail}); it is {letter.state}",
            kind="dead_letter",
            match=how,
            content=piece,
            evidence={"position": letter.position, "reason": letter.reason, "state": letter.state},
        )
    for off in called_off(connection, beside.archive, text):
        yield Finding(
            reason="voided",
            detail=f"an outcome at {off.position} said so, and was called off",
            kind="proposal",
            match=off.how,
            content=off.content,
            evidence={"position": off.position, "job_key": off.job_key, "event_id": off.event_id},
        )
    for event_id, refusal in refusals_saying(connection, text):
        yield Finding(
            reason="refused",
            detail=f"{refusal.reason}: {refusal.detail}",
            kind="proposal",
            match="part",
            content=text,
            evidence={"event_id": event_id, "reason": refusal.reason},
        )


def _not_folded(connection: apsw.Connection, text: str, beside: Surroundings) -> Iterator[Finding]:
    position = position_of(connection)
    pending = [entry for entry in beside.pending if entry.position > position]
    for one in unfolded(pending, text):
        yield Finding(
            reason="not_folded",
            detail=f"published at {one.entry.position}; the file is folded up to {position}",
            kind="entry",
            match=one.how,
            content=one.content,
            evidence={"event_id": one.event_id, "position": one.entry.position, "lag_events": len(pending)},
        )
