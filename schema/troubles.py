"""What attempts at jobs failed with: told by workers in Redis, read by the dispatcher and by people."""

from __future__ import annotations

from typing import Any

import msgspec
import redis

from mnemolog.schema import keys

MAX_ERROR_CHARS = 1_500
MAX_RAW_CHARS = 100_000
#: Troubles of a space that nobody dispatches for any more go away after a week.
TTL_S = 7 * 24 * 3600


class Trouble(msgspec.Struct, frozen=True):
    """Why an attempt failed. `not_before` is when to try again (UTC milliseconds), None: the dispatcher decides.

    `waits` says that nothing was tried yet: the engine wants to be asked later, and the attempt does not count. `raw`
    is the engine's last reply; `calls` and tokens are what all attempts at the job have cost so far. `brief` is the
    error as logs have it.
    """

    attempt: int
    at: int
    error: str
    not_before: int | None = None
    waits: bool = False
    raw: str = ""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    brief: str = ""


_decoder = msgspec.json.Decoder(Trouble)


def job_name(job_key: str, generation: int) -> str:
    """How a job is named in Redis."""
    return f"{job_key}-{generation}"


def tell(client: redis.Redis, space: str, job: str, trouble: Trouble) -> None:
    """Says why an attempt failed, and adds up what the job has cost. Raises redis.RedisError."""
    stored: Any = client.hget(keys.troubles(space), job)
    before = _decoded(stored)
    short = msgspec.structs.replace(
        trouble,
        error=trouble.error[:MAX_ERROR_CHARS],
        raw=trouble.raw[:MAX_RAW_CHARS],
        calls=trouble.calls + (before.calls if before else 0),
        tokens_in=trouble.tokens_in + (before.tokens_in if before else 0),
        tokens_out=trouble.tokens_out + (before.tokens_out if before else 0),
    )
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(keys.troubles(space), job, msgspec.json.encode(short))
        pipe.expire(keys.troubles(space), TTL_S)
        pipe.execute()


def told(client: redis.Redis, space: str) -> dict[str, Trouble]:
    """The last trouble of each job that had any; what is no trouble is passed over. Raises redis.RedisError."""
    found = {job.decode("ascii", "replace"): _decoded(value) for job, value in _all(client, space).items()}
    return {job: trouble for job, trouble in found.items() if trouble is not None}


def _all(client: redis.Redis, space: str) -> dict[bytes, bytes]:
    found: Any = client.hgetall(keys.troubles(space))
    return dict(found)


def _decoded(value: bytes | None) -> Trouble | None:
    try:
        return None if value is None else _decoder.decode(value)
    except msgspec.DecodeError:
        return None


def waiting(client: redis.Redis, space: str) -> dict[str, str]:
    """The jobs that wait to be asked again later, for a budget for instance, and why. Raises redis.RedisError."""
    return {job: trouble.error for job, trouble in told(client, space).items() if trouble.waits}


def forget(client: redis.Redis, space: str, jobs: list[str]) -> None:
    """Removes the troubles of jobs. Raises redis.RedisError."""
    if jobs:
        client.hdel(keys.troubles(space), *jobs)
