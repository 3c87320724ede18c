"""Entities: all that a memory knows of a person, a place, a project or a thing by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from mnemolog.projections.digest.spans import Older
from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.indexes.analysis import folded_words, is_single_character
from mnemolog.projections.names import Named, named

_MENTIONING = """
SELECT DISTINCT source FROM edges WHERE kind = 'entity' AND target IN (SELECT value FROM json_each(?))
"""
_REPLACED = """
SELECT h.node_id, h.content, e.valid_from, o.node_id, o.content, o.valid_from, o.valid_until FROM edges e
JOIN nodes h ON h.node_id = e.source JOIN nodes o ON o.node_id = e.target JOIN cells c ON c.node_id = e.target
WHERE e.kind = 'supersedes' AND e.target IN (SELECT value FROM json_each(?1)) AND c.retracted IS NULL
    AND e.valid_from <= ?2
ORDER BY e.valid_from, h.node_id, o.node_id
"""
_SAYING = """
SELECT n.node_id, n.content, n.speaker, n.occurred_at FROM nodes n
WHERE n.type = 'episodic' AND n.hidden = 0 AND n.occurred_at <= :at AND n.node_id IN (
    SELECT target FROM edges WHERE kind = 'derived_from' AND source IN (SELECT value FROM json_each(:facts))
    UNION SELECT m.node_id FROM fulltext f JOIN nodes m ON m.number = f.rowid WHERE f.fulltext MATCH :phrase
)
ORDER BY n.occurred_at DESC, n.seq DESC, n.event_id DESC LIMIT :limit
"""
_RELATED = """
SELECT e.target, e2.kind, ifnull((SELECT min(alias) FROM entity_aliases a WHERE a.entity_id = e.target), e2.name),
    count(*) AS shared
FROM edges e JOIN entities e2 ON e2.entity_id = e.target
WHERE e.kind = 'entity' AND e.source IN (SELECT value FROM json_each(?1))
    AND e.target NOT IN (SELECT value FROM json_each(?2))
GROUP BY e.target ORDER BY shared DESC, e.target
"""
_PERIOD = """
SELECT min(occurred_at), max(occurred_at) FROM nodes
WHERE type = 'episodic' AND speaker IN (SELECT value FROM json_each(?)) AND occurred_at <= ?
"""
_NO_WORD = '""'


class Replaced(msgspec.Struct, frozen=True):
    """A fact that took the place of another one, and from when on."""

    node_id: str
    content: str
    since: int
    replaced: Older


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that names the entity: a message, or a fact with its status. Times are UTC milliseconds."""

    at: int
    kind: str
    node_id: str
    content: str
    speaker: str | None
    status: str


class Related(msgspec.Struct, frozen=True):
    """Another entity, and in how many facts the two stand together."""

    entity_id: str
    kind: str
    name: str
    facts: int


class EntityStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an entity at a time.

    `about` are the facts of which it is the subject and `mentions` the others that name it, live ones unless all were
    asked for; `first_at` and `last_at` tell when it spoke; `timeline` holds the newest moments, oldest first.
    """

    profile: Named
    first_at: int | None
    last_at: int | None
    about: tuple[Fact, ...]
    mentions: tuple[Fact, ...]
    changed: tuple[Replaced, ...]
    timeline: tuple[Moment, ...]
    related: tuple[Related, ...]


def entity(
    connection: apsw.Connection, name: str, at: int, *, everything: bool = False, limit: int = 20
) -> EntityStory:
    """What is known at a time (UTC milliseconds) of what goes by a name, with `limit` moments of its timeline.

    With `everything` also facts that are not live. Raises UnknownName. The caller spans it with a read transaction.
    """
    profile = named(connection, name)
    about = [one for subject in profile.subjects for one in facts(connection, at, everything=True, subject=subject)]
    mentioning = [node_id for (node_id,) in connection.execute(_MENTIONING, (_json(profile.entity_ids),))]
    own = {one.node_id for one in about}
    others = facts(connection, at, everything=True, node_ids=set(mentioning) - own)
    known = [one for one in (*about, *others) if everything or one.status not in ("forgotten", "corrected", "future")]
    first_at, last_at = connection.execute(_PERIOD, (_json(profile.speakers), at)).get
    return EntityStory(
        profile=profile,
        first_at=first_at,
        last_at=last_at,
        about=tuple(one for one in about if everything or one.status == "live"),
        mentions=tuple(one for one in others if everything or one.status == "live"),
        changed=_changed(connection, own, at),
        timeline=_timeline(connection, profile, known, at, limit),
        related=_related(connection, profile, known),
    )


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(values)).decode()


def _changed(connection: apsw.Connection, about: Iterable[str], at: int) -> tuple[Replaced, ...]:
    rows: list[Any] = connection.execute(_REPLACED, (_json(about), at)).fetchall()
    return tuple(Replaced(heir, content, since, Older(*older)) for heir, content, since, *older in rows)


def _timeline(
    connection: apsw.Connection, profile: Named, known: list[Fact], at: int, limit: int
) -> tuple[Moment, ...]:
    asked = {"at": at, "facts": _json(one.node_id for one in known), "phrase": _phrase(profile), "limit": limit}
    said: list[Any] = connection.execute(_SAYING, asked).fetchall()
    moments = [
        Moment(at=time, kind="message", node_id=node_id, content=content, speaker=speaker, status="")
        for node_id, content, speaker, time in said
    ]
    moments += [
        Moment(
            at=one.valid_from,
            kind="fact",
            node_id=one.node_id,
            content=one.content,
            speaker=one.stated_by,
            status=one.status,
        )
        for one in known
    ]
    moments.sort(key=lambda moment: (moment.at, moment.kind, moment.node_id))
    return tuple(moments[-limit:])


def _phrase(profile: Named) -> str:
    """The spellings of a name as an expression of full text; user text is never part of its syntax."""
    phrases = []
    for spelling in profile.spellings:
        words = folded_words(spelling)
        star = "*" if len(words) == 1 and is_single_character(words[0]) else ""
        phrases += [f'"{" ".join(words)}"{star}'] if words else []
    return f"{{content}} : ({' OR '.join(dict.fromkeys(phrases))})" if phrases else _NO_WORD


def _related(connection: apsw.Connection, profile: Named, known: list[Fact]) -> tuple[Related, ...]:
    told = _json(one.node_id for one in known)
    rows: list[Any] = connection.execute(_RELATED, (told, _json(profile.entity_ids))).fetchall()
    return tuple(Related(*row) for row in rows)
