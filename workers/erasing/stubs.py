"""Stubs: what is left on the log of each entry that is erased, or was made from what is, or names it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from mnemolog.schema.cells import Cell
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import Decided, EntryErased, erased_id, salted
from mnemolog.schema.events import Event, MessagePublished, Payload, SessionClosed
from mnemolog.schema.ids import Position
from mnemolog.workers.erasing.following import Gone
from mnemolog.workers.fold.cells import value_digests
from mnemolog.workers.fold.windows import is_extractable

_WHERE = "SELECT 1 FROM events WHERE event_id = ? AND ms = ? AND seq = ?"
_QUOTED = "SELECT target FROM edges WHERE kind = 'derived_from' AND source = ? ORDER BY target"
_SAID_AT = "SELECT occurred_at FROM nodes WHERE node_id = ?"
_ASKED_IN = "SELECT node_id FROM pending_requests WHERE request_id = ?"


class Stubs:
    """Makes stubs for the entries of one log, of which `connection` is the fold before the erasure.

    `gone_sessions` are those of which no message is left: they lose their names.
    """

    def __init__(self, connection: apsw.Connection, salt: str, gone_sessions: set[str]) -> None:
        self._connection = connection
        self._salt = salt
        self._gone_sessions = gone_sessions

    def session(self, name: str) -> str:
        """What a session is called from now on."""
        return salted(self._salt, "session", name) if name in self._gone_sessions else name

    def encoded(self, position: Position, payload: Payload) -> bytes:
        """The bytes of an event that stands for an erased one."""
        return encode(erased_id(position), max(0, position.ms), payload)

    def unreadable(self, position: Position) -> bytes:
        """What is left of an entry that was no event."""
        return self.encoded(position, EntryErased(kind="unknown"))

    def of(self, position: Position, event: Event, **left: Any) -> bytes:
        """What is left of an event; `left` are fields of the stub that keep what a person decided."""
        fields = {"kind": event.type, "event": salted(self._salt, "event", event.id), **left}
        # What was parked, or stands there a second time, is in no window.
        if self._connection.execute(_WHERE, (event.id, *position)).get:
            fields |= self._in_window(event)
        return self.encoded(position, EntryErased(**fields))

    def _in_window(self, event: Event) -> dict[str, Any]:
        payload = event.payload
        if isinstance(payload, SessionClosed):
            return {"session": self.session(payload.session)}
        if not isinstance(payload, MessagePublished):
            return {}
        return {
            "session": self.session(payload.session),
            "occurred_at": event.at if payload.occurred_at is None else payload.occurred_at,
            "counter": next((value for value in (payload.seq, payload.line) if value is not None), 0),
            "waits": is_extractable(payload),
        }

    # ---- what people decided -----------------------------------------------------------------------------------

    def decided(self, position: Position, facts: Iterable[tuple[str, Cell]]) -> Decided:
        """The digests of a decision on facts that go: neither they nor what is extracted like them comes back."""
        found: dict[str, int] = {}
        for node_id, cell in facts:
            said_at = self._connection.execute(_SAID_AT, (node_id,)).get or position.ms
            value, *evidence = value_digests(self._salt, cell)
            found[value.hex()] = position.ms
            found |= {digest.hex(): max(position.ms, said_at) for digest in evidence}
        return tuple(sorted(found.items()))

    def hidden(self, node_ids: Iterable[str], request: str | None, erased: set[str]) -> tuple[str, ...]:
        """The messages that forgetting some facts, or what a request asked, hid; without the erased ones."""
        found = {target for node_id in node_ids for (target,) in self._connection.execute(_QUOTED, (node_id,))}
        if request is not None:
            found |= {node_id for (node_id,) in self._connection.execute(_ASKED_IN, (request,))}
        return tuple(sorted(found - erased))


def cells_in(gone: Gone, node_ids: Iterable[str]) -> list[tuple[str, Cell]]:
    """Those of some facts that go, with their cells."""
    return [(node_id, gone.facts[node_id]) for node_id in node_ids if node_id in gone.facts]
