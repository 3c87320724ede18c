"""Filters: which nodes a search is limited to, as a condition in SQL, so that the best of what passes is found."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

_SPACE = re.compile(r"\s+")
_POSSESSIVE = re.compile(r"['’]s$")

# An index is walked from one name to the next.
_SESSIONS = """
WITH RECURSIVE name (session) AS (
    SELECT (SELECT min(session) FROM nodes WHERE type = 'episodic') UNION ALL
    SELECT (SELECT min(n.session) FROM nodes n WHERE n.type = 'episodic' AND n.session > name.session)
    FROM name WHERE name.session IS NOT NULL
) SELECT session FROM name WHERE session IS NOT NULL
"""
_SPEAKERS = """
WITH RECURSIVE name (speaker) AS (
    SELECT (SELECT min(speaker) FROM nodes) UNION ALL
    SELECT (SELECT min(n.speaker) FROM nodes n WHERE n.speaker > name.speaker) FROM name WHERE name.speaker IS NOT NULL
) SELECT speaker FROM name WHERE speaker IS NOT NULL
"""
_USERS = f"""
SELECT speaker FROM ({_SPEAKERS}) s WHERE EXISTS (SELECT 1 FROM nodes n WHERE n.speaker = s.speaker AND n.role = 'user')
LIMIT ?
"""
_SCENES = "SELECT scene FROM scenes"
_ENTITIES = "SELECT entity_id, name FROM entities UNION ALL SELECT entity_id, alias FROM entity_aliases"

_AFTER = "n.occurred_at >= :after"
_BEFORE = "n.occurred_at < :before"
_SAID_BY_THEN = "(n.type != 'episodic' OR n.occurred_at <= :said_until)"
# Of a fact the messages that say it count; of a message the facts that were taken from it.
_SAID = """(n.{column} IN (SELECT value FROM json_each(:{column}s)) OR n.type != 'episodic' AND EXISTS (
    SELECT 1 FROM edges d JOIN nodes m ON m.node_id = d.target WHERE d.kind = 'derived_from' AND d.source = n.node_id
    AND m.{column} IN (SELECT value FROM json_each(:{column}s))
))"""
_IN_SCENE = """(n.scene IN (SELECT value FROM json_each(:scenes)) OR n.type = 'episodic' AND EXISTS (
    SELECT 1 FROM edges d JOIN nodes f ON f.node_id = d.source WHERE d.kind = 'derived_from' AND d.target = n.node_id
    AND f.hidden = 0 AND f.scene IN (SELECT value FROM json_each(:scenes))
))"""
_MENTIONING = """EXISTS (
    SELECT 1 FROM edges x WHERE x.kind = 'entity' AND x.target IN (SELECT value FROM json_each(:entities))
    AND (x.source = n.node_id OR x.source IN (
        SELECT d.source FROM edges d WHERE d.kind = 'derived_from' AND d.target = n.node_id
    ))
)"""


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a search is limited to; nothing by default.

    `after` and `before` are UTC milliseconds of the time at which something was said or held, from `after` on and
    before `before`. Of the names of a kind one must fit; their case, width and spaces do not matter, and an entity
    goes by any of its aliases. A fact is of the session and the speaker of the messages that say it, a message of
    the scene and the entities of the facts that were taken from it.

    `said_until` (UTC milliseconds) leaves out what was said after a time, for questions about what was so then. It
    does not count for facts: one may have held before anybody said so.
    """

    after: int | None = None
    before: int | None = None
    sessions: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    said_until: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether anything is left out but what was said later."""
        return msgspec.structs.replace(self, said_until=None) != NO_FILTERS


NO_FILTERS = Filters()


class Condition(msgspec.Struct, frozen=True):
    """What the filters ask of a node `n` in SQL, and the values to bind; `sql` is empty where they ask nothing."""

    sql: str
    bindings: dict[str, Any]


NO_CONDITION = Condition("", {})


def condition(con: apsw.Connection, filters: Filters) -> Condition:
    """The condition of filters in a file: names as the file spells them; a name that it does not know fits nothing."""
    asked = [
        (filters.after is not None, _AFTER, "after", filters.after),
        (filters.before is not None, _BEFORE, "before", filters.before),
        (filters.said_until is not None, _SAID_BY_THEN, "said_until", filters.said_until),
        *(
            (bool(wanted), sql, name, wanted and _spelt(con, statement, wanted))
            for name, wanted, statement, sql in (
                ("sessions", filters.sessions, _SESSIONS, _SAID.format(column="session")),
                ("speakers", filters.speakers, _SPEAKERS, _SAID.format(column="speaker")),
                ("scenes", filters.scenes, _SCENES, _IN_SCENE),
                ("entities", filters.entities, _ENTITIES, _MENTIONING),
            )
        ),
    ]
    kept = [(sql, name, value) for is_asked, sql, name, value in asked if is_asked]
    return Condition(" AND ".join(sql for sql, _, _ in kept), {name: value for _, name, value in kept})


def normalised(name: str) -> str:
    """A name as names are compared: NFKC, casefolded, single spaces, no punctuation around it and no possessive.

    A name of punctuation alone stands as it is.
    """
    text = _SPACE.sub(" ", unicodedata.normalize("NFKC", name).casefold())
    return _POSSESSIVE.sub("", text.strip(" .,;:!?\"'“”‘’()")) or text.strip()


def _spelt(con: apsw.Connection, statement: str, wanted: Sequence[str]) -> str:
    """The ids whose names are wanted, as a JSON list; a row of the statement is an id, and a name if it has others."""
    names = {normalised(name) for name in wanted}
    rows: Iterable[Any] = con.execute(statement)
    return msgspec.json.encode(sorted({row[0] for row in rows if names & {normalised(name) for name in row}})).decode()


def user_speakers(con: apsw.Connection, most: int) -> list[str]:
    """Who has spoken as a user, in order of their names; no more than `most`."""
    return [name for (name,) in con.execute(_USERS, (most,))]
