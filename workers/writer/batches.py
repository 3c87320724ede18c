"""Folds entries in transactions: rows, full text, dead letters, checksums and the position commit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

import apsw

from mnemolog.projections.integrity import position_of
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import NewerEvent, StaleWriter, Undecodable
from mnemolog.schema.events import Event
from mnemolog.schema.ids import Position
from mnemolog.schema.log import event_of
from mnemolog.workers.fold import Fold
from mnemolog.workers.fold.voids import NO_VOIDS, Voids
from mnemolog.workers.writer.checksums import Checksums
from mnemolog.workers.writer.space_file import immediate

#: What one event's values can make SQLite or Python refuse, however often it is tried. A full disk is not among them.
_BAD_VALUES = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.RangeError,
    ValueError,
    TypeError,
    OverflowError,
)

Decoded = tuple[Entry, Event | Undecodable]


def entry_hash(entry: Entry) -> bytes:
    """What the file keeps of the last folded entry, to know it again in the stream."""
    return blake2b(entry.body, digest_size=16).digest()


def decode_all(
    space: str, entries: Sequence[Entry], is_parked: Callable[[Position], bool]
) -> tuple[list[Decoded], NewerEvent | None]:
    """The decoded entries up to the first of a newer version that nobody parked, and that error if there is one.

    `is_parked` tells whether the log says later that the entry at a position is to be parked.
    """
    decoded: list[Decoded] = []
    for entry in entries:
        try:
            decoded.append((entry, event_of(entry)))
        except Undecodable as error:
            decoded.append((entry, error))
        except NewerEvent as error:
            if not is_parked(entry.position):
                return decoded, _stopped(space, entry.position, error)
            decoded.append((entry, Undecodable("newer_version", f"{error.what}; parked by request")))
    return decoded, None


def _stopped(space: str, position: Position, error: NewerEvent) -> NewerEvent:
    return NewerEvent(
        f"space {space!r} stops before {position}: {error.what}. Upgrade mnemolog, or let this version pass the entry: "
        f"mnemolog --space {space} dead-letters park {position}, and start its writer again"
    )


class Batches:
    """Folds decoded entries into one connection.

    `guard` runs inside each transaction before anything is written (it checks the epoch), then `before` (it appends
    to the archive). `voids` are those of the log that is folded.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        guard: Callable[[], None] = lambda: None,
        before: Callable[[Sequence[Entry]], object] = lambda _: None,
        voids: Voids = NO_VOIDS,
    ) -> None:
        self._connection = connection
        self._checksums = Checksums(connection)
        self._fold = Fold(connection, voids)
        self._guard = guard
        self._before = before

    def create(self, make: Callable[[], None]) -> None:
        """Runs what fills an empty file, in one transaction, with its checksums."""
        with immediate(self._connection):
            self._checksums.begin()
            make()
            self._checksums.store()

    def fold(self, decoded: Sequence[Decoded]) -> None:
        """Folds all entries in one transaction, or one by one when a value is refused, parking that entry.

        Raises StaleWriter when the file is not where this writer left it, and apsw or OS errors for what is no
        entry's fault (a full disk), with nothing written. RebuildNeeded for a void that `voids` does not know: then
        only `before` has happened.
        """
        if not decoded:
            return
        try:
            self._commit(decoded, self._fold.apply)
        except _BAD_VALUES:
            for one in decoded:
                self._fold_one(one)

    def _fold_one(self, one: Decoded) -> None:
        try:
            self._commit([one], self._fold.apply)
        except _BAD_VALUES as error:
            reason = f"{type(error).__name__}: {error}"
            self._commit([one], lambda entry, _: self._fold.park(entry, None, "refused_by_tables", reason))

    def _commit(self, decoded: Sequence[Decoded], apply: Callable[[Entry, Event | Undecodable], None]) -> None:
        with immediate(self._connection):
            self._checksums.begin()
            self._fold.begin()
            self._guard()
            entries = [entry for entry, _ in decoded]
            old = position_of(self._connection)
            if entries[0].position <= old:
                raise StaleWriter(f"the file is at {old}, past {entries[0].position}: another writer was here")
            self._before(entries)
            for entry, event in decoded:
                apply(entry, event)
            self._advance(old, entries[-1])
            self._checksums.store()

    def _advance(self, old: Position, last: Entry) -> None:
        self._connection.execute(
            "UPDATE space SET position_ms = ?, position_seq = ?, last_entry = ? "
            "WHERE position_ms = ? AND position_seq = ?",
            (*last.position, entry_hash(last), *old),
        )
        if self._connection.changes() != 1:
            raise StaleWriter(f"the file left position {old} while this writer was folding")
