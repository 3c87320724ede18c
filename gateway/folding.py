"""What became of an event: waits until the writer has folded it, where one runs, and reads what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.producers import Published
from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.integrity import position_of
from mnemolog.projections.progress import POLL_S, writer_position
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

#: A writer that runs needs milliseconds, unless it has much to catch up with.
TIMEOUT_S = 15.0

Reader = Callable[[], AbstractContextManager[apsw.Connection]]


class Stated(msgspec.Struct, frozen=True):
    """A fact that an event added."""

    node_id: str
    content: str


class Refused(msgspec.Struct, frozen=True):
    """What an event proposed and the memory did not take over; `reason` is a stable word."""

    reason: str
    detail: str


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was published: whether the file has it, and if not, or if it was no good, `why_not`.

    `facts` are those that it added, `refused` the reasons for what it did not add.
    """

    event_id: str
    position: str
    folded: bool
    why_not: str = ""
    facts: tuple[Stated, ...] = ()
    refused: tuple[Refused, ...] = ()


def await_folded(
    settings: Settings,
    stream: Stream,
    published: Published,
    *,
    wait: bool = True,
    timeout_s: float = TIMEOUT_S,
    reader: Reader | None = None,
) -> Folded:
    """What became of an event: at once where no writer runs or nobody wants to `wait`. Raises errors of the log.

    The file is read through `reader`, or through a connection of its own.
    """
    until = time.monotonic() + timeout_s
    reading = reader or (lambda: _opened(settings.file))
    if not wait:
        return _unfolded(published, "not waited for")
    while (found := _look(reading, published)) is None:
        if writer_position(stream) is None:
            return _unfolded(published, "no writer is running: it counts when `mnemolog up` runs")
        if time.monotonic() > until:
            return _unfolded(published, f"the writer is busy: not folded after {timeout_s:g} s, it will be")
        time.sleep(POLL_S)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    with closing(open_reader(path)) as connection:
        yield connection


def _unfolded(published: Published, why_not: str) -> Folded:
    return Folded(event_id=published.event_id, position=str(published.position), folded=False, why_not=why_not)


def _look(reading: Reader, published: Published) -> Folded | None:
    """What the file says of an event; None while it is not that far."""
    try:
        with reading() as connection, read_transaction(connection):
            if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get:
                return None
            if published.position is None or position_of(connection) < published.position:
                return None
            return became(connection, published.event_id, published.position)
    except SpaceNotFound:
        return None


def became(connection: apsw.Connection, event_id: str, position: Position) -> Folded:
    """What the file, which is as far as that, has of an event. The caller spans it with a read transaction."""
    parked = connection.execute(
        "SELECT detail FROM dead_letters WHERE ms = ? AND seq = ? AND state = 'parked'", position
    ).get
    added: list[Any] = connection.execute(
        "SELECT n.node_id, n.content FROM nodes n JOIN cells c USING (node_id) WHERE n.event_id = ? ORDER BY n.number",
        (event_id,),
    ).fetchall()
    refused: list[Any] = connection.execute(
        "SELECT reason, detail FROM refusals WHERE event_id = ? ORDER BY item", (event_id,)
    ).fetchall()
    return Folded(
        event_id=event_id,
        position=str(position),
        folded=parked is None,
        why_not="" if parked is None else f"it was parked: {parked}",
        facts=tuple(Stated(*row) for row in added),
        refused=tuple(Refused(*row) for row in refused),
    )
