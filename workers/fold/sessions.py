"""Sessions in the fold: one row each, read before a message is added and written after it."""

from __future__ import annotations

from typing import Any

import msgspec

from mnemolog.workers.fold.context import Context

Place = tuple[int, int, str]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Place, ...]).decode


class Session(msgspec.Struct, frozen=True):
    """A session's row. A place is (occurred_at, seq, event_id); `waiting` holds those of the messages whose window is
    open, in order of time, and `newest` the last place of all.
    """  # noqa: D205

    session: str
    messages: int = 0
    waiting: tuple[Place, ...] = ()
    opened_at: int | None = None
    newest: Place | None = None
    closed_at: int | None = None
    last_event: str | None = None
    last_recorded_at: int | None = None

    def with_message(self, place: Place, recorded_at: int, *, waits: bool) -> Session:
        """The session after one more message."""
        at, _, event_id = place
        return Session(
            self.session,
            self.messages + 1,
            tuple(sorted((*self.waiting, place))) if waits else self.waiting,
            at if self.opened_at is None else min(self.opened_at, at),
            place if self.newest is None else max(self.newest, place),
            self.closed_at,
            event_id,
            recorded_at,
        )

    def with_erased(self, place: Place, recorded_at: int, *, waits: bool) -> Session:
        """The session after a message that was erased: it has its place in time and window, and is no neighbour."""
        at, counter, event_id = place
        nobody = (at, counter, "")
        return msgspec.structs.replace(
            self,
            messages=self.messages + 1,
            waiting=tuple(sorted((*self.waiting, place))) if waits else self.waiting,
            opened_at=at if self.opened_at is None else min(self.opened_at, at),
            newest=nobody if self.newest is None else max(self.newest, nobody),
            last_event=event_id,
            last_recorded_at=recorded_at,
        )


def read(ctx: Context, session: str) -> Session:
    """The row of a session; an empty one when nothing is known of it."""
    row: Any = ctx.get(
        "SELECT messages, waiting, opened_at, newest_at, newest_seq, newest_event, closed_at, last_event, "
        "last_recorded_at FROM sessions WHERE session = ?",
        (session,),
    )
    if row is None:
        return Session(session)
    messages, waiting, opened_at, *newest, closed_at, last_event, last_recorded_at = row
    place = None if newest[2] is None else (newest[0], newest[1], newest[2])
    return Session(session, messages, _decode(waiting), opened_at, place, closed_at, last_event, last_recorded_at)


def write(ctx: Context, session: Session) -> None:
    """Puts a session's row in place of the one that is there, if one is."""
    ctx.run(
        "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (session) DO UPDATE SET "
        "messages = ?2, waiting = ?3, opened_at = ?4, newest_at = ?5, newest_seq = ?6, newest_event = ?7, "
        "closed_at = ?8, last_event = ?9, last_recorded_at = ?10",
        (
            session.session,
            session.messages,
            _encode(session.waiting).decode("utf-8"),
            session.opened_at,
            *(session.newest or (None, None, None)),
            session.closed_at,
            session.last_event,
            session.last_recorded_at,
        ),
    )
