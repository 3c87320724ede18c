"""Results: what recall tells of a node that it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

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
_NODE = f"SELECT {_COLUMNS}, event_id FROM nodes WHERE number = ?"
_ID = "SELECT node_id, type, event_id FROM nodes WHERE number = ?"
_EVIDENCE = """
SELECT n.event_id FROM edges AS e CROSS JOIN nodes AS n ON n.node_id = e.target
WHERE e.kind = 'derived_from' AND e.source = ? AND n.type = 'episodic' ORDER BY n.occurred_at, n.seq, n.event_id
"""
_SUPERSEDED = """
SELECT e.target FROM edges AS e CROSS JOIN nodes AS n ON n.node_id = e.target
WHERE e.kind = 'supersedes' AND e.source = ? ORDER BY n.valid_from, e.target
"""


def results(con: apsw.Connection, best: Sequence[Scored], *, is_fallback: bool) -> list[Result]:
    """The nodes as they are told, in the same order."""
    return [_result(con, scored, is_fallback=is_fallback) for scored in best]


def _result(con: apsw.Connection, scored: Scored, *, is_fallback: bool) -> Result:
    *values, event_id = con.execute(_NODE, (scored.number,)).get
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), values, strict=True))
    said = fields["type"] == "episodic"
    same: list[Any] = [con.execute(_ID, (number,)).get for number in scored.same]
    return Result(
        score=scored.score,
        scores=scored.scores,
        event_ids=tuple(
            dict.fromkeys([*_said_in(con, fields["node_id"], fields["type"], event_id), *_all_said_in(con, same)])
        ),
        supersedes=() if said else _targets(con, _SUPERSEDED, fields["node_id"]),
        same_as=tuple(node_id for node_id, _, _ in same),
        fallback=is_fallback,
        **fields,
    )


def _all_said_in(con: apsw.Connection, nodes: Iterable[tuple[str, str, str]]) -> list[str]:
    return [event_id for node in nodes for event_id in _said_in(con, *node)]


def _said_in(con: apsw.Connection, node_id: str, node_type: str, event_id: str) -> tuple[str, ...]:
    return (event_id,) if node_type == "episodic" else _targets(con, _EVIDENCE, node_id)


def _targets(con: apsw.Connection, statement: str, node_id: str) -> tuple[str, ...]:
    return tuple(found for (found,) in con.execute(statement, (node_id,)))
