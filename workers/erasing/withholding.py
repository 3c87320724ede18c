"""Withholding: what was erased and comes again is not taken, nor what a worker made of it meanwhile.

It is on the stream by then, so its place on the log is kept, by a stub that goes into the archive instead of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apsw

from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested, erased_id, salted
from mnemolog.schema.events import Event
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import Outcome
from mnemolog.workers.fold.erased import ERASED
from mnemolog.workers.writer.batches import Decoded

_TOMBSTONE = "SELECT 1 FROM erased_events WHERE hash = ?"
_JOB = "SELECT state, reason FROM jobs WHERE job_key = ? AND generation = ?"


def has_erased(connection: apsw.Connection) -> bool:
    """Whether anything was ever erased in a space."""
    return bool(connection.execute("SELECT 1 FROM erased_events LIMIT 1").get)


def parts(decoded: Sequence[Decoded], *, erased: bool) -> Iterator[Sequence[Decoded]]:
    """Entries in runs that are to be folded one after the other, none of them empty.

    An erasure that is asked for is by itself, so that all before it is in the file; where something was `erased`
    before, an outcome begins a run, so that it is known what became of its job.
    """
    begin = 0
    for index, (_, event) in enumerate(decoded):
        payload = event.payload if isinstance(event, Event) else None
        asks = isinstance(payload, ErasureRequested) and not payload.done
        if index > begin and (asks or (erased and isinstance(payload, Outcome))):
            yield decoded[begin:index]
            begin = index
        if asks and index + 1 < len(decoded):
            yield decoded[begin : index + 1]
            begin = index + 1
    if begin < len(decoded):
        yield decoded[begin:]


def admitted(connection: apsw.Connection, decoded: Sequence[Decoded], archived: Position) -> list[Decoded]:
    """The entries with stubs for those that are not taken; what is `archived` up to a position is as it is to be."""
    salt = str(connection.execute("SELECT salt FROM space").get)
    lifted: set[str] = set()
    found = []
    for entry, event in decoded:
        if isinstance(event, Event) and entry.position > archived:
            name = salted(salt, "event", event.id)
            if isinstance(event.payload, ErasureLifted):
                lifted |= set(event.payload.events)
            elif (name not in lifted and _is_tombstone(connection, name)) or _is_late(connection, event):
                found.append(_stub(entry, event, name))
                continue
        found.append((entry, event))
    return found


def _is_tombstone(connection: apsw.Connection, name: str) -> bool:
    return bool(connection.execute(_TOMBSTONE, (name,)).get)


def _is_late(connection: apsw.Connection, event: Event) -> bool:
    """Whether an outcome is of a job that an erasure called off, or of which nothing is left."""
    if not isinstance(event.payload, Outcome):
        return False
    job = connection.execute(_JOB, (event.payload.job_key, event.payload.generation)).get
    return job is None or job == ("void", ERASED)


def _stub(entry: Entry, event: Event, name: str) -> Decoded:
    body = encode(erased_id(entry.position), entry.position.ms, EntryErased(kind=event.type, event=name))
    return Entry(entry.position, body), decode(body)
