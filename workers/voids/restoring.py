"""Decisions of people about facts that are extracted again: folded again once the facts are there.

A fact may come back in other words. A person's decision on it is then stated for what says the same of the same
messages: what was forgotten or corrected concerns the slot of its message, all else the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.fact_diff import Pair, compared_facts, fact_diff, same_value
from mnemolog.projections.logged import events_at
from mnemolog.schema.events import DeadLetterDiscarded, DeadLetterRequeued, Payload
from mnemolog.schema.ids import Position
from mnemolog.schema.requests import FactCorrected, FactsForgotten, NodePayload, VerdictGiven
from mnemolog.workers.voids.trial import Live, parked

#: Appends an event and folds it at once; its id, where it is not to have one of its own.
Append = Callable[[Payload, str | None], None]


def restore(side: apsw.Connection, folder: Path, before: Live, append: Append) -> None:
    """Has decisions that were in force folded again in the log's order, in other words where that is needed.

    `folder` is the archive. What still does not find its fact stays parked.
    """
    decided = {decision.position for decision in before.decisions} - before.parked
    for position in sorted(decided & parked(side)):
        append(DeadLetterRequeued(ms=position.ms, seq=position.seq), None)
    left = sorted(decided & parked(side))
    if left:
        _restate(side, folder, before, left, append)


def _restate(side: apsw.Connection, folder: Path, before: Live, left: list[Position], append: Append) -> None:
    changed = fact_diff(before.facts, compared_facts(side)).changed
    events = events_at(folder, left)
    for position in left:
        event = events.get(position)
        payload = None if event is None else restated(side, event.payload, changed)
        if event is not None and payload is not None:
            # Under its own id, which a parked event leaves free: what a correction states quotes it.
            append(payload, event.id)
            if side.execute("SELECT 1 FROM events WHERE event_id = ?", (event.id,)).get:
                append(DeadLetterDiscarded(ms=position.ms, seq=position.seq), None)


def restated(side: apsw.Connection, payload: Payload, changed: Iterable[Pair]) -> Payload | None:
    """A decision with the facts that say the same now; None where one has no such fact, or it names none."""
    of_slot = isinstance(payload, FactCorrected | FactsForgotten)
    names = {pair.before.node_id: pair.after.node_id for pair in changed if of_slot or same_value(pair)}
    fields: dict[str, Any] = {}
    if isinstance(payload, FactCorrected | NodePayload):
        fields = {"node_id": _now(side, payload.node_id, names)}
    elif isinstance(payload, FactsForgotten):
        found = [_now(side, node_id, names) for node_id in payload.node_ids]
        fields = {"node_ids": None if None in found else tuple(found)}
    elif isinstance(payload, VerdictGiven):
        fields = {"first": _now(side, payload.first, names), "second": _now(side, payload.second, names)}
    if not fields or None in fields.values():
        return None
    return msgspec.structs.replace(payload, **fields)


def _now(side: apsw.Connection, node_id: str, names: Mapping[str, str]) -> str | None:
    there = side.execute("SELECT 1 FROM cells WHERE node_id = ?", (node_id,)).get
    return node_id if there else names.get(node_id)
