"""Facts: what cells say, which of them are live at a time, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from mnemolog.schema.decay import confidence_at
from mnemolog.schema.policy import DecayPolicy, Policy
from mnemolog.schema.times import show

_SELECT = """
SELECT n.node_id, n.type, n.cell_type, n.content, c.subject, c.slot, c.object, c.polarity, n.scene, n.salience,
       n.confidence, n.decay_rate, n.valid_from, n.valid_until, n.fades_at, n.occurred_at, c.start, c.due, c.heir,
       c.retracted, c.pinned, c.modality, n.access_count
FROM cells c JOIN nodes n USING (node_id)
"""
_ORDER = " ORDER BY n.valid_from, n.occurred_at, n.seq, n.event_id, n.node_id"
_COLUMNS = (
    *("node_id", "type", "cell_type", "content", "subject", "slot", "object", "polarity", "scene", "salience"),
    *("confidence", "decay_rate", "valid_from", "valid_until", "fades_at", "occurred_at", "start", "due", "heir"),
    *("retracted", "pinned", "modality", "access_count"),
)

_EVIDENCE = """
SELECT n.event_id, n.recorded_at FROM edges e JOIN nodes n ON n.node_id = e.target
WHERE e.kind = 'derived_from' AND e.source = ? ORDER BY n.occurred_at, n.seq, n.event_id
"""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A cell at a time asked about. Times are UTC milliseconds.

    `confidence_now` is that of the forgetting curve; `since` the beginning of the unbroken chain of cells that say
    the same; `status` is `live`, or why it is not: superseded, ended, future, faded, forgotten, corrected.
    """

    node_id: str
    type: str
    cell_type: str
    content: str
    subject: str
    slot: str | None
    object: str
    polarity: int
    scene: str
    salience: float
    confidence: float
    confidence_now: float
    valid_from: int
    valid_until: int | None
    since: int
    due: int | None
    fades_at: int | None
    superseded_by: str | None
    event_ids: tuple[str, ...]
    occurred_at: int
    pinned: bool
    access_count: int
    status: str
    note: str


def policy_of(connection: apsw.Connection) -> Policy:
    """The policy in force; the defaults before a space was created."""
    text = connection.execute("SELECT policy FROM space").get
    return msgspec.json.decode(text, type=Policy) if text else Policy()


def facts(
    connection: apsw.Connection,
    at: int,
    *,
    everything: bool = False,
    scene: str | None = None,
    subject: str | None = None,
    node_ids: Iterable[str] | None = None,
) -> list[Fact]:
    """The facts that are live at a time (UTC milliseconds), or all that are known, in order of time.

    The caller spans it with a read transaction where it asks more than once.
    """
    conditions, values = ["1"], []
    for column, value in (("n.scene", scene), ("c.subject", subject)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if node_ids is not None:
        conditions.append("n.node_id IN (SELECT value FROM json_each(?))")
        values.append(msgspec.json.encode(list(node_ids)).decode())
    rows = connection.execute(f"{_SELECT} WHERE {' AND '.join(conditions)}{_ORDER}", values).fetchall()
    decay = policy_of(connection).decay
    found = [_fact(connection, dict(zip(_COLUMNS, row, strict=True)), at, decay) for row in rows]
    return [fact for fact in found if everything or fact.status == "live"]


def fact(connection: apsw.Connection, node_id: str, at: int) -> Fact | None:
    """One fact, live or not; None when there is none of this id."""
    found = facts(connection, at, everything=True, node_ids=[node_id])
    return found[0] if found else None


def _fact(connection: apsw.Connection, row: dict[str, Any], at: int, decay: DecayPolicy) -> Fact:
    evidence = connection.execute(_EVIDENCE, (row["node_id"],)).fetchall()
    # What a recall reinforced after the time asked about does not count for it.
    recorded_at = max((recorded for _, recorded in evidence), default=0)
    reinforced_at = connection.execute(
        "SELECT max(recalled_at) FROM reinforcements WHERE node_id = ? AND recalled_at <= ?", (row["node_id"], at)
    ).get
    accessed = max(row["start"], recorded_at, reinforced_at or 0, row["due"] or 0)
    now = 1.0 if row["pinned"] else confidence_at(row["confidence"], row["decay_rate"], accessed, at, decay.exponent)
    status = _status(row, at, faded=now < decay.floor)
    if status == "superseded":
        now = min(now, decay.retired_confidence)
    shared = {name: row[name] for name in _COLUMNS if name in Fact.__struct_fields__}
    return Fact(
        **{**shared, "pinned": bool(row["pinned"])},
        confidence_now=round(row["confidence"] if row["pinned"] else now, 6),
        since=_since(connection, row["node_id"], row["valid_from"]),
        superseded_by=row["heir"],
        event_ids=tuple(event_id for event_id, _ in evidence),
        status=status,
        note=_note(row, at),
    )


def _status(row: dict[str, Any], at: int, *, faded: bool) -> str:
    if row["retracted"]:
        return str(row["retracted"])
    if at < row["valid_from"]:
        return "future"
    if row["valid_until"] is not None and at >= row["valid_until"]:
        return "superseded" if row["heir"] else "ended"
    return "faded" if faded else "live"


def _note(row: dict[str, Any], at: int) -> str:
    """What is to be added to a plan or a task whose time has come, and of which nobody said what became."""
    planned = row["cell_type"] in ("plan", "task") or row["modality"] == "planned"
    if planned and row["due"] is not None and at > row["due"] and row["heir"] is None:
        return f"planned for {show(row['due'])[:10]}, outcome unknown"
    return ""


_SAME_BEFORE = """
SELECT n.node_id, n.valid_from FROM cells c JOIN nodes n USING (node_id)
WHERE c.heir = ?1 AND c.retracted IS NULL AND n.valid_until = ?2 AND EXISTS (
    SELECT 1 FROM verdicts v WHERE v.state = 'in_force' AND v.ruling = 'same'
    AND v.low = min(c.node_id, ?1) AND v.high = max(c.node_id, ?1))
ORDER BY n.valid_from LIMIT 1
"""


def _since(connection: apsw.Connection, node_id: str, valid_from: int) -> int:
    """The beginning of the unbroken chain of `same` that ends in a cell."""
    since = valid_from
    while (before := connection.execute(_SAME_BEFORE, (node_id, since)).get) is not None:
        node_id, since = before
    return since
