"""Quiet sessions: after a while without a message by the clock, a session's window closes."""

from __future__ import annotations

import time
from hashlib import blake2b

import apsw
import msgspec
import redis

from mnemolog.schema.policy import Policy
from mnemolog.schema.requests import SessionIdled
from mnemolog.workers import outbox

#: How often sessions are looked through, and when an event that was not folded meanwhile is sent again.
LOOK_S = 1.0
AGAIN_S = 60.0

_QUIET = (
    "SELECT session, last_event FROM sessions "
    "WHERE waiting != '[]' AND last_recorded_at <= ? AND last_event IS NOT NULL "
    "ORDER BY last_recorded_at, session LIMIT 200"
)
_policies = msgspec.json.Decoder(Policy)


class IdleSessions:
    """Notices the quiet sessions of one space; only who holds the space may do that."""

    def __init__(self, client: redis.Redis, space: str) -> None:
        self._client = client
        self._space = space
        self._looked = 0.0
        self._sent: dict[str, float] = {}

    def look(self, con: apsw.Connection, now_ms: int) -> int:
        """Appends an event for each session that is quiet, at most every LOOK_S; how many. Raises errors of the log."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return 0
        self._looked = now
        self._sent = {event_id: at for event_id, at in self._sent.items() if now - at < AGAIN_S}
        fresh = [idled for idled in _quiet(con, now_ms) if idled_id(idled) not in self._sent]
        for idled in fresh:
            outbox.append(self._client, self._space, idled_id(idled), idled)
            self._sent[idled_id(idled)] = now
        return len(fresh)


def _quiet(con: apsw.Connection, now_ms: int) -> list[SessionIdled]:
    stored = con.execute("SELECT policy FROM space").get
    if not stored:
        return []
    since = now_ms - _policies.decode(stored).window.idle_ms
    return [SessionIdled(session=session, last_event=event) for session, event in con.execute(_QUIET, (since,))]


def idled_id(idled: SessionIdled) -> str:
    """The id of the event: the same for the same session and last message, whoever notices."""
    parts = f"{idled.session}\x1f{idled.last_event}".encode()
    return "idled-" + blake2b(parts, digest_size=16).hexdigest()
