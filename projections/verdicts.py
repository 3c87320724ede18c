"""Verdicts on pairs of facts: those that wait for a person, and those that retire a fact."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec


class HeldVerdict(msgspec.Struct, frozen=True):
    """A verdict with the two facts that it is about; `state` is in_force, held or rejected."""

    first: str
    second: str
    first_content: str
    second_content: str
    subject: str
    ruling: str
    kind: str
    judge: str
    state: str


_SELECT = """
SELECT v.low, v.high, l.content, h.content, c.subject, v.ruling, v.kind, v.judge, v.state
FROM verdicts v JOIN nodes l ON l.node_id = v.low JOIN nodes h ON h.node_id = v.high JOIN cells c ON c.node_id = v.low
"""
_PAIRED = """
SELECT v.other, v.kind FROM (
    SELECT high AS other, ruling, kind FROM verdicts WHERE low = ?1 AND state = 'in_force'
    UNION ALL SELECT low, ruling, kind FROM verdicts WHERE high = ?1 AND state = 'in_force'
) v WHERE v.ruling IN ('same', 'supersedes') ORDER BY v.other
"""
_PLACE = """
SELECT ifnull(json_extract(c.cell, '$.correction'), 0), c.start, n.occurred_at, n.seq, n.event_id, c.node_id
FROM cells c JOIN nodes n USING (node_id) WHERE c.node_id = ?
"""


def verdicts(connection: apsw.Connection, *, everything: bool = False) -> list[HeldVerdict]:
    """The verdicts that wait for a person, or all there are, by the ids of their facts."""
    condition = "1" if everything else "v.state = 'held'"
    return [HeldVerdict(*row) for row in connection.execute(f"{_SELECT} WHERE {condition} ORDER BY v.low, v.high")]


def retiring(connection: apsw.Connection, node_id: str) -> list[str]:
    """The ids of the later facts that retire a fact by a verdict in force."""
    here = connection.execute(_PLACE, (node_id,)).get
    pairs = connection.execute(_PAIRED, (node_id,)).fetchall()
    return [other for other, kind in pairs if _comes_after(connection.execute(_PLACE, (other,)).get, here, kind)]


def _comes_after(place: tuple[Any, ...], here: tuple[Any, ...], kind: str) -> bool:
    """Whether a fact comes after another; of a correction what corrects, whenever it began."""
    if kind == "correction":
        return (place[0], *place[2:]) > (here[0], *here[2:])
    return place[1:] > here[1:]
