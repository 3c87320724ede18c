"""Puts what this machine concluded on a space's stream: once as an event, however often it has to be sent."""

from __future__ import annotations

import time

import redis
import stamina

from mnemolog.schema import keys
from mnemolog.schema.codec import encode
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import LogUnavailable, StreamLost
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import Position


def append(client: redis.Redis, space: str, event_id: str, payload: Payload, *, tries: int = 1) -> Position:
    """Appends an event and gives its position; tried `tries` times with the same id when a reply was lost.

    Raises StreamLost when the space has no stream (any more), LogUnavailable after some tries, LogFull or LogRefused.
    """
    body = encode(event_id, time.time_ns() // 1_000_000, payload)
    for attempt in stamina.retry_context(LogUnavailable, attempts=tries, timeout=20.0, wait_max=2.0):
        with attempt:
            added = _add(client, space, body)
    if added is None:
        raise StreamLost(f"space {space!r} has no stream on this Redis: {payload.TYPE} was not appended")
    return Position.parse(added)


def _add(client: redis.Redis, space: str, body: bytes) -> bytes | None:
    try:
        added: bytes | None = client.execute_command(
            "XADD", keys.stream(space), "NOMKSTREAM", "*", keys.BODY_FIELD, body
        )
    except redis.RedisError as error:
        raise translate(error, f"append to the stream of space {space!r}") from error
    return added
