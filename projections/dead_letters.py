"""Reading dead letters: entries of the log that could not be folded."""

from __future__ import annotations

import apsw
import msgspec

from mnemolog.schema.ids import Position

_SELECT = "SELECT ms, seq, event_id, reason, detail, body, state FROM dead_letters"


class DeadLetter(msgspec.Struct, frozen=True):
    """An entry that could not be folded; `state` is parked, requeued (folded since) or discarded."""

    position: Position
    event_id: str | None
    reason: str
    detail: str
    body: bytes
    state: str


def _letter(row: tuple[int, int, str | None, str, str, bytes, str]) -> DeadLetter:
    ms, seq, *rest = row
    return DeadLetter(Position(ms, seq), *rest)  # type: ignore[arg-type]


def listed(connection: apsw.Connection, *, everything: bool) -> list[DeadLetter]:
    """What is parked, in the log's order; with `everything` also what was requeued or discarded."""
    where = "" if everything else " WHERE state = 'parked'"
    return [_letter(row) for row in connection.execute(f"{_SELECT}{where} ORDER BY ms, seq")]


def parked_after(connection: apsw.Connection, position: Position) -> list[DeadLetter]:
    """What is parked after a position, in the log's order."""
    rows = connection.execute(f"{_SELECT} WHERE (ms, seq) > (?, ?) AND state = 'parked' ORDER BY ms, seq", position)
    return [_letter(row) for row in rows]


def at(connection: apsw.Connection, position: Position) -> DeadLetter | None:
    """The dead letter of a position, or None."""
    row = connection.execute(f"{_SELECT} WHERE ms = ? AND seq = ?", position).fetchone()
    return _letter(row) if row else None
