"""The fold: applies one event to the tables, and nothing but the event, the tables and its position decide how.

No clock, randomness, environment or setting is read here; now is the event's `recorded_at`, the milliseconds of its
position. What cannot be folded raises Unfoldable before any row is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from mnemolog.schema import outcomes, requests
from mnemolog.schema.archive import Entry
from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested, OutcomesVoided
from mnemolog.schema.errors import NewerEvent, Undecodable
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
from mnemolog.schema.ids import Position
from mnemolog.schema.log import event_of
from mnemolog.schema.policy import Policy
from mnemolog.workers.fold import conflicts, episodes, erased, pending, recalls, scenes, windows
from mnemolog.workers.fold import requests as asked
from mnemolog.workers.fold.cells import cells_extracted
from mnemolog.workers.fold.context import Context, Unfoldable
from mnemolog.workers.fold.jobs import job_failed, job_requeued
from mnemolog.workers.fold.validity import refresh_fading
from mnemolog.workers.fold.voids import NO_VOIDS, VOIDABLE, Voids, outcomes_voided, set_aside

_canonical = msgspec.json.Encoder(order="sorted")

#: What each payload does; `at` is the producer's clock, for events without a time of their own.
_HANDLERS: dict[type, Callable[[Context, Any, int], None]] = {
    SpaceCreated: lambda ctx, payload, _: _space_created(ctx, payload),
    PolicySet: lambda ctx, payload, _: _policy_set(ctx, payload),
    MessagePublished: episodes.message_published,
    SessionClosed: lambda ctx, payload, at: episodes.session_closed(
        ctx, payload.session, at if payload.occurred_at is None else payload.occurred_at
    ),
    requests.SessionIdled: lambda ctx, payload, _: _session_idled(ctx, payload),
    DeadLetterDiscarded: lambda ctx, payload, _: _dead_letter_discarded(ctx, payload),
    # These two are recorded in `events`; what they say is read from the log, not from a table.
    EntryParked: lambda *_: None,
    GapAccepted: lambda *_: None,
    outcomes.CellsExtracted: lambda ctx, payload, _: cells_extracted(ctx, payload),
    outcomes.ConflictsJudged: lambda ctx, payload, _: conflicts.conflicts_judged(ctx, payload),
    outcomes.SceneConsolidated: lambda ctx, payload, _: scenes.scene_consolidated(ctx, payload),
    outcomes.JobFailed: lambda ctx, payload, _: job_failed(ctx, payload),
    requests.FactRemembered: asked.fact_remembered,
    requests.FactCorrected: asked.fact_corrected,
    requests.FactConfirmed: lambda ctx, payload, _: asked.fact_confirmed(ctx, payload),
    requests.FactUnpinned: lambda ctx, payload, _: asked.fact_unpinned(ctx, payload),
    requests.FactsForgotten: lambda ctx, payload, _: asked.facts_forgotten(ctx, payload),
    requests.RequestDismissed: lambda ctx, payload, _: pending.request_dismissed(ctx, payload),
    requests.VerdictGiven: lambda ctx, payload, _: conflicts.verdict_given(ctx, payload),
    requests.VerdictsReviewed: lambda ctx, payload, _: conflicts.verdicts_reviewed(ctx, payload),
    requests.JobRequeued: lambda ctx, payload, _: job_requeued(ctx, payload),
    requests.NodesRecalled: lambda ctx, payload, _: recalls.nodes_recalled(ctx, payload),
    EntryErased: lambda ctx, payload, _: erased.entry_erased(ctx, payload),
    ErasureLifted: lambda ctx, payload, _: erased.erasure_lifted(ctx, payload),
}


class Fold:
    """Applies entries to the tables of one connection, inside the caller's transaction.

    `voids` are those of the log that is folded; one that is not among them raises RebuildNeeded, and so does an
    erasure that is not carried out.
    """

    def __init__(self, connection: apsw.Connection, voids: Voids = NO_VOIDS) -> None:
        self._connection = connection
        self._ctx = Context(connection)
        self._voids = voids

    def begin(self) -> None:
        """Call at the begin of each transaction."""
        self._ctx.begin_transaction()

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
        self._connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
            (event.id, *position, event.type, event.digest),
        )
        if not self._connection.changes():
            if (
                self._connection.execute("SELECT digest FROM events WHERE event_id = ?", (event.id,)).get
                != event.digest
            ):
                raise Unfoldable("id_reused", f"event id {event.id!r} was used before for something else")
            return
        try:
            self._handle(event, position)
        except Unfoldable:
            self._connection.execute("DELETE FROM events WHERE event_id = ?", (event.id,))
            raise

    def _handle(self, event: Event, position: Position) -> None:
        self._ctx.begin(event.id, position)
        why = self._voids.voided.get(position)
        if why is not None and isinstance(event.payload, VOIDABLE):
            set_aside(self._ctx, event.payload, why)
        elif isinstance(event.payload, OutcomesVoided):
            outcomes_voided(self._ctx, event.payload, known=position in self._voids.known)
        elif isinstance(event.payload, ErasureRequested):
            erased.erasure_requested(self._ctx, event.payload, known=position in self._voids.known)
        elif isinstance(event.payload, DeadLetterRequeued):
            self._dead_letter_requeued(event.payload)
        else:
            _HANDLERS[type(event.payload)](self._ctx, event.payload, event.at)

    def _dead_letter_requeued(self, payload: DeadLetterRequeued) -> None:
        body = self._connection.execute(
            "SELECT body FROM dead_letters WHERE ms = ? AND seq = ? AND state != 'requeued'", payload.position
        ).get
        if body is None:
            raise Unfoldable("no_dead_letter", f"nothing is parked at {payload.position}")
        state = "requeued" if self._folds_now(Entry(payload.position, body)) else "parked"
        _set_dead_letter(self._ctx, payload.position, state)

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


def _space_created(ctx: Context, payload: SpaceCreated) -> None:
    if ctx.is_created:
        raise Unfoldable("space_exists", f"space {payload.space!r} was created before")
    ctx.run("UPDATE space SET salt = ?", (payload.salt,))
    _store_policy(ctx, payload.policy)


def _policy_set(ctx: Context, payload: PolicySet) -> None:
    before = ctx.policy
    _store_policy(ctx, payload.policy)
    if payload.policy.decay != before.decay:
        for (node_id,) in ctx.rows("SELECT node_id FROM cells ORDER BY node_id"):
            refresh_fading(ctx, node_id)


def _store_policy(ctx: Context, policy: Policy) -> None:
    ctx.set_policy(_canonical.encode(policy).decode("utf-8"))


def _session_idled(ctx: Context, payload: requests.SessionIdled) -> None:
    """Closes the window of a session that is still as quiet as the writer's process saw it."""
    if ctx.get("SELECT last_event FROM sessions WHERE session = ?", (payload.session,)) == payload.last_event:
        windows.close(ctx, payload.session)


def _dead_letter_discarded(ctx: Context, payload: DeadLetterDiscarded) -> None:
    if not _set_dead_letter(ctx, payload.position, "discarded"):
        raise Unfoldable("no_dead_letter", f"nothing is parked at {payload.position}")


def _set_dead_letter(ctx: Context, position: Position, state: str) -> bool:
    ctx.run("UPDATE dead_letters SET state = ? WHERE ms = ? AND seq = ? AND state != 'requeued'", (state, *position))
    return ctx.connection.changes() > 0
