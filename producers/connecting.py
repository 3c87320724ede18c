"""What both producers share: finding Redis, when to try again, and what to say when a stream is gone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from mnemolog.schema.endpoint import find_embedded
from mnemolog.schema.errors import LogUnavailable, StreamLost
from mnemolog.schema.settings import Settings, from_environment

#: A reply that was lost is asked for again with the same event id, which the writer folds once. Who waited for a
#: server that hangs until SOCKET_TIMEOUT_S was over is told so, and does not wait again.
RETRY: dict[str, Any] = {
    "on": LogUnavailable,
    "attempts": 3,
    "timeout": 4.0,
    "wait_initial": 0.02,
    "wait_max": 0.5,
    "wait_jitter": 0.05,
}

PIPELINE = 500


def clock() -> int:
    """The machine's clock, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_salt() -> str:
    """32 random hexadecimal digits."""
    return os.urandom(16).hex()


def settings_of(space: str | None, redis_url: str | None, data: str | Path | None) -> Settings:
    """The settings a producer works with: what it is given, else the environment."""
    return from_environment(os.environ, space=space, redis_url=redis_url, data=Path(data) if data else None)


def url_of(settings: Settings) -> str:
    """The URL of Redis: the given one, else that of the server running for the data folder.

    Raises LogUnavailable when there is neither; a producer never starts a server.
    """
    url = settings.redis_url or find_embedded(settings.data)
    if url is None:
        raise LogUnavailable(
            f"no Redis is running for the data folder {settings.data}: start one with `mnemolog up`, or name one with "
            "redis_url=… or MNEMOLOG_REDIS_URL"
        )
    return url


def lost(space: str) -> StreamLost:
    """The error for a stream that this process used before and that is no longer there."""
    return StreamLost(
        f"the stream of space {space!r} has vanished from Redis (emptied, or another server answers). Nothing was "
        "published. The writer puts its end back from the archive when it runs: publish again then"
    )
