"""What the parts of the fold share while one event is folded: the tables, the event's place, the policy in force."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import apsw
import msgspec

from mnemolog.schema.errors import MnemologError
from mnemolog.schema.ids import Position
from mnemolog.schema.policy import Policy

_policies = msgspec.json.Decoder(Policy)


class Unfoldable(MnemologError):
    """An event that decodes and yet cannot be folded here; `reason` is a stable word."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class Context:
    """One connection, and the event that is being folded. Now is `now`: the event's `recorded_at`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.event_id = ""
        self.position = Position(0, 0)
        self._policy: Policy | None = None
        self._refused = 0

    def begin_transaction(self) -> None:
        """Forgets what was read before: a transaction that was rolled back may have written it."""
        self._policy = None

    def begin(self, event_id: str, position: Position) -> None:
        """Turns to the next event."""
        self.event_id = event_id
        self.position = position
        self._refused = 0

    @property
    def now(self) -> int:
        """The time of recording, in UTC milliseconds."""
        return self.position.ms

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        """Executes a statement."""
        return self.connection.execute(sql, values)

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        return self.connection.execute(sql, values).fetchall()

    def get(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """The one row of a query, as a scalar where it has one column; None when there is none."""
        return self.connection.execute(sql, values).get

    def set_policy(self, text: str) -> None:
        """Puts a policy into force."""
        self.run("UPDATE space SET policy = ?", (text,))
        self._policy = None

    @property
    def is_created(self) -> bool:
        """Whether the log has created the space, and so has a policy."""
        return self._policy is not None or bool(self.get("SELECT policy FROM space"))

    @property
    def policy(self) -> Policy:
        """The policy in force. Raises Unfoldable before the space is created."""
        if self._policy is None:
            text = str(self.get("SELECT policy FROM space"))
            if not text:
                raise Unfoldable("no_space", "the log does not begin with space_created")
            self._policy = _policies.decode(text)
        return self._policy

    @property
    def salt(self) -> str:
        """The space's salt."""
        return str(self.get("SELECT salt FROM space"))

    def refuse(self, reason: str, detail: str) -> None:
        """Records a proposal of this event that is not followed."""
        self.run("INSERT INTO refusals VALUES (?, ?, ?, ?)", (self.event_id, self._refused, reason, detail))
        self._refused += 1


def salted(salt: str, *parts: str) -> bytes:
    """A digest that says nothing to who does not know the space's salt."""
    return blake2b("\x1f".join((salt, *parts)).encode("utf-8"), digest_size=16).digest()
