"""The graph around a name: facts that are about it or mention it, what else they mention, and what replaced what.

Bounded: a person of ten thousand facts has as many drawn as a person can look at, the live and newest ones.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.names import Named, named

MOST_FACTS = 24
MOST_ENTITIES = 16
#: So many of the newest facts of a name are looked at to find the live ones among them.
_CONSIDERED = 200

_NEAREST = """
SELECT n.node_id FROM (
    SELECT node_id FROM cells WHERE subject IN (SELECT value FROM json_each(:subjects))
    UNION SELECT source FROM edges WHERE kind = 'entity' AND target IN (SELECT value FROM json_each(:entities))
) found JOIN nodes n USING (node_id) JOIN cells c USING (node_id)
WHERE c.retracted IS NULL AND n.occurred_at <= :at AND n.valid_from <= :at
ORDER BY (n.valid_until IS NULL OR n.valid_until > :at) DESC, n.occurred_at DESC, n.node_id LIMIT :limit
"""
_MENTIONS = """
SELECT e.source, e.target, t.kind,
    ifnull((SELECT min(alias) FROM entity_aliases a WHERE a.entity_id = e.target), t.name)
FROM edges e JOIN entities t ON t.entity_id = e.target
WHERE e.kind = 'entity' AND e.source IN (SELECT value FROM json_each(?1))
    AND e.target NOT IN (SELECT value FROM json_each(?2))
ORDER BY e.source, e.target
"""
_SUPERSEDES = """
SELECT source, target FROM edges WHERE kind = 'supersedes' AND valid_from <= ?2
    AND source IN (SELECT value FROM json_each(?1)) AND target IN (SELECT value FROM json_each(?1))
ORDER BY source, target
"""


class GraphEntity(msgspec.Struct, frozen=True):
    """Something that has a name, and how many of the facts drawn mention it."""

    entity_id: str
    kind: str
    name: str
    facts: int


class GraphFact(msgspec.Struct, frozen=True):
    """A fact of the graph. Confidence is that of the time asked about; `about` says whether it is about the name."""

    node_id: str
    content: str
    cell_type: str
    confidence: float
    status: str
    about: bool


class GraphEdge(msgspec.Struct, frozen=True):
    """An edge: `entity` from a fact to an entity's id, or `supersedes` from a fact to the older one."""

    kind: str
    source: str
    target: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a name; `more` says that there are facts beside those that are drawn."""

    name: str
    kinds: tuple[str, ...]
    facts: tuple[GraphFact, ...]
    entities: tuple[GraphEntity, ...]
    edges: tuple[GraphEdge, ...]
    more: bool


def around(connection: apsw.Connection, name: str, at: int, *, most_facts: int = MOST_FACTS) -> Graph:
    """The graph around what goes by a name, as at a time (UTC milliseconds): live facts first, the newest first.

    Raises UnknownName. The caller spans it with a read transaction.
    """
    profile = named(connection, name)
    found = _facts(connection, profile, at)
    drawn = found[:most_facts]
    ids = [one.node_id for one in drawn]
    entities, mentions = _entities(connection, profile, ids)
    replaced: list[Any] = connection.execute(_SUPERSEDES, (_json(ids), at)).fetchall()
    return Graph(
        name=profile.name,
        kinds=profile.kinds,
        facts=tuple(_drawn(one, profile) for one in drawn),
        entities=entities,
        edges=(*mentions, *(GraphEdge("supersedes", heir, older) for heir, older in replaced)),
        more=len(found) > most_facts,
    )


def _facts(connection: apsw.Connection, profile: Named, at: int) -> list[Fact]:
    asked = {"subjects": _json(profile.subjects), "entities": _json(profile.entity_ids)}
    rows = connection.execute(_NEAREST, {**asked, "at": at, "limit": _CONSIDERED})
    known = facts(connection, at, everything=True, node_ids=[node_id for (node_id,) in rows])
    return sorted(known, key=lambda one: (one.status != "live", -one.occurred_at, one.node_id))


def _entities(
    connection: apsw.Connection, profile: Named, ids: list[str]
) -> tuple[tuple[GraphEntity, ...], list[GraphEdge]]:
    """The entities that most of the facts mention, and the mentions of these."""
    rows: list[Any] = connection.execute(_MENTIONS, (_json(ids), _json(profile.entity_ids))).fetchall()
    told = {entity_id: (kind, name) for _, entity_id, kind, name in rows}
    counts = {entity_id: sum(row[1] == entity_id for row in rows) for entity_id in told}
    kept = sorted(told, key=lambda entity_id: (-counts[entity_id], entity_id))[:MOST_ENTITIES]
    edges = [GraphEdge("entity", source, entity_id) for source, entity_id, *_ in rows if entity_id in kept]
    return tuple(GraphEntity(entity_id, *told[entity_id], counts[entity_id]) for entity_id in kept), edges


def _drawn(one: Fact, profile: Named) -> GraphFact:
    about = one.subject in profile.subjects
    return GraphFact(one.node_id, one.content, one.cell_type, one.confidence_now, one.status, about)


def _json(values: list[str] | tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()
