"""What became of an event: waits until the writer has folded it, where one runs, and reads what it did."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from mnemolog.producers import Published
from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.integrity import position_of
from mnemolog.projections.progress import POLL_S, writer_position
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

#: A writer that runs needs milliseconds, unless it has much to catch up with.
TIMEOUT_S = 15.0


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was published: whether the file has it, and if not, or if it was no good, `why_not`.

    `facts` are the (node id, content) that it added, `refused` the reasons for what it did not add.
    """

    event_id: str
    position: str
    folded: bool
    why_not: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def await_folded(
    settings: Settings, stream: Stream, published: Published, *, wait: bool = True, timeout_s: float = TIMEOUT_S
) -> Folded:
    """What became of an event: at once where no writer runs or nobody wants to `wait`. Raises errors of the log."""
    until = time.monotonic() + timeout_s
    if not wait:
        return _unfolded(published, "not waited for")
    while (found := _look(settings, published)) is None:
        if writer_position(stream) is None:
            return _unfolded(published, "no writer is running: it counts when `mnemolog up` runs")
        if time.monotonic() > until:
            return _unfolded(published, f"the writer is busy: not folded after {timeout_s:g} s, it will be")
        time.sleep(POLL_S)
    return found


def _unfolded(published: Published, why_not: str) -> Folded:
    return Folded(event_id=published.event_id, position=str(published.position), folded=False, why_not=why_not)


def _look(settings: Settings, published: Published) -> Folded | None:
    """What the file says of an event; None while it is not that far."""
    try:
        connection = open_reader(settings.file)
    except SpaceNotFound:
        return None
    try:
        with read_transaction(connection):
            if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get:
                return None
            if published.position is None or position_of(connection) < published.position:
                return None
            parked = connection.execute(
                "SELECT detail FROM dead_letters WHERE ms = ? AND seq = ? AND state = 'parked'", published.position
            ).get
            added: list[Any] = connection.execute(
                "SELECT n.node_id, n.content FROM nodes n JOIN cells c USING (node_id) WHERE n.event_id = ? "
                "ORDER BY n.number",
                (published.event_id,),
            ).fetchall()
            refused: list[Any] = connection.execute(
                "SELECT reason, detail FROM refusals WHERE event_id = ? ORDER BY item", (published.event_id,)
            ).fetchall()
    finally:
        connection.close()
    return Folded(
        event_id=published.event_id,
        position=str(published.position),
        folded=parked is None,
        why_not="" if parked is None else f"it was parked: {parked}",
        facts=tuple(added),
        refused=tuple(refused),
    )
