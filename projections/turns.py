"""The turns of one session as they were said, for a door that is told a whole conversation with every request."""

from __future__ import annotations

import apsw
import msgspec

from mnemolog.projections.connection import read_transaction
from mnemolog.schema.events import Role

_TURNS = """
SELECT role, content, event_id FROM nodes WHERE type = 'episodic' AND session = ?
ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT ?
"""


class SessionTurn(msgspec.Struct, frozen=True):
    """A message of a session: who said it, what, and its event id."""

    role: Role
    content: str
    event_id: str


def turns(connection: apsw.Connection, session: str, most: int) -> tuple[SessionTurn, ...]:
    """The messages of a session in order of time, the newest `most` of them; what was forgotten is among them."""
    with read_transaction(connection):
        found = connection.execute(_TURNS, (session, most)).fetchall()
    return tuple(SessionTurn(*row) for row in reversed(found))
