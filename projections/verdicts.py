"""Verdicts on pairs of facts: those that wait for a person, and those that retire a fact."""

from __future__ import annotations

import apsw
import msgspec


class PairOfFacts(msgspec.Struct, frozen=True):
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
# What supersedes a fact has an edge to it. What only says the same later has none, nor has what corrected it and was
# corrected itself.
_RETIRING = """
WITH paired (other, ruling, kind) AS (
    SELECT high, ruling, kind FROM verdicts WHERE low = ?1 AND state = 'in_force'
    UNION ALL SELECT low, ruling, kind FROM verdicts WHERE high = ?1 AND state = 'in_force'
), placed (node_id, start, said) AS (
    SELECT c.node_id, c.start, format('%020d %020d %s', n.occurred_at + 1000000000000000, n.seq, n.event_id)
    FROM cells c JOIN nodes n USING (node_id)
)
SELECT source FROM edges WHERE kind = 'supersedes' AND target = ?1
UNION SELECT p.other FROM paired p JOIN placed o ON o.node_id = p.other JOIN placed h ON h.node_id = ?1
WHERE p.ruling = 'same' AND (o.start, o.said, o.node_id) > (h.start, h.said, h.node_id)
UNION SELECT p.other FROM paired p JOIN cells c ON c.node_id = ?1
JOIN placed o ON o.node_id = p.other JOIN placed h ON h.node_id = ?1
WHERE p.kind = 'correction' AND c.retracted = 'corrected' AND o.said > h.said
ORDER BY 1
"""


def verdicts(connection: apsw.Connection, *, everything: bool = False) -> list[PairOfFacts]:
    """The verdicts that wait for a person, or all there are, by the ids of their facts."""
    condition = "1" if everything else "v.state = 'held'"
    return [PairOfFacts(*row) for row in connection.execute(f"{_SELECT} WHERE {condition} ORDER BY v.low, v.high")]


def retiring(connection: apsw.Connection, node_id: str) -> list[str]:
    """The ids of the facts that retire a fact by a verdict in force."""
    return [str(other) for (other,) in connection.execute(_RETIRING, (node_id,))]
