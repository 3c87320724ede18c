"""Checks of Redis: that it can be reached, keeps what it acknowledged, and has room; of the stream and workers."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import redis

from mnemolog.projections.checkup.checkup import Finding, ok, problem, sized, warning
from mnemolog.projections.checkup.machine import numbers
from mnemolog.schema import keys
from mnemolog.schema.endpoint import RedisFolder, translate, without_password
from mnemolog.schema.ids import MAX_STREAM_PART, Position
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.settings import Durability, Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.times import DAY, SECOND

_OLDEST = (6, 2)
#: With the closing NUL, the kernel takes 104 to 108 bytes.
_MOST_SOCKET_BYTES = 103
_TIGHT = 0.8
_FULL = 0.95
_CLOCKS_APART_MS = 2 * SECOND
_CLOCKS_FAR_APART_MS = 60 * SECOND


def unreached(settings: Settings, error: str | None) -> Finding:
    """Of a Redis that was not reached, for a reason, or that does not run."""
    if error is not None:
        return problem("redis", error, "check that it runs, and the URL in --redis or MNEMOLOG_REDIS_URL")
    folder = RedisFolder(settings.data)
    if folder.is_served():
        record = folder.record()
        pid = record.pid if record else None
        return problem(
            "redis",
            f"the server of {folder.path} (process {pid or 'unknown'}) runs, and its socket is gone",
            "end that process and what uses it (kill), then start `mnemolog up`; its data are on the disk",
        )
    return ok("redis", "not running: `mnemolog up` starts it")


def server(url: str, client: redis.Redis) -> Finding:
    """The server's version. Raises redis.RedisError where it cannot be reached."""
    client.ping()
    where = without_password(url)
    try:
        info: Any = client.info("server")
    except redis.ResponseError as error:
        return warning("redis", f"{where} does not tell its version: {error}", "allow this user INFO (ACL SETUSER)")
    version = str(info.get("valkey_version") or info["redis_version"])
    if numbers(version) < _OLDEST:
        return problem("redis", f"{where} has version {version}", "use Redis 6.2 or newer, or Valkey")
    return ok("redis", f"{info.get('server_name', 'redis')} {version} at {where}")


def config_of(client: redis.Redis) -> dict[str, str] | None:
    """The server's settings that matter; None where it does not tell them. Raises redis.ConnectionError."""
    try:
        found: Any = [client.config_get(pattern) for pattern in ("append*", "maxmemory*")]
    except redis.ResponseError:
        return None
    return {_plain(name): _plain(value) for part in found for name, value in part.items()}


def _plain(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def eviction(config: Mapping[str, str] | None) -> Finding:
    """Whether Redis would throw a stream away to make room."""
    if config is None:
        return warning(
            "redis eviction", "Redis does not tell its settings", "make sure that maxmemory-policy is noeviction"
        )
    policy = config.get("maxmemory-policy", "unknown")
    if policy != "noeviction":
        return problem(
            "redis eviction",
            f"maxmemory-policy is {policy}: a full server throws whole streams away",
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
        )
    return ok("redis eviction", "maxmemory-policy is noeviction")


def persistence(config: Mapping[str, str] | None, wanted: Durability) -> Finding:
    """Whether what was acknowledged survives what it is said to survive."""
    name = "redis persistence"
    if config is None:
        return warning(name, "Redis does not tell its settings", "make sure that appendonly is yes")
    if config.get("appendonly") != "yes":
        return problem(
            name,
            "appendonly is no: what was acknowledged is lost when Redis ends",
            "redis-cli CONFIG SET appendonly yes, and the same in redis.conf",
        )
    synced = config.get("appendfsync", "unknown")
    if wanted == "power" and synced != "always":
        return problem(
            name,
            f"durability `power` is asked for, and appendfsync is {synced}",
            "redis-cli CONFIG SET appendfsync always, and the same in redis.conf",
        )
    if synced == "no":
        return warning(
            name,
            "appendfsync is no: a power cut may lose half a minute",
            "redis-cli CONFIG SET appendfsync everysec, and the same in redis.conf",
        )
    return ok(name, f"appendonly yes, appendfsync {synced}")


def saving(client: redis.Redis) -> Finding:
    """Whether Redis could write to its disk when it last tried."""
    info = _info(client, "persistence")
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    if failed:
        return problem(
            "redis disk", f"Redis could not write: {', '.join(failed)}", "free some of its disk, and look at its log"
        )
    return ok("redis disk", "the last writes went well")


def _info(client: redis.Redis, section: str) -> dict[str, Any]:
    try:
        return dict(client.info(section))
    except redis.ResponseError:
        return {}


def memory(client: redis.Redis) -> Finding:
    """How much of its memory Redis has used."""
    info = _info(client, "memory")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most:
        return ok("redis memory", f"{sized(used)} used, no maxmemory")
    found = f"{sized(used)} of {sized(most)} used"
    mend = "raise maxmemory, or run the writer: it trims what it has archived"
    if used > _FULL * most:
        return problem("redis memory", f"{found}: publishing is refused when it is full", mend)
    return warning("redis memory", found, mend) if used > _TIGHT * most else ok("redis memory", found)


def clock(client: redis.Redis, now_ms: int) -> Finding:
    """How far Redis' clock, which dates what is recorded, is from this machine's (`now_ms`)."""
    seconds, micros = client.time()
    apart = int(seconds) * 1000 + int(micros) // 1000 - now_ms
    found = f"Redis' clock is {abs(apart) / 1000:.1f} s {'before' if apart > 0 else 'behind'} this machine's"
    mend = "set both clocks (timedatectl set-ntp true)"
    if abs(apart) > _CLOCKS_FAR_APART_MS:
        return problem("clocks", found, mend)
    return warning("clocks", found, mend) if abs(apart) > _CLOCKS_APART_MS else ok("clocks", found)


def stream_top(stream: Stream, now_ms: int) -> Finding:
    """Whether the stream's highest id is one that a clock gave. Raises the errors of Stream."""
    bounds = stream.bounds()
    if bounds is None:
        return ok("stream", "there is no stream")
    if max(bounds.top) >= MAX_STREAM_PART:
        return problem(
            "stream",
            f"the impossible id {bounds.top} is at its top, after which nothing can be added",
            f"copy what is worth keeping after {bounds.first}, then redis-cli DEL '{stream.key}' and start the writer: "
            "it goes on after what it has archived",
        )
    if bounds.top.ms > now_ms + DAY:
        return problem(
            "stream",
            f"its top {bounds.top} lies {(bounds.top.ms - now_ms) // DAY} days ahead of this machine's clock: what is "
            "published now is recorded then",
            "set the clock if it is wrong; else somebody added an id by hand, and times recorded until then are wrong",
        )
    return ok("stream", f"entries: {bounds.length:,}, up to {bounds.top}")


def socket(url: str) -> Finding | None:
    """Of a Unix socket: the length of its path, and whether others may use it; None for other URLs."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return None
    path = Path(unquote(parts.path))
    length = len(os.fsencode(path))
    if length > _MOST_SOCKET_BYTES:
        return problem(
            "socket", f"its path has {length} bytes, and a kernel takes {_MOST_SOCKET_BYTES}", "give it a shorter path"
        )
    try:
        modes = [one.stat().st_mode for one in (path, path.parent)]
    except OSError as error:
        return problem("socket", f"it cannot be looked at: {error}", "start the server again")
    if modes[0] & stat.S_IWOTH and modes[1] & stat.S_IXOTH:
        return problem("socket", f"everybody on this machine may use {path}", f"chmod 700 {path.parent}")
    return ok("socket", f"{path}, {length} bytes")


def workers(client: redis.Redis) -> dict[str, int]:
    """How many workers of each queue are alive, as they say themselves. Raises redis.RedisError."""
    alive = {}
    for kind in QUEUES:
        names: Any = client.smembers(f"rq:workers:{keys.queue(kind)}")
        alive[str(kind)] = sum(bool(client.exists(name)) for name in names)
    return alive


def lag(stream: Stream, position: Position, most: int) -> int:
    """How many entries are published and not folded, counted up to `most`. Raises the errors of Stream."""
    return stream.count_after(position, most)


def refused(error: redis.RedisError) -> Finding:
    """Of a Redis that answers with an error."""
    return problem("redis", str(translate(error, "ask Redis")), "see what it says")
