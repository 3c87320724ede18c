"""The thread beside the writer that hands jobs out, hands them out again, and gives them up after some attempts.

The only retry mechanism is the deadline kept in the table `dispatch`: a job without an outcome by then is handed out
again, whatever became of its worker. A job is enqueued before the row is written, so that a crash between the two
hands it out twice, never not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import msgspec
import redis

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import keys, troubles
from mnemolog.schema.codec import digest
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.jobs import QUEUES, encode_work
from mnemolog.schema.outcomes import Engine, JobFailed, JobKind, Outcome
from mnemolog.schema.troubles import Trouble, job_name
from mnemolog.workers import outbox
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.jobs.packing import DueJob, pack, pack_together
from mnemolog.workers.jobs.queue import Parcel, Queues, rq_id
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.idle import IdleSessions
from mnemolog.workers.writer.rounds import Rounds
from mnemolog.workers.writer.space_file import immediate, open_for_writing
from mnemolog.workers.writer.space_writer import SpaceWriter

log = logging.getLogger("mnemolog.dispatcher")

PAUSE_S = 0.2
#: At least so long between two turns: a turn after every small batch would slow the writer down.
REST_S = 0.05
BACKLOG_REST_S = 0.5
RETRY_S = 2.0
#: So many jobs are handed out before their rows are written.
CHUNK = 16
#: Conflicts wait until all that was said in a burst is extracted, so that one question judges many; summaries wait
#: for both, so that a burst of changes makes one summary. In milliseconds, since none of them waits for ever.
PATIENCE_MS: dict[JobKind, int] = {"extract": 0, "resolve": 10_000, "consolidate": 120_000}

#: While somebody talks, which is when a session is open and its last message no older than this, a summary that there
#: is already is not made again, unless somebody waits for all work to be done; but that for so long at most.
TALK_PAUSE_MS = 120_000
TALK_MS = 600_000
#: Conflicts are handed out together, so that more of them may be outstanding than other jobs: so many times as many.
CONFLICTS_TOGETHER = 4

_DUE = """
    SELECT j.job_key, j.generation, j.kind, j.inputs, j.position_ms, d.attempts, d.deadline
    FROM jobs j LEFT JOIN dispatch d USING (job_key, generation)
    WHERE j.state = 'due' AND j.kind = ? ORDER BY j.position_ms, j.position_seq, j.job_key LIMIT ?
"""
#: When the oldest job of a kind became due, and whether jobs are that it waits for.
_WAITING = """
    SELECT (SELECT min(position_ms) FROM jobs WHERE state = 'due' AND kind = ?1),
        EXISTS (SELECT 1 FROM jobs WHERE state = 'due' AND kind IN (SELECT value FROM json_each(?2)))
"""
#: When somebody spoke last in a session that is open.
_SPOKEN = "SELECT max(last_recorded_at) FROM sessions WHERE closed_at IS NULL"
_WRITE = (
    "INSERT INTO dispatch VALUES (?, ?, ?, ?) ON CONFLICT (job_key, generation) DO UPDATE SET "
    "attempts = excluded.attempts, deadline = excluded.deadline"
)
_CLOSED = """
    SELECT job_key, generation FROM dispatch d WHERE NOT EXISTS
        (SELECT 1 FROM jobs j WHERE j.job_key = d.job_key AND j.generation = d.generation AND j.state = 'due')
"""

Row = tuple[str, int, int, int]


class Handed(msgspec.Struct, frozen=True):
    """A due job and what the dispatcher did about it so far: attempts, and when the last one is over."""

    job: DueJob
    attempts: int
    deadline: int

    @property
    def name(self) -> str:
        """How the job is named in Redis."""
        return job_name(self.job.job_key, self.job.generation)

    @property
    def is_fresh_conflict(self) -> bool:
        """Whether it may be judged together with others: what failed once is tried alone."""
        return self.job.kind == "resolve" and self.job.generation == 1 and not self.attempts

    @property
    def is_fresh_summary(self) -> bool:
        """Whether it is a summary that was not handed out yet."""
        return self.job.kind == "consolidate" and not self.attempts


class SpaceDispatcher:
    """Dispatches for one space, over a connection of its own; every transaction checks the writer's epoch."""

    def __init__(self, writer: SpaceWriter, client: redis.Redis, limits: JobLimits, vectors: Vectors) -> None:
        self._writer = writer
        self._client = client
        self._limits = limits
        self._vectors = vectors
        self._queues = Queues(client)
        self._idle = IdleSessions(client, writer.space)
        #: Of jobs that were handed out with others: the id that RQ knows them by.
        self._carriers: dict[str, str] = {}
        self._connection = open_for_writing(writer.settings.file)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def turn(self) -> int:
        """Hands out what is due, and gives up what failed too often; how many jobs it did something about.

        Raises StaleWriter, apsw errors, redis.RedisError and errors of the log.
        """
        lease.check(self._connection, self._writer.space, self._writer.epoch)
        now = lease.now_ms()
        self._forget_closed()
        if not self._has_due():
            return self._idle.look(self._connection, now)
        told = troubles.told(self._client, self._writer.space)
        waiting = [handed for kind in QUEUES if self._is_time(kind, now) for handed in self._due(kind, now)]
        waiting = self._without_early_summaries(waiting, now)
        together = [handed for handed in waiting if handed.is_fresh_conflict]
        self._hand_out_together([handed.job for handed in together], now)
        rows: list[Row] = []
        done = len(together)
        for handed in waiting:
            if handed.is_fresh_conflict:
                continue
            row = self._see_to(handed, told.get(handed.name), now)
            if row is not None:
                rows.append(row)
                done += 1
            if len(rows) == CHUNK:
                self._write(rows)
                rows = []
        self._write(rows)
        return done + self._idle.look(self._connection, now)

    def _has_due(self) -> bool:
        return bool(self._connection.execute("SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'due')").get)

    # ---- what is to be done ------------------------------------------------------------------------------------

    def _due(self, kind: JobKind, now: int) -> list[Handed]:
        """The oldest due jobs of a kind, as many as may be outstanding."""
        most = self._limits.outstanding * (CONFLICTS_TOGETHER if kind == "resolve" else 1)
        found: list[Any] = self._connection.execute(_DUE, (kind, most)).fetchall()
        return [
            Handed(
                DueJob(key, generation, kind, msgspec.json.decode(inputs, type=tuple[str, ...]), made_at),
                attempts or 0,
                now if deadline is None else deadline,
            )
            for key, generation, kind, inputs, made_at, attempts, deadline in found
        ]

    def _is_time(self, kind: JobKind, now: int) -> bool:
        """Whether jobs of a kind may be handed out now."""
        before = msgspec.json.encode(QUEUES[: QUEUES.index(kind)]).decode("utf-8")
        oldest, busy = self._connection.execute(_WAITING, (kind, before)).get
        return oldest is not None and (not busy or now - oldest >= PATIENCE_MS[kind])

    def _without_early_summaries(self, waiting: list[Handed], now: int) -> list[Handed]:
        """Leaves out summaries that would be made again soon."""
        early = [handed for handed in waiting if handed.is_fresh_summary and now - handed.job.made_at < TALK_MS]
        if not early or not self._is_talking(now):
            return waiting
        known = "SELECT summary != '' FROM scenes WHERE scene = ?"
        left = {handed.name for handed in early if self._connection.execute(known, (handed.job.inputs[0],)).get}
        return [handed for handed in waiting if handed.name not in left]

    def _is_talking(self, now: int) -> bool:
        """Whether more is likely to be said soon, and nobody waits for what follows from what was said."""
        spoken = self._connection.execute(_SPOKEN).get
        if spoken is None or now - spoken >= TALK_PAUSE_MS:
            return False
        return not self._client.exists(keys.awaited(self._writer.space))

    def _see_to(self, handed: Handed, trouble: Trouble | None, now: int) -> Row | None:
        """Does what is due for a job, and gives its new row; None when there is nothing to do yet."""
        job, attempts = handed.job, handed.attempts
        if not attempts:
            return self._hand_out(job, 1, now)
        failure = trouble if trouble is not None and trouble.attempt == attempts else None
        if now < self._over_at(handed, failure):
            return None
        if failure is None and (later := self._still_at_it(handed, now)) > now:
            return (job.job_key, job.generation, attempts, later)
        if failure is not None and failure.waits:
            troubles.forget(self._client, self._writer.space, [handed.name])
            return self._hand_out(job, attempts, now)
        if attempts >= self._limits.attempts:
            return self._give_up(job, trouble, now)
        return self._hand_out(job, attempts + 1, now)

    def _over_at(self, handed: Handed, failure: Trouble | None) -> int:
        """When the last attempt at a job is over: at its deadline, or after the pause that follows a failure."""
        if failure is None:
            return handed.deadline
        if failure.not_before is not None:
            return failure.not_before
        return failure.at + self._limits.pause_ms(handed.attempts)

    def _still_at_it(self, handed: Handed, now: int) -> int:
        """Until when to wait for a job that no worker has taken yet, or that one took late; 0 for none of these."""
        own = rq_id(self._writer.space, handed.job.job_key, handed.job.generation, handed.attempts)
        id_ = self._carriers.get(handed.name, own) if handed.attempts == 1 else own
        if self._queues.waits(handed.job.kind, id_):
            return now + self._limits.deadline_ms
        started = self._queues.started_at(id_)
        return started + self._limits.deadline_ms if started is not None else 0

    # ---- doing it ----------------------------------------------------------------------------------------------

    def _hand_out(self, job: DueJob, attempt: int, now: int) -> Row:
        if attempt > 1:
            said = self._named(job, attempt)
            log.info("%s %s is handed out again, attempt %d", job.kind, job.job_key[:12], attempt, extra=said)
        packed = pack(self._connection, self._writer.space, job, self._vectors)
        if isinstance(packed, Outcome):
            self._append(packed)
        else:
            parcel = Parcel(job.kind, packed.space, job.job_key, job.generation, attempt, encode_work(packed))
            self._queues.enqueue(parcel, self._limits.timeout_s)
        return (job.job_key, job.generation, attempt, now + self._limits.deadline_ms)

    def _named(self, job: DueJob, attempt: int) -> dict[str, Any]:
        """What a log line says of a job."""
        return {"space": self._writer.space, "job": job.job_key, "kind": job.kind, "attempt": attempt}

    def _hand_out_together(self, jobs: Sequence[DueJob], now: int) -> None:
        """Hands conflicts out for the first time, with as few questions to an engine as can be."""
        for members, packed in pack_together(self._connection, self._writer.space, jobs, self._vectors):
            if isinstance(packed, Outcome):
                self._append(packed)
            else:
                parcel = Parcel("resolve", packed.space, packed.job_key, packed.generation, 1, encode_work(packed))
                self._carriers.update({job_name(job.job_key, job.generation): parcel.rq_id for job in members})
                self._queues.enqueue(parcel, self._limits.timeout_s)
            self._write([(job.job_key, job.generation, 1, now + self._limits.deadline_ms) for job in members])

    def _give_up(self, job: DueJob, trouble: Trouble | None, now: int) -> Row:
        """Ends a job visibly; a person may requeue it, and a late outcome still counts."""
        tried = self._limits.attempts
        last = trouble or Trouble(attempt=0, at=0, error="")
        reason, brief = self._why(last, last.error), self._why(last, last.brief)
        said = self._named(job, tried)
        log.error("%s %s failed after %d attempts: %s", job.kind, job.job_key[:12], tried, brief, extra=said)
        spent = Engine(name=self._limits.engine, calls=last.calls, tokens_in=last.tokens_in, tokens_out=last.tokens_out)
        self._append(
            JobFailed(
                job_key=job.job_key,
                generation=job.generation,
                engine=spent,
                raw=last.raw,
                reason=reason,
                attempts=tried,
            )
        )
        # One attempt more than there is: what the last one failed with is not looked at again.
        return (job.job_key, job.generation, tried + 1, now + self._limits.deadline_ms)

    def _why(self, last: Trouble, error: str) -> str:
        """Why a job is given up, by the error of the last attempt that told one."""
        silent = "" if last.attempt == self._limits.attempts else f"no outcome within {self._limits.deadline_s:g} s"
        return "; before that: ".join(filter(None, (silent, error)))

    def _append(self, outcome: Outcome) -> None:
        """Appends an outcome of the dispatcher's own; one that says the same again is the same event."""
        outbox.append(self._client, self._writer.space, f"job-{digest(outcome).hex()}", outcome)

    def _write(self, rows: list[Row]) -> None:
        if not rows:
            return
        with self._transaction():
            self._connection.executemany(_WRITE, rows)

    def _forget_closed(self) -> None:
        """Removes the rows and troubles of jobs that are not due any more."""
        closed: list[Any] = self._connection.execute(_CLOSED).fetchall()
        if not closed:
            return
        names = [job_name(key, generation) for key, generation in closed]
        troubles.forget(self._client, self._writer.space, names)
        for name in names:
            self._carriers.pop(name, None)
        with self._transaction():
            self._connection.executemany("DELETE FROM dispatch WHERE job_key = ? AND generation = ?", closed)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writer.lock, immediate(self._connection):
            lease.check(self._connection, self._writer.space, self._writer.epoch)
            yield


class Dispatcher(Rounds[SpaceDispatcher]):
    """Dispatches for all spaces of a process."""

    caught = (MnemologError, redis.RedisError, apsw.Error, OSError)

    def __init__(self, client: redis.Redis, limits: JobLimits, embedder: Embedder) -> None:
        super().__init__("dispatcher")
        self._client = client
        self._limits = limits
        self._vectors = Vectors(embedder)

    def _open(self, writer: SpaceWriter) -> SpaceDispatcher:
        return SpaceDispatcher(writer, self._client, self._limits, self._vectors)

    def _take_turn(self, space: str, kept: SpaceDispatcher, *, idle: bool) -> bool:
        self._tried(space, "jobs", kept.turn)
        return False

    def _pauses(self, *, more: bool) -> tuple[float, float]:
        return (BACKLOG_REST_S if self.backlog else REST_S, PAUSE_S)

    @property
    def _retry_s(self) -> float:
        return RETRY_S

    def _told(self, error: Exception) -> str:
        return super()._told(translate(error, "hand out jobs") if isinstance(error, redis.RedisError) else error)
