"""Sessions: the conversations of a memory, page by page, the newest first."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.schema.errors import InvalidInput

#: Who speaks is told of so many of a session's messages.
_MESSAGES_LOOKED_AT = 1_000

_PAGE = """
SELECT session, messages, opened_at, newest_at, closed_at, json_array_length(waiting) FROM sessions
WHERE newest_at IS NOT NULL AND opened_at <= :at AND (:newest IS NULL OR (newest_at, session) < (:newest, :after))
ORDER BY newest_at DESC, session DESC LIMIT :most
"""
_NEWEST = "SELECT newest_at FROM sessions WHERE session = ? AND newest_at IS NOT NULL"
_BY_THEN = "SELECT count(*), max(occurred_at) FROM nodes WHERE type = 'episodic' AND session = ? AND occurred_at <= ?"
_SPEAKERS = f"""
SELECT speaker, min(place) FROM (
    SELECT coalesce(nullif(speaker, ''), role) AS speaker, row_number() OVER () AS place FROM (
        SELECT speaker, role FROM nodes WHERE type = 'episodic' AND session = ? AND occurred_at <= ?
        ORDER BY occurred_at, seq, event_id LIMIT {_MESSAGES_LOOKED_AT}
    )
) GROUP BY speaker ORDER BY 2
"""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: when its first and its last message were said, how many there are, and who speaks.

    `waiting` of them are in a window that is still open. `closed_at` is when it was last said to be over, None where it
    never was. Times are UTC milliseconds.
    """

    session: str
    first_at: int
    last_at: int
    messages: int
    waiting: int
    speakers: tuple[str, ...]
    closed_at: int | None


class SessionPage(msgspec.Struct, frozen=True):
    """Sessions, the newest first, and the cursor behind the last of them, None where no others follow."""

    sessions: tuple[Session, ...]
    after: str | None


def session_page(connection: apsw.Connection, at: int, *, limit: int, after: str | None = None) -> SessionPage:
    """The newest sessions that had begun at a time (UTC milliseconds), or those behind a cursor, which is a session.

    Messages count that had been said by then. Raises InvalidInput for a cursor that is none. The caller spans it with a
    read transaction.
    """
    newest = None if after is None else _newest(connection, after)
    rows: list[Any] = connection.execute(
        _PAGE, {"at": at, "newest": newest, "after": after, "most": limit + 1}
    ).fetchall()
    found = tuple(_session(connection, row, at) for row in rows[:limit])
    return SessionPage(found, found[-1].session if len(rows) > limit else None)


def _newest(connection: apsw.Connection, session: str) -> int:
    newest: int | None = connection.execute(_NEWEST, (session,)).get
    if newest is None:
        raise InvalidInput(f"{session[:100]!r} is no cursor: it is the name of a session of this memory")
    return newest


def _session(connection: apsw.Connection, row: Any, at: int) -> Session:
    session, messages, opened_at, newest_at, closed_at, waiting = row
    if newest_at > at:
        messages, newest_at = connection.execute(_BY_THEN, (session, at)).get
    speakers: list[Any] = connection.execute(_SPEAKERS, (session, at)).fetchall()
    return Session(
        session=session,
        first_at=opened_at,
        last_at=newest_at,
        messages=messages,
        waiting=waiting,
        speakers=tuple(speaker for speaker, _ in speakers),
        closed_at=closed_at,
    )
