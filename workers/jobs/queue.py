"""The queues between dispatcher and workers: RQ, with JSON and with a job class that runs one function only.

RQ imports whatever function a queued job names, and calls what it names as callbacks. Here a job's function is looked
up in no module: a worker gives the one function that its jobs may run, and all else that a job could ask for is
dropped when it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
import redis
from rq import Queue
from rq.exceptions import NoSuchJobError, TimeoutFormatError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from mnemolog.schema import keys
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.outcomes import JobKind

#: The only name that a job's function may have. It is never imported.
FUNCTION = "mnemolog.workers.jobs.job.perform"

#: How long RQ keeps a job that raised an error, in seconds: for people who look into it.
FAILURE_TTL_S = 600

Function = Callable[..., None]


class ForeignJob(MnemologError):
    """A job in the queue names a function that is not this project's."""


class MemoryJob(Job):
    """A job of this project. Workers make a subclass whose `function` does the work; this one cannot be run."""

    function: ClassVar[Function | None] = None

    @property
    def func(self) -> Function:
        """The function to run. Raises ForeignJob for a job that names another one."""
        if self.func_name != FUNCTION or self.instance is not None or self.function is None:
            raise ForeignJob(f"job {self.id} asks for {self.func_name!r}, which this worker does not run")
        return self.function

    def restore(self, raw_data: Any) -> None:
        """Reads the job from Redis without callbacks, web hooks, repetitions and dependents.

        Raises NoSuchJobError for a hash that is no job, which RQ passes over.
        """
        try:
            super().restore(raw_data)
        except (ValueError, TypeError, KeyError, AttributeError, AssertionError, TimeoutFormatError) as error:
            raise NoSuchJobError(f"job {self.id} cannot be read: {error}") from error
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        self.repeats_left = self.retries_left = None
        self.group_id = None


def job_class_of(function: Function) -> type[MemoryJob]:
    """A job class whose jobs run `function`."""

    class RunnableJob(MemoryJob):
        pass

    RunnableJob.function = staticmethod(function)
    return RunnableJob


def queue_of(client: redis.Redis, kind: JobKind, job_class: type[MemoryJob] = MemoryJob) -> Queue:
    """The queue of one kind of job."""
    return Queue(keys.queue(kind), connection=client, job_class=job_class, serializer=JSONSerializer)


class Parcel(msgspec.Struct, frozen=True):
    """A job ready to be handed out: which attempt it is, and the encoded work."""

    kind: JobKind
    space: str
    job_key: str
    generation: int
    attempt: int
    body: str

    @property
    def rq_id(self) -> str:
        """RQ's id of the job: handing the same attempt out again replaces it."""
        return rq_id(self.space, self.job_key, self.generation, self.attempt)


def rq_id(space: str, job_key: str, generation: int, attempt: int) -> str:
    """RQ's id for an attempt at a job. Spaces that were told the same have jobs of the same key, on the same queue."""
    return f"{_prefix(space)}-{job_key}-{generation}-{attempt}"


def job_keys(space: str) -> tuple[str, ...]:
    """The patterns of the Redis keys under which RQ keeps a space's jobs, and with what they failed."""
    return tuple(f"{kept}{_prefix(space)}-*" for kept in (Job.redis_job_namespace_prefix, "rq:results:"))


def _prefix(space: str) -> str:
    return blake2b(space.encode(), digest_size=8).hexdigest()


class Queues:
    """The dispatcher's side of the queues. Its client must not be a worker's: RQ changes that one's timeouts.

    Every method raises redis.RedisError for what Redis or the way to it does.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def enqueue(self, parcel: Parcel, timeout_s: int) -> None:
        """Hands a job out, to be done within `timeout_s` seconds."""
        queue_of(self._client, parcel.kind).enqueue_call(
            FUNCTION,
            args=(parcel.body, parcel.attempt, timeout_s),
            timeout=timeout_s,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_S,
            description=f"{parcel.kind} {parcel.rq_id}",
            job_id=parcel.rq_id,
        )

    def waits(self, kind: JobKind, rq_id: str) -> bool:
        """Whether no worker has taken the job yet."""
        found: Any = self._client.execute_command("LPOS", queue_of(self._client, kind).key, rq_id)
        return found is not None

    def started_at(self, rq_id: str) -> int | None:
        """When a worker took a job that is still running, as far as RQ knows, in UTC milliseconds."""
        try:
            job = MemoryJob.fetch(rq_id, connection=self._client, serializer=JSONSerializer)
        except NoSuchJobError:
            return None
        started: datetime | None = job.started_at
        if started is None or job.get_status(refresh=False) != JobStatus.STARTED:
            return None
        return int((started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp() * 1000)
