"""The ingest worker: one loop that reads the streams of its spaces, folds what it finds, and keeps their leases."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import apsw
import redis

from mnemolog.projections import dead_letters
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import Embedder, WordLlamaEmbedder, load_weights
from mnemolog.schema import archive, keys
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, MnemologError, StaleWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream, read_many
from mnemolog.workers.homes.homes import Homes
from mnemolog.workers.jobs.dispatcher import Dispatcher
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.writer.housekeeper import Housekeeper
from mnemolog.workers.writer.space_file import refusal
from mnemolog.workers.writer.space_writer import SpaceWriter

log = logging.getLogger("mnemolog.writer")

BATCH = 256
BATCH_BYTES = 4 * 1024 * 1024
PAUSE_S = 1.0
#: How long a read waits for something to come, and so at most how long a stop is not noticed.
BLOCK_S = 0.25
INSPECT_S = 5.0
#: How often the claims of the spaces are looked at, and so at most how long a moved space is written on.
HOMES_S = 1.0
#: Up to so many spaces are all looked after in every turn, more of them only so often.
FEW = 32
CHORES_S = 0.5
PROGRESS_S = 0.05
#: How long the mark of a running writer outlives it.
PROGRESS_TTL_MS = 15_000
#: How long a space whose stream Redis refuses to read is left out.
SET_ASIDE_S = 5.0
DRAIN_S = 20.0

_REDIS_ERRORS = (LogUnavailable, LogFull, LogRefused)


def _tell_parked(writer: SpaceWriter, before: Position) -> None:
    """Says which events were parked after a position: their reason, never what they say."""
    for letter in dead_letters.parked_after(writer.connection, before):
        said = {"space": writer.space, "event_id": letter.event_id, "position": letter.position}
        log.warning("space %s: the event at %s is parked: %s", writer.space, letter.position, letter.reason, extra=said)


class Ingest:
    """Writes several spaces from one thread, and hands out their jobs. `hold` spaces, then `run` until told to stop."""

    def __init__(
        self, client: redis.Redis, embedder: Embedder, limits: JobLimits | None = None, homes: Homes | None = None
    ) -> None:
        self._client = client
        self._embedder = embedder
        self._writers: dict[str, SpaceWriter] = {}
        self._housekeeper = Housekeeper(embedder)
        # An embedder serves one thread, and jobs must not wait for a remote one.
        self._dispatcher = Dispatcher(client, limits or JobLimits(), WordLlamaEmbedder())
        self._count = BATCH // 4
        self._told: dict[str, tuple[float, Position]] = {}
        self._inspected: dict[str, float] = {}
        self._complaints: dict[str, str] = {}
        self._set_aside: dict[str, float] = {}
        self._troubled = False
        self._homes = homes
        self._homes_due = 0.0
        self._at: dict[str, Position] = {}
        self._chores_due = 0.0
        #: The spaces that had to be given up, with the reason.
        self.failures: dict[str, Exception] = {}

    @property
    def spaces(self) -> list[str]:
        """The spaces that this process writes now."""
        return list(self._writers)

    def hold(self, settings: Settings, *, accept_stream: bool = False) -> None:
        """Takes a space. Raises SpaceHeld, DivergedLog, DamagedFile, NewerEvent, errors of the log and of the disk.

        A space that had to be given up is not taken again: that raises what ended it. Where homes are given this
        machine becomes home to a space that has none; one of another machine raises SpaceHeld.
        """
        if settings.space in self.failures:
            raise self.failures[settings.space]
        if self._homes is None:
            self._open(settings, Stream(self._client, settings.space), accept_stream=accept_stream)
            return
        fresh = self._homes.take(settings)
        try:
            self._open(settings, self._homes.stream(settings.space), accept_stream=accept_stream)
            self._homes.keep(settings)
        except BaseException:
            if fresh and archive.last_entry(settings.archive) is None:
                self._homes.give_up(settings.space)
            self._homes.forget(settings.space)
            raise

    def _open(self, settings: Settings, stream: Stream, *, accept_stream: bool) -> None:
        writer = SpaceWriter(settings, stream, self._embedder, accept_stream=accept_stream)
        writer.meanwhile = self._keep_all
        try:
            writer.open()
            try:
                self._housekeeper.add(writer)
                self._dispatcher.add(writer)
            except BaseException:
                self._housekeeper.remove(settings.space)
                writer.close()
                raise
        except (apsw.Error, OSError) as error:
            raise refusal(settings.space, settings.file, error) from error
        self._writers[settings.space] = writer
        said = {"space": writer.space, "position": writer.position}
        log.info("writing space %s from %s (epoch %d)", writer.space, writer.position, writer.epoch, extra=said)
        # Who waits for a writer need not wait for the first read.
        self._tell(writer)

    def run(self, stop: threading.Event, discover: Callable[[], None] = lambda: None, *, lasting: bool = False) -> None:
        """Reads, folds and keeps house until `stop` is set or no space is left; then drains and gives all back.

        `discover` is called between reads and may `hold` more spaces; where it is `lasting`, it is waited for when no
        space is left. What ends one space (`failures`) leaves the others alone.
        """
        # Now, and not when the first messages are waiting.
        load_weights()
        self._housekeeper.start()
        self._dispatcher.start()
        try:
            while not stop.is_set() and (self._writers or lasting):
                self.turn(round(1000 * min(BLOCK_S, self._pause_s())))
                discover()
            if self._writers:
                self._drain()
        finally:
            self._dispatcher.stop()
            self._housekeeper.stop()
            for space in list(self._writers):
                self._give_back(space)

    def turn(self, block_ms: int) -> int:
        """One read of all streams, and what follows from it; gives the number of entries folded."""
        self._troubled = False
        self._look_at_homes()
        positions = self._positions()
        if not positions:
            time.sleep(block_ms / 1000)
        found = self._read(positions, block_ms) if positions else {}
        backlog = any(len(entries) >= self._count for entries in found.values())
        self._housekeeper.backlog = self._dispatcher.backlog = backlog
        folded = sum(self._guarded(space, found.get(space, [])) for space in self._to_serve(positions, found))
        if self._troubled:
            time.sleep(self._pause_s())
        return folded

    def _pause_s(self) -> float:
        """How long to wait for something to do, or before trying again: a lease must be renewed meanwhile."""
        return min([PAUSE_S, *(writer.settings.lease_s / 5 for writer in self._writers.values())])

    def _to_serve(self, positions: Mapping[str, Position], found: Mapping[str, list[Entry]]) -> list[str]:
        """The spaces that have entries, and now and then all, so that many quiet ones do not hold up the others."""
        if self._are_chores_due():
            self._chores_due = time.monotonic() + CHORES_S
            return list(positions)
        return list(found)

    def _are_chores_due(self) -> bool:
        return len(self._writers) <= FEW or time.monotonic() >= self._chores_due

    def _positions(self) -> dict[str, Position]:
        anew = self._are_chores_due()
        for space, writer in list(self._writers.items()):
            if anew or space not in self._at:
                try:
                    self._at[space] = writer.position
                except apsw.Error as error:
                    self._fail(space, error)
        return dict(self._at)

    def _read(self, positions: Mapping[str, Position], block_ms: int) -> dict[str, list[Entry]]:
        now = time.monotonic()
        together = {space: at for space, at in positions.items() if self._set_aside.get(space, 0.0) <= now}
        try:
            found = read_many(self._client, together, self._count, block_ms) if together else {}
        except LogRefused as error:
            if len(positions) > 1:
                return self._read_apart(together)
            self._complain("", error)
            return {}
        except _REDIS_ERRORS as error:
            self._complain("", error)
            return {}
        self._complaints.pop("", None)
        for space in together:
            self._set_aside.pop(space, None)
        return found

    def _read_apart(self, positions: Mapping[str, Position]) -> dict[str, list[Entry]]:
        """Reads streams one by one: Redis refuses a joint read for one bad key. That space is set aside for a while."""
        found: dict[str, list[Entry]] = {}
        refused = []
        for space, position in positions.items():
            try:
                found |= read_many(self._client, {space: position}, self._count, 1)
            except _REDIS_ERRORS as error:
                refused.append(space)
                self._note(space, error)
        if len(refused) == len(positions):
            self._troubled = True
        else:
            self._set_aside |= dict.fromkeys(refused, time.monotonic() + SET_ASIDE_S)
        return found

    def _complain(self, space: str, error: Exception) -> None:
        """Says once what is wrong with a space, or with Redis (space ''); the turn then ends with a little wait."""
        self._troubled = True
        self._note(space, error)

    def _note(self, space: str, error: Exception) -> None:
        if self._complaints.get(space) != str(error):
            named = f"space {space}: " if space else ""
            log.warning("%s%s; trying again", named, error, extra={"space": space or None})
            self._complaints[space] = str(error)

    def _guarded(self, space: str, entries: Sequence[Entry]) -> int:
        """Serves a space, and gives the number of entries folded; what cannot pass by itself ends the space alone."""
        try:
            folded = self._serve(self._writers[space], entries)
        except (*_REDIS_ERRORS, apsw.FullError, apsw.BusyError) as error:
            self._complain(space, error)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._complain(space, error)
            else:
                self._fail(space, error)
        except Exception as error:  # noqa: BLE001 (a defect that one space's log brings out must not end the others)
            self._fail(space, error)
        else:
            if space not in self._set_aside:
                self._complaints.pop(space, None)
            return folded
        return 0

    def _fail(self, space: str, error: Exception) -> None:
        known = isinstance(error, MnemologError)
        told = error if known else refusal(space, self._writers[space].settings.file, error)
        trace = None if known or isinstance(error, (apsw.Error, OSError)) else error
        log.error("%s", told, exc_info=trace, extra={"space": space})
        self.failures[space] = told
        self._give_back(space)

    def _serve(self, writer: SpaceWriter, entries: Sequence[Entry]) -> int:
        # First of all: what follows may fail for a while, and the lease must not lapse meanwhile.
        writer.renew_if_due()
        if entries:
            before = writer.position
            writer.fold(entries)
            self._at[writer.space] = writer.position
            _tell_parked(writer, before)
            self._adapt(entries)
            self._housekeeper.wake(writer.space)
            self._dispatcher.wake(writer.space)
        elif self._is_due_for_inspection(writer.space):
            self._inspected[writer.space] = time.monotonic()
            writer.inspect()
        self._tell(writer)
        return len(entries)

    def _look_at_homes(self) -> None:
        """Lets go of the spaces that this machine is not home to any more, or that are to be moved."""
        if self._homes is None or time.monotonic() < self._homes_due:
            return
        self._homes_due = time.monotonic() + HOMES_S
        try:
            lost = self._homes.lost()
        except _REDIS_ERRORS as error:
            self._note("", error)
            return
        for space, (reason, in_order) in lost.items():
            if space not in self._writers:
                continue
            if in_order:
                log.info("%s; it is not written here any more", reason, extra={"space": space})
                self._give_back(space)
            else:
                self._fail(space, StaleWriter(reason))

    def _keep_all(self) -> None:
        """Keeps all spaces, and says that their writer runs, while the file of one is built again."""
        for writer in list(self._writers.values()):
            # What is wrong with one of them is for its own turn to say.
            with suppress(MnemologError, apsw.Error, OSError):
                writer.renew_if_due()
                self._tell(writer)

    def _is_due_for_inspection(self, space: str) -> bool:
        return space not in self._set_aside and time.monotonic() - self._inspected.get(space, 0.0) > INSPECT_S

    def _adapt(self, entries: Sequence[Entry]) -> None:
        """Reads fewer entries at a time while they are large, so that memory stays what it was."""
        size = sum(len(entry.body) for entry in entries)
        if size > BATCH_BYTES:
            self._count = max(1, self._count // 4)
        elif len(entries) == self._count and size < BATCH_BYTES // 4:
            self._count = min(BATCH, self._count * 2)

    def _tell(self, writer: SpaceWriter) -> None:
        """Says in Redis how far the writer is, for importers on any machine."""
        now = time.monotonic()
        told_at, told = self._told.get(writer.space, (0.0, Position(0, 0)))
        position = writer.position
        if now - told_at < (PROGRESS_S if position != told else PROGRESS_TTL_MS / 3000):
            return
        self._told[writer.space] = (now, position)
        try:
            self._client.set(keys.progress(writer.space), str(position), px=PROGRESS_TTL_MS)
        except redis.RedisError as error:
            log.debug("progress of space %s not told: %s", writer.space, error, extra={"space": writer.space})

    # ---- ending ------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Folds what was published up to now, then lets the vectors catch up, both within DRAIN_S seconds."""
        until = time.monotonic() + DRAIN_S
        try:
            tops = {space: writer.stream.bounds() for space, writer in self._writers.items()}
        except _REDIS_ERRORS as error:
            log.warning("%s; what is left in the stream is folded at the next start", error)
            tops = {}
        while time.monotonic() < until and any(
            bounds and space in self._writers and self._writers[space].position < bounds.top
            for space, bounds in tops.items()
        ):
            if self.turn(10) == 0 and self._troubled:
                break
        while time.monotonic() < until and (late := [*filter(self._misses_vectors, self._writers.values())]):
            for writer in late:
                self._housekeeper.wake(writer.space)
            for space in list(self._writers):
                self._guarded(space, [])
            time.sleep(0.02)

    def _misses_vectors(self, writer: SpaceWriter) -> bool:
        # Those of another embedder are made by a reindex alone.
        made_by = vectors.index_in_use(writer.connection).model
        return made_by == self._embedder.name and bool(vectors.missing(writer.connection, 1))

    def _give_back(self, space: str) -> None:
        writer = self._writers.pop(space)
        self._at.pop(space, None)
        if self._homes is not None:
            self._homes.forget(space)
        steps: tuple[Callable[[], object], ...] = (
            lambda: self._dispatcher.remove(space),
            lambda: self._housekeeper.remove(space),
            writer.close,
            lambda: self._client.delete(keys.progress(space)),
        )
        for step in steps:
            try:
                step()
            except (StaleWriter, apsw.Error, OSError, redis.RedisError) as error:
                log.warning("space %s: %s", space, error, extra={"space": space})
