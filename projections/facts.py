"""Facts: what cells say, which of them are live at a time, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from mnemolog.projections.lines.citations import resolve
from mnemolog.schema.cells import Cell
from mnemolog.schema.decay import confidence_at
from mnemolog.schema.policy import DecayPolicy, Policy
from mnemolog.schema.times import show

_COLUMNS = {
    "n": (
        *("node_id", "type", "cell_type", "content", "scene", "salience", "confidence", "decay_rate"),
        *("valid_from", "valid_until", "fades_at", "occurred_at", "utc_offset_min", "access_count"),
    ),
    "c": (
        *("subject", "slot", "object", "polarity", "stated_by", "start", "stated_end", "due", "heir", "retracted"),
        *("pinned", "modality"),
    ),
}
_NAMES = (*_COLUMNS["n"], *_COLUMNS["c"])
_SELECT = f"""
SELECT {", ".join(f"{table}.{name}" for table, names in _COLUMNS.items() for name in names)}
FROM cells c JOIN nodes n USING (node_id)
"""
_ORDER = " ORDER BY n.valid_from, n.occurred_at, n.seq, n.event_id, n.node_id"

_EVIDENCE = """
SELECT n.event_id, n.recorded_at FROM edges e JOIN nodes n ON n.node_id = e.target
WHERE e.kind = 'derived_from' AND e.source = ? ORDER BY n.occurred_at, n.seq, n.event_id
"""
_SAME_BEFORE = """
SELECT c.node_id, n.valid_from FROM (
    SELECT low AS other FROM verdicts WHERE high = ?1 AND ruling = 'same' AND state = 'in_force'
    UNION ALL SELECT high FROM verdicts WHERE low = ?1 AND ruling = 'same' AND state = 'in_force'
) v JOIN cells c ON c.node_id = v.other JOIN nodes n ON n.node_id = v.other
WHERE c.heir = ?1 AND c.retracted IS NULL AND n.valid_until = ?2 ORDER BY n.valid_from, c.node_id
"""
_SAME_AFTER = """
SELECT c.heir FROM cells c
JOIN verdicts v ON v.low = min(c.node_id, c.heir) AND v.high = max(c.node_id, c.heir)
WHERE c.node_id = ? AND c.retracted IS NULL AND v.ruling = 'same' AND v.state = 'in_force'
"""
_HELD = """
SELECT high FROM verdicts WHERE low = ?1 AND state = 'held'
UNION ALL SELECT low FROM verdicts WHERE high = ?1 AND state = 'held' ORDER BY 1
"""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A cell at a time asked about. Times are UTC milliseconds.

    `confidence_now` is that of the forgetting curve; `since` the beginning of the unbroken chain of cells that say
    the same, and `event_ids` the messages that say it; `status` is `live`, or why it is not: superseded, ended,
    future, faded, forgotten, corrected. `note` says of a plan whose time has come that nobody told what became of it.
    `held` are the facts between which and this one a verdict waits for a person.
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
    stated_by: str | None
    occurred_at: int
    utc_offset_min: int
    pinned: bool
    held: tuple[str, ...]
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

    Recalls after that time do not count for it. The caller spans it with a read transaction where it asks more than
    once.
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
    found = [_fact(connection, dict(zip(_NAMES, row, strict=True)), at, decay) for row in rows]
    return [fact for fact in found if everything or fact.status == "live"]


def fact(connection: apsw.Connection, node_id: str, at: int) -> Fact | None:
    """One fact, live or not; None when there is none of this id."""
    found = facts(connection, at, everything=True, node_ids=[node_id])
    return found[0] if found else None


def find_fact(connection: apsw.Connection, short: str) -> str:
    """The id of the one fact that a citation names (see citations.resolve). Raises InvalidInput."""
    return resolve(connection, short, ("ce-",))


def cell_of(connection: apsw.Connection, node_id: str) -> Cell:
    """What a fact says, as it was extracted."""
    return msgspec.json.decode(
        connection.execute("SELECT cell FROM cells WHERE node_id = ?", (node_id,)).get, type=Cell
    )


def saying_the_same(connection: apsw.Connection, node_id: str, at: int) -> list[str]:
    """A fact, and the older and newer ones that are one unbroken chain of `same` with it, oldest first."""
    newest = node_id
    while (heir := _same_after(connection, newest)) is not None:
        newest = heir
    start = connection.execute("SELECT valid_from FROM nodes WHERE node_id = ?", (newest,)).get
    chain = [earlier for earlier, _ in _chain(connection, newest, start)]
    return [found.node_id for found in facts(connection, at, everything=True, node_ids=chain)]


def _same_after(connection: apsw.Connection, node_id: str) -> str | None:
    heir: str | None = connection.execute(_SAME_AFTER, (node_id,)).get
    return heir


def _fact(connection: apsw.Connection, row: dict[str, Any], at: int, decay: DecayPolicy) -> Fact:
    own: list[Any] = connection.execute(_EVIDENCE, (row["node_id"],)).fetchall()
    superseded = row["heir"] is not None and row["valid_until"] is not None and at >= row["valid_until"]
    now = _confidence(connection, row, own[-1][1] if own else 0, at, decay, retired=superseded)
    chain = _chain(connection, row["node_id"], row["valid_from"])
    evidence = {event_id: None for event_id, _ in own}
    for earlier, _ in chain[1:]:
        evidence |= {str(event_id): None for event_id, _ in connection.execute(_EVIDENCE, (earlier,))}
    shared = {name: row[name] for name in _NAMES if name in Fact.__struct_fields__}
    return Fact(
        **{**shared, "pinned": bool(row["pinned"])},
        confidence_now=round(now, 6),
        since=chain[-1][1],
        superseded_by=row["heir"],
        event_ids=tuple(evidence),
        held=tuple(other for (other,) in connection.execute(_HELD, (row["node_id"],))),
        status=_status(row, at, faded=now < decay.floor),
        note=_note(row, at),
    )


def _confidence(
    connection: apsw.Connection, row: dict[str, Any], recorded_at: int, at: int, decay: DecayPolicy, *, retired: bool
) -> float:
    """The confidence at a time; what a recall reinforced after it does not count."""
    base, rate = row["confidence"], row["decay_rate"]
    if retired:
        base, rate = decay.retired_confidence, decay.retired_rate
    if row["pinned"]:
        return float(base)
    reinforced_at = connection.execute(
        "SELECT max(recalled_at) FROM reinforcements WHERE node_id = ? AND recalled_at <= ?", (row["node_id"], at)
    ).get
    accessed = max(row["start"], recorded_at, reinforced_at or 0, row["due"] or 0)
    return confidence_at(base, rate, accessed, at, decay.exponent)


def _status(row: dict[str, Any], at: int, *, faded: bool) -> str:
    if row["retracted"]:
        return str(row["retracted"])
    if at < row["valid_from"]:
        return "future"
    if row["valid_until"] is not None and at >= row["valid_until"]:
        return "superseded" if row["heir"] and row["valid_until"] != row["stated_end"] else "ended"
    return "faded" if faded else "live"


def _note(row: dict[str, Any], at: int) -> str:
    """What is to be added to a plan or a task whose time has come, and of which nobody said what became."""
    planned = row["cell_type"] in ("plan", "task") or row["modality"] == "planned"
    if planned and row["due"] is not None and at > row["due"] and row["heir"] is None:
        return f"planned for {show(row['due'])[:10]}, outcome unknown"
    return ""


def _chain(connection: apsw.Connection, node_id: str, valid_from: int) -> list[tuple[str, int]]:
    """The unbroken chain of `same` that ends in a cell: (node id, valid_from), the newest first."""
    chain = [(node_id, valid_from)]
    while (before := connection.execute(_SAME_BEFORE, chain[-1]).fetchone()) is not None:
        chain.append(before)
    return chain
