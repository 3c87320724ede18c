"""Results: what recall tells of a node that it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mnemolog.projections.connection import number_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A node that recall found. Times are milliseconds (UTC).

    `score` says how well it answers, from 0 (not at all) to about 1, and compares between questions; `scores` holds
    what each arm added to it, and beside them `coverage` and `similarity` (see Ranking). `event_ids` are the messages
    that say it, `supersedes` the node ids of facts whose place it took, `same_as` those of nodes that say the same and
    are no results of their own. `fallback` marks what was not found but is salient.
    """

    node_id: str
    type: str
    cell_type: str | None
    content: str
    score: float
    scores: dict[str, float]
    event_ids: tuple[str, ...]
    supersedes: tuple[str, ...]
    same_as: tuple[str, ...] = ()
    session: str | None
    role: str | None
    speaker: str | None
    occurred_at: int
    seq: int
    recorded_at: int
    valid_from: int
    valid_until: int | None
    confidence: float
    salience: float
    fallback: bool


class Scored(msgspec.Struct, frozen=True):
    """A node by its number, its score and the parts of it, and the numbers of those that say the same."""

    number: int
    score: float = 0.0
    scores: dict[str, float] = {}
    same: tuple[int, ...] = ()


_COLUMNS = (
    "node_id, type, cell_type, content, session, role, speaker, occurred_at, seq, recorded_at, valid_from,"
    " valid_until, confidence, salience"
)
_NAMES = _COLUMNS.split(", ")
_NODES = f"SELECT number, event_id, {_COLUMNS} FROM nodes WHERE number IN carray(?)"
_EVIDENCE = """
SELECT f.node_id, n.event_id FROM nodes AS f
CROSS JOIN edges AS e ON e.kind = 'derived_from' AND e.source = f.node_id
CROSS JOIN nodes AS n ON n.node_id = e.target AND n.type = 'episodic'
WHERE f.number IN carray(?) ORDER BY n.occurred_at, n.seq, n.event_id
"""
_SUPERSEDED = """
SELECT f.node_id, e.target FROM nodes AS f
CROSS JOIN edges AS e ON e.kind = 'supersedes' AND e.source = f.node_id
CROSS JOIN nodes AS n ON n.node_id = e.target
WHERE f.number IN carray(?) ORDER BY n.valid_from, e.target
"""


class _Read(msgspec.Struct, frozen=True):
    """What the file has of some nodes: their columns by number, and by node id what facts lead to."""

    nodes: dict[int, tuple[str, dict[str, Any]]]
    evidence: dict[str, list[str]]
    superseded: dict[str, list[str]]

    def said_in(self, number: int) -> list[str]:
        """The event ids of the messages that say a node."""
        event_id, node = self.nodes[number]
        return [event_id] if node["type"] == "episodic" else self.evidence.get(node["node_id"], [])


def results(con: apsw.Connection, best: Sequence[Scored], *, is_fallback: bool) -> list[Result]:
    """The nodes as they are told, in the same order."""
    read = _read(con, [number for scored in best for number in (scored.number, *scored.same)])
    return [_result(read, scored, is_fallback=is_fallback) for scored in best]


def _read(con: apsw.Connection, numbers: Sequence[int]) -> _Read:
    rows: Iterable[Any] = con.execute(_NODES, (number_array(numbers),))
    nodes = {number: (event_id, dict(zip(_NAMES, values, strict=True))) for number, event_id, *values in rows}
    facts = number_array([number for number, (_, node) in nodes.items() if node["type"] != "episodic"])
    return _Read(nodes, _by_fact(con, _EVIDENCE, facts), _by_fact(con, _SUPERSEDED, facts))


def _by_fact(con: apsw.Connection, statement: str, facts: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fact, target in con.execute(statement, (facts,)):
        found.setdefault(fact, []).append(target)
    return found


def _result(read: _Read, scored: Scored, *, is_fallback: bool) -> Result:
    _, fields = read.nodes[scored.number]
    said = [event_id for number in (scored.number, *scored.same) for event_id in read.said_in(number)]
    return Result(
        score=scored.score,
        scores=scored.scores,
        event_ids=tuple(dict.fromkeys(said)),
        supersedes=tuple(read.superseded.get(fields["node_id"], ())),
        same_as=tuple(read.nodes[number][1]["node_id"] for number in scored.same),
        fallback=is_fallback,
        **fields,
    )
