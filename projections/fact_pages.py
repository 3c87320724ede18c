"""Facts page by page: a bounded number of them at a time, however many there are."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.schema.errors import InvalidInput

#: So many rows are looked at for each fact that is still wanted, since some of them turn out not to be live.
_ROWS_A_FACT = 2
_MOST_ROWS = 2_000

_KEY = "n.valid_from, n.occurred_at, n.seq, n.event_id, n.node_id"
_FROM = "FROM cells c JOIN nodes n USING (node_id)"
# What has faded is left to the forgetting curve, which depends on the time asked about.
_LIVE = "c.retracted IS NULL AND n.valid_from <= :at AND (n.valid_until IS NULL OR n.valid_until > :at)"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts: those that are live or all, of a scene, about a subject; in order of time or the newest first."""

    everything: bool = False
    scene: str | None = None
    subject: str | None = None
    newest_first: bool = False


class FactPage(msgspec.Struct, frozen=True):
    """Facts, and the cursor behind the last of them, None where no others follow."""

    facts: tuple[Fact, ...]
    after: str | None


def fact_page(
    connection: apsw.Connection, at: int, wanted: Wanted, *, limit: int, after: str | None = None
) -> FactPage:
    """The first facts at a time (UTC milliseconds), or the first behind a cursor, which is the id of a fact.

    Raises InvalidInput for a cursor that is none. The caller spans it with a read transaction.
    """
    found: list[Fact] = []
    cursor = after
    while len(found) <= limit:
        most = min(_MOST_ROWS, (limit + 1 - len(found)) * _ROWS_A_FACT)
        ids = _ids(connection, at, wanted, most, cursor)
        by_id = {fact.node_id: fact for fact in facts(connection, at, everything=wanted.everything, node_ids=ids)}
        found += [by_id[node_id] for node_id in ids if node_id in by_id]
        if len(ids) < most:
            break
        cursor = ids[-1]
    page = tuple(found[:limit])
    return FactPage(page, page[-1].node_id if len(found) > limit else None)


def _ids(connection: apsw.Connection, at: int, wanted: Wanted, most: int, after: str | None) -> list[str]:
    conditions = [] if wanted.everything else [_LIVE]
    bindings: dict[str, Any] = {"at": at, "most": most}
    for column, name, value in (("n.scene", "scene", wanted.scene), ("c.subject", "subject", wanted.subject)):
        if value is not None:
            conditions.append(f"{column} = :{name}")
            bindings[name] = value
    way, beyond = ("DESC", "<") if wanted.newest_first else ("ASC", ">")
    if after is not None:
        conditions.append(f"({_KEY}) {beyond} (:k0, :k1, :k2, :k3, :k4)")
        bindings |= {f"k{number}": part for number, part in enumerate(_key(connection, after))}
    where = " AND ".join(conditions) or "1"
    order = ", ".join(f"{column} {way}" for column in _KEY.split(", "))
    rows = connection.execute(f"SELECT n.node_id {_FROM} WHERE {where} ORDER BY {order} LIMIT :most", bindings)
    return [str(node_id) for (node_id,) in rows]


def _key(connection: apsw.Connection, node_id: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(
        f"SELECT {_KEY} {_FROM} WHERE n.node_id = ?", (node_id,)
    ).fetchone()
    if row is None:
        raise InvalidInput(f"{node_id[:100]!r} is no cursor: it is the id of a fact of this memory")
    return row
