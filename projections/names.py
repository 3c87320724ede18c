"""Names: who and what a memory knows, under which spellings, and how often it is told of."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import apsw
import msgspec

from mnemolog.projections.search.filters import normalised
from mnemolog.schema.errors import InvalidInput

_NEAR = 5
_SPELLINGS = """
SELECT 'entity', e.entity_id, e.kind, ifnull(a.alias, e.name), e.name
FROM entities e LEFT JOIN entity_aliases a USING (entity_id)
UNION SELECT 'subject', subject, '', subject, subject FROM cells
UNION SELECT 'speaker', speaker, iif(max(role = 'user'), 'person', ''), speaker, speaker FROM nodes
    WHERE type = 'episodic' AND speaker IS NOT NULL GROUP BY speaker
"""
_MENTIONED = """
SELECT e.target, count(*) FROM edges e JOIN cells c ON c.node_id = e.source
WHERE e.kind = 'entity' AND c.retracted IS NULL GROUP BY e.target
"""
_ABOUT = "SELECT subject, count(*) FROM cells WHERE retracted IS NULL GROUP BY subject"
_SPOKEN = "SELECT speaker, count(*) FROM nodes WHERE type = 'episodic' AND speaker IS NOT NULL GROUP BY speaker"


class UnknownName(InvalidInput):
    """Nobody and nothing in this memory goes by a name; `near` are names that look like it."""

    def __init__(self, name: str, near: tuple[str, ...]) -> None:
        self.name = name
        self.near = near
        meant = f": did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"nothing here is called {name[:100]!r}{meant} (`mnemolog entities` lists all names)")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """All that goes by one name: entities, subjects of facts, speakers; the counts are of facts and messages."""

    name: str
    kinds: tuple[str, ...]
    spellings: tuple[str, ...]
    entity_ids: tuple[str, ...]
    subjects: tuple[str, ...]
    speakers: tuple[str, ...]
    about: int
    mentioned: int
    spoken: int


def names(connection: apsw.Connection) -> list[Named]:
    """Everybody and everything that has a name, most told of first. What was forgotten or corrected does not count.

    The caller spans it with a read transaction.
    """
    rows: list[Any] = connection.execute(_SPELLINGS).fetchall()
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(normalised(row[4]), []).append(row)
    counts = [_counts(connection, sql) for sql in (_MENTIONED, _ABOUT, _SPOKEN)]
    found = [_named(key, group, counts) for key, group in groups.items() if key]
    return sorted(found, key=lambda one: (-(one.about + one.mentioned + one.spoken), one.name))


def _counts(connection: apsw.Connection, sql: str) -> dict[str, int]:
    rows: list[Any] = connection.execute(sql).fetchall()
    return dict(rows)


def _named(key: str, group: list[Any], counts: list[dict[str, int]]) -> Named:
    def of(what: str) -> tuple[str, ...]:
        return tuple(sorted({id_ for kind, id_, *_ in group if kind == what}))

    spellings = tuple(sorted({spelling for *_, spelling, _ in group}))
    kinds = {kind for _, _, kind, *_ in group if kind}
    entity_ids, subjects, speakers = of("entity"), of("subject"), of("speaker")
    mentioned, about, spoken = counts
    # The key of an entity is not how anybody writes it.
    return Named(
        name=(speakers or subjects or tuple(one for one in spellings if one != key) or spellings)[0],
        kinds=tuple(sorted(kinds)),
        spellings=spellings,
        entity_ids=entity_ids,
        subjects=subjects,
        speakers=speakers,
        about=sum(about.get(one, 0) for one in subjects),
        mentioned=sum(mentioned.get(one, 0) for one in entity_ids),
        spoken=sum(spoken.get(one, 0) for one in speakers),
    )


def named(connection: apsw.Connection, name: str) -> Named:
    """What goes by a name in any spelling. Raises UnknownName."""
    key = normalised(name)
    known = names(connection)
    for one in known:
        if key in _keys(one):
            return one
    raise UnknownName(name, tuple(_near(key, known)))


def _keys(one: Named) -> set[str]:
    return {normalised(spelling) for spelling in (*one.spellings, *one.subjects)}


def _near(key: str, known: list[Named]) -> Iterator[str]:
    """Names that look like another one, or hold it, the nearest first."""
    by_key = {spelling: one.name for one in known for spelling in _keys(one)}
    close = get_close_matches(key, by_key, n=_NEAR)
    holding = [other for other in by_key if key and (key in other.split() or other.startswith(key))]
    yield from list(dict.fromkeys(by_key[other] for other in (*close, *holding)))[:_NEAR]
