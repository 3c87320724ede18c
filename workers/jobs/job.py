"""A job as a worker does it: reads the work, claims it, asks the engine, appends the outcome, one for each job."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import redis
from rq.exceptions import DeserializationError

from mnemolog.schema import keys, troubles
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import EngineError
from mnemolog.schema.ids import EventIds
from mnemolog.schema.jobs import AnyWork, ConsolidateWork, ExtractWork, decode_work
from mnemolog.schema.outcomes import Outcome
from mnemolog.schema.troubles import Trouble, job_name
from mnemolog.workers import outbox
from mnemolog.workers.engines.engine import Engine
from mnemolog.workers.jobs.joint import divided, names_of
from mnemolog.workers.jobs.queue import MemoryJob

log = logging.getLogger("mnemolog.worker")

#: What an outcome cost is worth some patience with Redis.
TRIES = 6


class Performer:
    """Does jobs with one engine. `client` is a log client, not the one that RQ uses."""

    def __init__(self, client: redis.Redis, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._ids = EventIds()

    def __call__(self, body: str, attempt: int, timeout_s: int) -> None:
        """Does the job that `body` describes, unless another worker is at it or was a moment ago.

        What an engine could not do is told to the dispatcher. Raises msgspec.DecodeError for work that cannot be
        read, errors of the log, and whatever the engine did not foresee; RQ's timeout passes through.
        """
        work = decode_work(body)
        if not self._claim(work, timeout_s):
            log.info("%s is done by another worker", _shown(work), extra=_named(work))
            return
        done = False
        try:
            done = self._perform(work, attempt)
        finally:
            # A job that is done keeps its claim until it runs out, so that a late duplicate does not pay again.
            if not done:
                self._release(work)

    def _perform(self, work: AnyWork, attempt: int) -> bool:
        started = time.monotonic()
        try:
            outcomes = self._conclude(work)
        except EngineError as error:
            said = {**_named(work), "attempt": attempt}
            log.warning("%s, attempt %d: %s", _shown(work), attempt, error.brief, extra=said)
            self._tell(work, attempt, error)
            return False
        took_ms = int((time.monotonic() - started) * 1000)
        for outcome in outcomes:
            self._append(work, outcome, took_ms)
        return True

    def _conclude(self, work: AnyWork) -> Sequence[Outcome]:
        if isinstance(work, ExtractWork):
            return [self._engine.extract(work)]
        if isinstance(work, ConsolidateWork):
            return [self._engine.consolidate(work)]
        return divided(work, self._engine.resolve(work))

    def _append(self, work: AnyWork, outcome: Outcome, took_ms: int) -> None:
        engine = msgspec.structs.replace(outcome.engine, took_ms=took_ms)
        timed = msgspec.structs.replace(outcome, engine=engine)
        event_id = self._ids.mint()
        position = outbox.append(self._client, work.space, event_id, timed, tries=TRIES)
        said = {**_named(work), "event_id": event_id, "position": position, "took_ms": took_ms}
        log.info("%s: %s at %s (%d ms)", _shown(work), outcome.TYPE, position, took_ms, extra=said)

    def explain(self, job: MemoryJob, kind: type[BaseException], error: BaseException, _: object) -> bool:
        """What RQ calls for a job that raised an error: tells the dispatcher. True, so that RQ goes on as usual."""
        try:
            body, attempt, _timeout = job.args
            work = decode_work(body)
        except (ValueError, TypeError, AttributeError, DeserializationError) as unreadable:
            log.error("job %s is not one of ours: %s", job.id, unreadable)  # noqa: TRY400 (RQ logs the trace)
            return True
        with suppress(redis.RedisError):
            self._tell(work, int(attempt), error)
        return True

    def _tell(self, work: AnyWork, attempt: int, error: BaseException) -> None:
        at = time.time_ns() // 1_000_000
        kind = type(error).__name__
        trouble = Trouble(attempt=attempt, at=at, error=f"{kind}: {error}", brief=kind)
        if isinstance(error, EngineError):
            wait_s = error.retry_after_s
            not_before = None if wait_s is None else at + int(wait_s * 1000)
            trouble = Trouble(
                attempt=attempt,
                at=at,
                error=str(error),
                not_before=not_before,
                waits=wait_s is not None and not error.calls,
                raw=error.raw,
                calls=error.calls,
                tokens_in=error.tokens_in,
                tokens_out=error.tokens_out,
                brief=error.brief,
            )
        first, *others = names_of(work)
        troubles.tell(self._client, work.space, job_name(*first), trouble)
        # What the one question has cost is told once.
        free = msgspec.structs.replace(trouble, raw="", calls=0, tokens_in=0, tokens_out=0)
        for name in others:
            troubles.tell(self._client, work.space, job_name(*name), free)

    # ---- claims ------------------------------------------------------------------------------------------------

    def _claim(self, work: AnyWork, timeout_s: int) -> bool:
        """Whether nobody else is at the job. A claim runs out before the job is handed out again."""
        first, *others = _claim_keys(work)
        try:
            if not self._client.set(first, b"1", nx=True, px=max(1, timeout_s) * 1000):
                return False
            for key in others:
                self._client.set(key, b"1", px=max(1, timeout_s) * 1000)
        except redis.RedisError as error:
            raise translate(error, "claim a job") from error
        return True

    def _release(self, work: AnyWork) -> None:
        with suppress(redis.RedisError):
            self._client.delete(*_claim_keys(work))


def _claim_keys(work: AnyWork) -> list[str]:
    return [keys.claim(work.space, job_name(*name)) for name in names_of(work)]


def _named(work: AnyWork) -> dict[str, object]:
    """What a log line says of a job."""
    return {"space": work.space, "job": work.job_key, "kind": type(work).__struct_config__.tag}


def _shown(work: AnyWork) -> str:
    kind = type(work).__struct_config__.tag
    return f"{kind} {work.job_key[:12]} generation {work.generation} of space {work.space}"
