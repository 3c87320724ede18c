"""The fold: applies one event to the tables, and nothing but the event, the tables and its position decide how.

No clock, randomness, environment or setting is read here; now is the event's `recorded_at`, the milliseconds of its
position. What cannot be folded raises `Unfoldable` before any row is written.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw
import msgspec

from mnemolog.projections import fulltext
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import MnemologError, NewerEvent, Undecodable
from mnemolog.schema.events import (
    DeadLetterDiscarded,
    DeadLetterRequeued,
    EntryParked,
    Event,
    GapAccepted,
    MessagePublished,
    PolicySet,
    SessionClosed,
    SpaceCreated,
)
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.log import event_of
from mnemolog.schema.policy import Policy

EPISODE_SALIENCE = 0.5
EPISODE_CONFIDENCE = 1.0

_canonical = msgspec.json.Encoder(order="sorted")
_policies = msgspec.json.Decoder(Policy)


class Unfoldable(MnemologError):
    """An event that decodes and yet cannot be folded here; `reason` is a stable word."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class Fold:
    """Applies entries to the tables of one connection, inside the caller's transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._policy: tuple[str, Policy] | None = None
        self._handlers: dict[type, Callable[[Event, Position], None]] = {
            SpaceCreated: self._space_created,
            PolicySet: self._policy_set,
            MessagePublished: self._message_published,
            SessionClosed: self._session_closed,
            DeadLetterRequeued: self._dead_letter_requeued,
            DeadLetterDiscarded: self._dead_letter_discarded,
            EntryParked: self._only_recorded,
            GapAccepted: self._only_recorded,
        }

    def apply(self, entry: Entry, decoded: Event | Undecodable) -> None:
        """Folds one entry, or parks it with its reason."""
        if isinstance(decoded, Undecodable):
            self.park(entry, None, decoded.reason, decoded.detail)
            return
        try:
            self._event(decoded, entry.position)
        except Unfoldable as error:
            self.park(entry, decoded.id, error.reason, error.detail)

    def park(self, entry: Entry, event_id: str | None, reason: str, detail: str) -> None:
        """Keeps an entry that cannot be folded as a dead letter, with its bytes."""
        self._connection.execute(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, 'parked')",
            (*entry.position, event_id, reason, detail, entry.body),
        )

    def _event(self, event: Event, position: Position) -> None:
        known = self._connection.execute("SELECT digest FROM events WHERE event_id = ?", (event.id,)).fetchone()
        if known is not None:
            if known[0] != event.digest:
                raise Unfoldable("id_reused", f"event id {event.id!r} was used before for something else")
            return
        self._handlers[type(event.payload)](event, position)
        self._connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)", (event.id, *position, event.type, event.digest)
        )

    # ---- controls ----------------------------------------------------------------------------------------------

    def _space_created(self, event: Event, position: Position) -> None:
        payload: SpaceCreated = event.payload  # type: ignore[assignment]
        if self._stored_policy():
            raise Unfoldable("space_exists", f"space {payload.space!r} was created before")
        self._connection.execute("UPDATE space SET salt = ?", (payload.salt,))
        self._store_policy(payload.policy)

    def _policy_set(self, event: Event, position: Position) -> None:
        payload: PolicySet = event.payload  # type: ignore[assignment]
        self._policy_in_force()
        self._store_policy(payload.policy)

    def _store_policy(self, policy: Policy) -> None:
        text = _canonical.encode(policy).decode("utf-8")
        self._connection.execute("UPDATE space SET policy = ?", (text,))

    def _stored_policy(self) -> str:
        return str(self._connection.execute("SELECT policy FROM space").get)

    def _policy_in_force(self) -> Policy:
        text = self._stored_policy()
        if not text:
            raise Unfoldable("no_space", "the log does not begin with space_created")
        if self._policy is None or self._policy[0] != text:
            self._policy = (text, _policies.decode(text))
        return self._policy[1]

    def _only_recorded(self, event: Event, position: Position) -> None:
        """The event stands in `events`; what it says is read from the log, not from a table."""

    def _dead_letter_requeued(self, event: Event, position: Position) -> None:
        payload: DeadLetterRequeued = event.payload  # type: ignore[assignment]
        letter = self._connection.execute(
            "SELECT body FROM dead_letters WHERE ms = ? AND seq = ? AND state != 'requeued'", payload.position
        ).fetchone()
        if letter is None:
            raise Unfoldable("no_dead_letter", f"nothing is parked at {payload.position}")
        self._set_dead_letter(
            payload.position, "requeued" if self._folds_now(Entry(payload.position, letter[0])) else "parked"
        )

    def _folds_now(self, entry: Entry) -> bool:
        try:
            event = event_of(entry)
            # A parked requeue could name itself.
            if isinstance(event.payload, DeadLetterRequeued):
                return False
            self._event(event, entry.position)
        except (Undecodable, NewerEvent, Unfoldable):
            return False
        return True

    def _dead_letter_discarded(self, event: Event, position: Position) -> None:
        payload: DeadLetterDiscarded = event.payload  # type: ignore[assignment]
        if not self._set_dead_letter(payload.position, "discarded"):
            raise Unfoldable("no_dead_letter", f"nothing is parked at {payload.position}")

    def _set_dead_letter(self, position: Position, state: str) -> bool:
        self._connection.execute(
            "UPDATE dead_letters SET state = ? WHERE ms = ? AND seq = ? AND state != 'requeued'", (state, *position)
        )
        return self._connection.changes() > 0

    # ---- interactions ------------------------------------------------------------------------------------------

    def _message_published(self, event: Event, position: Position) -> None:
        payload: MessagePublished = event.payload  # type: ignore[assignment]
        policy = self._policy_in_force()
        occurred_at = event.at if payload.occurred_at is None else payload.occurred_at
        seq = next((value for value in (payload.seq, payload.line) if value is not None), 0)
        node_id = episode_id(event.id)
        before, after = self._neighbours(payload.session, (occurred_at, seq, event.id))
        self._insert_episode(node_id, event, position, occurred_at, seq, policy.caps.future_ms)
        self._link(before, (node_id, occurred_at), after)
        self._connection.execute(
            "INSERT INTO sessions VALUES (?1, 1, ?2, ?2, NULL) ON CONFLICT (session) DO UPDATE SET "
            "messages = messages + 1, opened_at = min(ifnull(opened_at, ?2), ?2), "
            "newest_at = max(ifnull(newest_at, ?2), ?2)",
            (payload.session, occurred_at),
        )

    def _insert_episode(
        self, node_id: str, event: Event, position: Position, occurred_at: int, seq: int, future_ms: int
    ) -> None:
        payload: MessagePublished = event.payload  # type: ignore[assignment]
        recorded_at = position.ms
        valid_from = min(occurred_at, recorded_at + future_ms)
        self._connection.execute(
            "INSERT INTO nodes (node_id, type, content, salience, session, role, speaker, source_type, metadata, "
            "occurred_at, utc_offset_min, seq, event_id, valid_from, confidence, access_count, last_accessed, "
            "decay_rate, recorded_at, position_ms, position_seq) "
            "VALUES (?, 'episodic', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0.0, ?, ?, ?)",
            (
                node_id,
                payload.content,
                EPISODE_SALIENCE,
                payload.session,
                payload.role,
                payload.speaker,
                payload.source_type,
                _canonical.encode(payload.metadata).decode("utf-8") if payload.metadata else None,
                occurred_at,
                payload.utc_offset_min,
                seq,
                event.id,
                valid_from,
                EPISODE_CONFIDENCE,
                max(valid_from, recorded_at),
                recorded_at,
                *position,
            ),
        )
        fulltext.add(self._connection, self._connection.last_insert_rowid(), payload.content, None, None)

    def _neighbours(self, session: str, key: tuple[int, int, str]) -> tuple[str | None, tuple[str, int] | None]:
        """The node before a place in a session's order, and the node after it with its time."""
        before = self._connection.execute(
            "SELECT node_id FROM nodes WHERE type = 'episodic' AND session = ? "
            "AND (occurred_at, seq, event_id) < (?, ?, ?) "
            "ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT 1",
            (session, *key),
        ).fetchone()
        after = self._connection.execute(
            "SELECT node_id, occurred_at FROM nodes WHERE type = 'episodic' AND session = ? "
            "AND (occurred_at, seq, event_id) > (?, ?, ?) ORDER BY occurred_at, seq, event_id LIMIT 1",
            (session, *key),
        ).fetchone()
        return (before[0] if before else None, after)

    def _link(self, before: str | None, node: tuple[str, int], after: tuple[str, int] | None) -> None:
        if before and after:
            self._connection.execute(
                "DELETE FROM edges WHERE kind = 'temporal' AND source = ? AND target = ?", (before, after[0])
            )
        if before:
            self._add_temporal_edge(before, *node)
        if after:
            self._add_temporal_edge(node[0], *after)

    def _add_temporal_edge(self, source: str, target: str, target_occurred_at: int) -> None:
        self._connection.execute(
            "INSERT INTO edges VALUES ('temporal', ?, ?, ?, NULL, 1.0)", (source, target, target_occurred_at)
        )

    def _session_closed(self, event: Event, position: Position) -> None:
        payload: SessionClosed = event.payload  # type: ignore[assignment]
        self._policy_in_force()
        closed_at = event.at if payload.occurred_at is None else payload.occurred_at
        self._connection.execute(
            "INSERT INTO sessions VALUES (?1, 0, NULL, NULL, ?2) ON CONFLICT (session) DO UPDATE SET "
            "closed_at = max(ifnull(closed_at, ?2), ?2)",
            (payload.session, closed_at),
        )
