"""Carrying an erasure out: each step may be repeated, and its plan is on the disk until the last one is done.

The order matters. The plan comes first. Then the archive is rewritten and the stream begins anew, so that the log has
nothing of it any more; then a file is built from that log and swapped in, and whatever else was made from the old one
is removed. A crash on the way leaves the plan, and who takes the space next goes on with it before anything else.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Protocol

import apsw

from mnemolog.projections.erasing import cleanings
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import archive, rewriting
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import EntryErased, ErasureRequested, erased_id, salted
from mnemolog.schema.endpoint import RedisFolder
from mnemolog.schema.errors import LogUnavailable, NewerEvent, Undecodable
from mnemolog.schema.events import Event, SpaceCreated
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position
from mnemolog.schema.log import event_of
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.erasing import plans
from mnemolog.workers.erasing.cleaning import Cleaning
from mnemolog.workers.erasing.finding import undone
from mnemolog.workers.erasing.matching import Asked
from mnemolog.workers.erasing.plans import Ask, Erased, Head, Plan, Receipt
from mnemolog.workers.erasing.selection import Selection, select
from mnemolog.workers.rebuilding.rebuild import build, open_side, remove
from mnemolog.workers.writer.space_file import fold_version

log = logging.getLogger("mnemolog.erasing")

BATCH = 500
#: A worker that was at a job meanwhile may fail, and RQ keeps what it was given, for so long at most.
AGAIN_MS = 20 * 60_000
#: How long what came back is waited for to be cleaned away, so that much of it takes one cleaning.
SOON_MS = 30_000
#: A decision that lost its object may have been another one's object.
ROUNDS = 5
#: How long readers may keep the old file's pages, in seconds.
READERS_S = 60.0
POLL_S = 0.05

OUT_OF_REACH = (
    "bundles, backups and copies of the data folder that were made before, also on machines that were its home",
    "what a model's or an embedder's server keeps of what it was asked",
    "events that wait in spools of other machines: `mnemolog spool discard` there",
    "what others said of it themselves, before or after",
    "logs of processes, and what running ones hold in memory until they end",
    "blocks of the disk that files had before, unless the disk is encrypted",
)

_PARKED = "SELECT ms, seq, event_id, body FROM dead_letters WHERE state = 'parked'"


class Holder(Protocol):
    """The holder of a space, as much of it as an erasure needs: its lease is renewed by `renew_if_due`."""

    settings: Settings
    stream: Stream
    archive: ArchiveWriter
    connection: apsw.Connection
    embedder: Embedder
    keeping: threading.Lock

    def renew_if_due(self) -> None:
        """Renews the lease when it is time."""

    def working(self, count: int) -> None:
        """Is called while something takes long."""

    def is_parked(self, position: Position) -> bool:
        """Whether a later word on the log parks an entry."""

    def rebuilt(self) -> AbstractContextManager[apsw.Connection]:
        """A file built from the archive, beside the live one."""

    def put_in_place(self, side: apsw.Connection) -> None:
        """Swaps a built file in."""


def is_wanted(settings: Settings) -> bool:
    """Whether an erasure is under way, or was asked for and is not carried out."""
    return plans.is_under_way(settings) or bool(undone(archive.read(settings.archive)))


def carry_out(holder: Holder) -> None:
    """Carries out what was asked for, or goes on with what was interrupted.

    Raises DamagedFile for an archive that does not add up, errors of Stream, SQLite and the disk: then it is under way,
    and this is to be called again.
    """
    with holder.keeping:
        plan = plans.read(holder.settings)
        if plan is None:
            plan = _planned(holder)
            plans.write(holder.settings, plan)
        else:
            log.warning("space %s: going on with an erasure that was interrupted", holder.settings.space)
        _Carrying(holder, plan).run()


# ---- the plan ----------------------------------------------------------------------------------------------------


def _planned(holder: Holder) -> Plan:
    holder.archive.sync()
    folder = holder.settings.archive
    todo = undone(archive.read(folder))
    asked = [one for _, _, one in todo]
    with _before(holder, asked) as connection:
        selection = select(connection, lambda: archive.read(folder), asked, lambda: holder.working(0))
        parked = tuple(str(Position(ms, seq)) for ms, seq, *_ in connection.execute(_PARKED))
    bodies = dict(selection.bodies)
    for entry, event, _ in todo:
        bodies[entry.position] = _done(event)
    asks = tuple(Ask(position=str(one.before), what=one.what, requested_at=one.before.ms) for one in asked)
    head = Head(asked=asks, erased=counted(selection), parked=parked, begun_at=_now())
    return Plan(head, bodies)


def _done(event: Event) -> bytes:
    """The request once it is carried out: it does not even keep the hash of what it named."""
    payload: Any = event.payload
    return encode(event.id, event.at, ErasureRequested(what=payload.what, done=True))


@contextmanager
def _before(holder: Holder, asked: list[Asked]) -> Iterator[apsw.Connection]:
    """A file with the log up to the last request: the live one, or one that is built for it."""
    folder = holder.settings.archive
    position = Position(*holder.connection.execute("SELECT position_ms, position_seq FROM space").get)
    following = next(archive.read(folder, position), None)
    current = fold_version(holder.connection) == FOLD_VERSION
    if current and len(asked) == 1 and following is not None and following.position == asked[0].before:
        yield holder.connection
        return
    path = holder.settings.file.with_name("before-erasing.db")
    remove(path)
    until = just_before(asked[-1].before)
    try:
        with closing(open_side(path)) as side:
            build(
                side,
                holder.settings.space,
                holder.embedder,
                lambda: archive.read(folder, START, until),
                holder.is_parked,
                batch=BATCH,
                at=None,
                progress=holder.working,
            )
            yield side
    finally:
        remove(path)


def just_before(position: Position) -> Position:
    """The greatest position below another one."""
    ms, seq = position
    return Position(ms, seq - 1) if seq else Position(ms - 1, MAX_STREAM_PART)


def counted(selection: Selection) -> Erased:
    """What a selection takes, in numbers."""
    return Erased(
        messages=len(selection.messages) - selection.statements,
        statements=selection.statements,
        facts=len(selection.facts),
        again=len(selection.again),
        scenes=len(selection.scenes),
        outcomes=len(selection.outcomes),
        replies=len(selection.replies),
        recalls=len(selection.recalls),
        requests=len(selection.requests),
        entries=len(selection.bodies),
    )


# ---- the steps ---------------------------------------------------------------------------------------------------


class _Carrying:
    def __init__(self, holder: Holder, plan: Plan) -> None:
        self._holder = holder
        self._settings = holder.settings
        self._plan = plan

    def run(self) -> None:
        began = time.monotonic()
        for _ in range(ROUNDS):
            self._rewrite_log()
            plans.remove_copies(self._settings)
            if self._swapped():
                break
        _empty_wal(self._holder)
        plans.remove_copies(self._settings)
        # Set before Redis is cleaned: what is put there from now on is cleaned away then.
        plans.clean_at(self._settings, (*cleanings(self._settings), _now() + AGAIN_MS))
        left = _cleaning(self._holder).clean(self._holder.connection)
        plans.finish(self._settings, self._receipts(left, time.monotonic() - began))
        log.info("space %s: %d entries were erased", self._settings.space, self._plan.head.erased.entries)

    def _rewrite_log(self) -> None:
        rewriting.rewrite(self._settings.archive, self._plan.bodies, lambda: self._holder.working(0))
        self._holder.archive.reopen()
        begin_stream(self._holder)

    def _swapped(self) -> bool:
        """Whether the rebuilt file is in place: not while decisions in it have lost their object, and go, too."""
        with self._holder.rebuilt() as side:
            stray = self._stray(side)
            if not stray:
                self._holder.put_in_place(side)
                return True
        self._plan = Plan(self._plan.head, {**self._plan.bodies, **stray})
        plans.write(self._settings, self._plan)
        return False

    def _stray(self, side: apsw.Connection) -> Mapping[Position, bytes]:
        known = set(self._plan.head.parked)
        salt = str(side.execute("SELECT salt FROM space").get)
        found = {}
        rows: list[Any] = side.execute(_PARKED).fetchall()
        for ms, seq, event_id, body in rows:
            position = Position(ms, seq)
            event = _decoded(Entry(position, body)) if event_id is not None and str(position) not in known else None
            if event is not None:
                stub = EntryErased(kind=event.type, event=salted(salt, "event", event.id))
                found[position] = encode(erased_id(position), position.ms, stub)
        return found

    def _receipts(self, left: list[str], seconds: float) -> list[Receipt]:
        head = self._plan.head
        return [
            Receipt(
                position=one.position,
                what=one.what,
                requested_at=one.requested_at,
                done_at=_now(),
                erased=head.erased,
                seconds=round(seconds, 3),
                out_of_reach=(*left, *OUT_OF_REACH),
            )
            for one in head.asked
        ]


def _decoded(entry: Entry) -> Event | None:
    try:
        return event_of(entry)
    except (Undecodable, NewerEvent):
        return None


def _empty_wal(holder: Holder) -> None:
    """Moves the write-ahead log into the file and cuts it off, once nobody reads the old pages in it.

    Raises LogUnavailable while somebody does: the erasure is then gone on with later.
    """
    until = time.monotonic() + READERS_S
    while holder.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").get[0]:
        if time.monotonic() > until:
            raise LogUnavailable(
                f"space {holder.settings.space!r}: somebody has been reading what is erased for {READERS_S:g} s, and "
                "its pages stay until they are done; it is tried again"
            )
        holder.working(0)
        time.sleep(POLL_S)


# ---- Redis -------------------------------------------------------------------------------------------------------


def begin_stream(holder: Holder) -> None:
    """Lets the stream begin with the archive's last entry as it is there; one of another log is left alone."""
    last = archive.last_entry(holder.settings.archive)
    bounds = holder.stream.bounds()
    if last is None or bounds is None or bounds.first is None or bounds.first > last.position:
        return
    first = holder.stream.entry(bounds.first)
    created = _decoded(first) if first is not None else None
    if created is not None and isinstance(created.payload, SpaceCreated):
        own = _decoded(next(archive.read(holder.settings.archive)))
        if own is None or not isinstance(own.payload, SpaceCreated) or own.payload.salt != created.payload.salt:
            return
    holder.stream.begin_at(last)


def clean_if_due(holder: Holder, *, ending: bool = False) -> None:
    """Cleans Redis again when it is time, or will be soon and the holder is `ending`.

    Raises errors of Stream: it is then tried again.
    """
    due = cleanings(holder.settings)
    now = _now() + (SOON_MS if ending else 0)
    if not due or min(due) > now:
        return
    begin_stream(holder)
    shutil.rmtree(holder.settings.folder / "known", ignore_errors=True)
    _cleaning(holder).clean(holder.connection)
    plans.clean_at(holder.settings, tuple(moment for moment in due if moment > now))


def _cleaning(holder: Holder) -> Cleaning:
    client = holder.stream.client
    own = RedisFolder(holder.settings.data)
    record = own.record()
    is_own = record is not None and client.connection_pool.connection_kwargs.get("path") == record.socket
    return Cleaning(client, holder.settings.space, lambda: holder.working(0), own if is_own else None)


def clean_soon(settings: Settings) -> None:
    """Has Redis cleaned in a while: something that is erased was put there again."""
    soon = _now() + SOON_MS
    due = cleanings(settings)
    if not due or min(due) > soon:
        plans.clean_at(settings, (*due, soon))


def _now() -> int:
    return time.time_ns() // 1_000_000
