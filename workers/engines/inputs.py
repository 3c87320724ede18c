"""What a model is given: one JSON document for each job, with ids and texts, never instructions.

JSON escapes quotation marks, so no text can end its own string; the instructions stand in another message.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from mnemolog.schema.cells import Candidate
from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, JobMessage, ResolveWork
from mnemolog.schema.times import DAY, show

_MOST_OFFSET_MIN = 24 * 60 - 1
_QUOTE_CHARS = 200
_TOLD = ("content", "cell_type", "subject", "slot", "object", "polarity", "modality", "basis")
_DATES = ("holds_from", "holds_until", "due")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def of_extract(work: ExtractWork) -> str:
    """The messages of a window, the scenes in use and facts that may be meant."""
    return _document(
        {
            "kind": "extract",
            "space": work.space,
            "scenes": work.scenes,
            "facts": [_known(fact) for fact in work.facts],
            "messages": [_message(message) for message in work.messages],
        }
    )


def of_resolve(work: ResolveWork) -> str:
    """The facts, each once, and the pairs of them to be judged, the earlier one first."""
    place = {fact.id: (fact.valid_from, fact.occurred_at) for fact in work.cells}
    pairs = [sorted(pair, key=lambda id_: place.get(id_, (0, 0))) for pair in work.pairs]
    return _document(
        {"kind": "resolve", "space": work.space, "facts": [_fact(fact) for fact in work.cells], "pairs": pairs}
    )


def of_consolidate(work: ConsolidateWork) -> str:
    """A scene's facts, best first, and its present summary."""
    facts = [
        {"id": cell.node_id, "content": cell.content, "salience": cell.salience, "since": _day(cell.valid_from)}
        for cell in work.cells
    ]
    return _document(
        {"kind": "consolidate", "space": work.space, "scene": work.scene, "facts": facts, "summary": work.summary}
    )


def _document(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _message(message: JobMessage) -> dict[str, Any]:
    said_at, weekday = _local(message.occurred_at, message.utc_offset_min)
    given = {
        "event_id": message.event_id,
        "role": message.role,
        "speaker": message.speaker,
        "said_at": said_at,
        "weekday": weekday,
        "content": message.content,
    }
    return {**given, "read": True} if message.read else given


def _local(ms: int, offset_min: int) -> tuple[str, str]:
    """ISO 8601 with the offset, to the minute, and the day of the week."""
    minutes = max(-_MOST_OFFSET_MIN, min(offset_min, _MOST_OFFSET_MIN))
    at = _EPOCH + timedelta(milliseconds=ms)
    try:
        local = at.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        local = at
    return local.isoformat(timespec="minutes"), _WEEKDAYS[local.weekday()]


def _day(ms: int) -> str:
    return show(ms - ms % DAY)[:10]


def _known(fact: Candidate) -> dict[str, Any]:
    cell = fact.cell
    return {
        "id": fact.id,
        "content": cell.content,
        "subject": cell.subject,
        "scene": cell.scene,
        "since": _day(fact.valid_from),
    }


def _fact(fact: Candidate) -> dict[str, Any]:
    cell = fact.cell
    said = msgspec.to_builtins(cell)
    told = {name: said[name] for name in _TOLD if name in said}
    dates = {name: show(said[name]) for name in _DATES if name in said}
    quotes = [{"event_id": evidence.event_id, "quote": evidence.quote[:_QUOTE_CHARS]} for evidence in cell.evidence]
    return {"id": fact.id, **told, "said_at": show(fact.occurred_at), **dates, "evidence": quotes}
