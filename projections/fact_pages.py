"""Facts a page at a time, the newest first: what a list shows of a memory of any size.

`projections.facts` weighs every fact that it is asked about. Here the file leaves out at once what cannot be meant,
and only what a page needs is weighed.
"""

from __future__ import annotations

import re
from typing import Literal

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import MAX_MS

Standing = Literal["live", "past", "any"]

MOST_FACTS = 200
#: As many facts are weighed for one page; where few of them are meant a page is shorter, and goes on all the same.
_WEIGHED = 1_000
#: Before the newest that there can be. What held at a time may have been said later.
_NEWEST = (MAX_MS + 1, "")
_TIME = re.compile(r"-?[0-9]{1,15}")

# An overestimate of what is live, and of what is not: a fact with an heir had another rate before, and one that was
# recalled faded earlier without it.
_MAY_BE = {
    "live": """c.retracted IS NULL AND n.valid_from <= :at AND (n.valid_until IS NULL OR n.valid_until > :at)
        AND (n.fades_at IS NULL OR n.fades_at > :at OR c.heir IS NOT NULL OR c.pinned)""",
    "past": """(c.retracted IS NOT NULL OR n.valid_from > :at OR n.valid_until <= :at OR n.fades_at <= :at
        OR n.access_count > 0)""",
    "any": "1",
}
# Without statistics SQLite would read all cells and sort them; the order of the tables is that of the index of times.
_PAGE = """
SELECT n.node_id FROM nodes n CROSS JOIN cells c ON c.node_id = n.node_id
WHERE n.cell_type IS NOT NULL AND (n.occurred_at, n.node_id) < (:before, :node) AND {condition}
ORDER BY n.occurred_at DESC, n.node_id DESC LIMIT :limit
"""
_OF_SCENE = """
SELECT n.node_id FROM nodes n INDEXED BY nodes_in_scene CROSS JOIN cells c ON c.node_id = n.node_id
WHERE n.scene = :scene AND (n.occurred_at, n.node_id) < (:before, :node) AND {condition}
ORDER BY n.occurred_at DESC, n.node_id DESC LIMIT :limit
"""


class FactPage(msgspec.Struct, frozen=True):
    """Facts, the newest first; `after` is the cursor of what comes next, None at the end."""

    facts: tuple[Fact, ...]
    after: str | None


def fact_page(
    connection: apsw.Connection,
    at: int,
    *,
    standing: Standing = "live",
    scene: str | None = None,
    cell_type: str | None = None,
    subject: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> FactPage:
    """Facts that are live at a time (UTC milliseconds), are not (`past`), or any; after a cursor.

    Raises InvalidInput for what is no cursor. The caller spans it with a read transaction.
    """
    limit = max(1, min(limit, MOST_FACTS))
    before, node = _NEWEST if after is None else _parsed(after)
    condition = _MAY_BE[standing] + (" AND n.cell_type = :cell_type" if cell_type else "")
    condition += " AND c.subject = :subject" if subject else ""
    sql = (_PAGE if scene is None else _OF_SCENE).format(condition=condition)
    asked = {"at": at, "scene": scene, "cell_type": cell_type, "subject": subject}
    found: list[Fact] = []
    for _ in range(_WEIGHED // limit):
        place = {"before": before, "node": node, "limit": limit}
        ids: list[str] = [node_id for (node_id,) in connection.execute(sql, {**asked, **place})]
        for one in _in_order(connection, ids, at):
            before, node = one.occurred_at, one.node_id
            if standing == "any" or (one.status == "live") == (standing == "live"):
                found.append(one)
            if len(found) == limit:
                return FactPage(tuple(found), f"{before}:{node}")
        if len(ids) < limit:
            return FactPage(tuple(found), None)
    return FactPage(tuple(found), f"{before}:{node}")


def _in_order(connection: apsw.Connection, node_ids: list[str], at: int) -> list[Fact]:
    known = {one.node_id: one for one in facts(connection, at, everything=True, node_ids=node_ids)}
    return [known[node_id] for node_id in node_ids]


def _parsed(after: str) -> tuple[int, str]:
    time, _, node = after.partition(":")
    if not _TIME.fullmatch(time):
        raise InvalidInput(f"{after[:100]!r} is not the cursor of a page of facts")
    return int(time), node
