"""The commands that append events to a stream, and what their replies mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from mnemolog.schema import keys
from mnemolog.schema.errors import LogUnavailable

#: How long a server may take to have an append on its disk, below the client's own timeout.
WAIT_MS = 4_000

Command = tuple[Any, ...]


def commands(key: str, bodies: Sequence[bytes], *, synced: bool) -> list[Command]:
    """One round trip that appends all encoded events or none; `synced`: it ends when they are on the server's disk."""
    appends: list[Command] = [("XADD", key, "NOMKSTREAM", "*", keys.BODY_FIELD, body) for body in bodies]
    # A Redis that is almost full would refuse some and take later ones.
    together = [("MULTI",), *appends, ("EXEC",)] if len(bodies) > 1 else appends
    return [*together, ("WAITAOF", 1, 0, WAIT_MS)] if synced else together


def ids_in(replies: Sequence[Any], count: int, *, synced: bool) -> list[bytes | None]:
    """The ids of the appended entries; None for each where there is no stream.

    Raises the first error among the replies, and LogUnavailable when the events are not known to be on the disk.
    """
    error = next((reply for reply in replies if isinstance(reply, redis.RedisError)), None)
    if error is not None:
        raise error
    if synced and replies[-1][0] < 1:
        raise LogUnavailable(
            f"the events were appended, but are not known to be on the server's disk after {WAIT_MS / 1000:g} s; "
            "publishing them again with the same ids is safe"
        )
    appended = replies[: len(replies) - int(synced)]
    return list(appended[-1]) if count > 1 else list(appended)


def appendfsync_of(config: Any) -> str:
    """The server's `appendfsync`, from its reply to CONFIG GET."""
    return {_text(name): _text(value) for name, value in config.items()}.get("appendfsync", "")


def version_of(info: Any) -> tuple[int, int]:
    """The server's version, from its reply to INFO; a Valkey tells the Redis version that it is compatible with."""
    told = info.get("valkey_version") or info.get("redis_version", "0.0")
    major, minor, *_ = (int(part) for part in str(told).split("."))
    return major, minor


def _text(value: bytes | str) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def asks_to_wait(appendfsync: str, version: tuple[int, int]) -> bool:
    """Whether each append must be followed by a wait for the disk, so that it survives a power cut.

    A server that syncs always needs no waiting. Raises redis.ResponseError for one that can do neither.
    """
    if appendfsync == "always":
        return False
    if version < (7, 2):
        raise redis.ResponseError(
            "durability 'power' needs appendfsync always, or a server with WAITAOF (Redis or Valkey 7.2): "
            "CONFIG SET appendfsync always"
        )
    return True
