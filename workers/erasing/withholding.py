"""Withholding: what was erased and comes again is not taken, nor what a worker made of it meanwhile.

Nor is what was recalled before and is recorded afterwards. It is on the stream by then, so its place on the log is
kept, by a stub, or by what is left of it, that goes into the archive instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apsw

from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested, erased_id, salted
from mnemolog.schema.events import Event, Payload
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import Outcome
from mnemolog.schema.recalls import Answer
from mnemolog.schema.requests import NodesRecalled
from mnemolog.workers.erasing.recalled import without_words
from mnemolog.workers.fold.erased import ERASED
from mnemolog.workers.writer.batches import Decoded

_TOMBSTONE = "SELECT 1 FROM erased_events WHERE hash = ?"
_ERASED_SINCE = "SELECT 1 FROM events WHERE (ms, seq) > (?, ?) AND type = ? LIMIT 1"
_NODE = "SELECT 1 FROM nodes WHERE node_id = ?"
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
            elif isinstance(event.payload, NodesRecalled) and (left := _left(connection, event.payload)):
                found.append(_rewritten(entry, event, left))
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


def _left(connection: apsw.Connection, payload: NodesRecalled) -> NodesRecalled | None:
    """What is left of recalls that were made before something was erased and recorded afterwards; None for all of it.

    Facts are known by their ids, also in recalls of which nothing says what was read.
    """

    def is_there(node_id: str) -> bool:
        return bool(connection.execute(_NODE, (node_id,)).get)

    def is_from_before(answer: Answer) -> bool:
        return bool(connection.execute(_ERASED_SINCE, (*answer.position, ErasureRequested.TYPE)).get)

    recalls = [(at, tuple(filter(is_there, nodes))) for at, nodes in payload.recalls]
    answers = tuple(without_words(one) if is_from_before(one) else one for one in payload.answers)
    left = NodesRecalled(recalls=tuple((at, nodes) for at, nodes in recalls if nodes), answers=answers)
    return None if left == payload else left


def _rewritten(entry: Entry, event: Event, payload: Payload) -> Decoded:
    body = encode(event.id, event.at, payload)
    return Entry(entry.position, body), decode(body)


def _stub(entry: Entry, event: Event, name: str) -> Decoded:
    body = encode(erased_id(entry.position), entry.position.ms, EntryErased(kind=event.type, event=name))
    return Entry(entry.position, body), decode(body)
