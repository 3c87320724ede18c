"""Where Redis is and how it is spoken to: the embedded server's record, the log's clients, one place for its errors."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthorizationError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    TryAgainError,
)
from redis.retry import Retry

from mnemolog.schema.errors import InvalidInput, LogFull, LogRefused, LogUnavailable, MnemologError

SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
#: The longest a command may block in Redis: below SOCKET_TIMEOUT_S, or a quiet stream looks like a dead server.
MAX_BLOCK_MS = 2_000

# A repeated XADD writes a second entry, so the clients never retry. RESP2 gives the same shapes in all versions.
_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "socket_timeout": SOCKET_TIMEOUT_S,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
}
_URL_OPTIONS = frozenset({"client_name", "db", "password", "username"})

_USER_PASSWORD = re.compile(r"(://[^/@\s]*?:)\S*@")
_QUERY_PASSWORD = re.compile(r"([?&]password=)[^&\s]*")
_PIPELINE_MARK = " of pipeline caused error: "
#: redis.asyncio's pipelines show what Redis said as a tuple of one text.
_TUPLE_OF_ONE = re.compile(r"""\((['"])(.*)\1,\)""", re.DOTALL)

#: Error codes that pass by themselves.
_PASSING = frozenset({"CLUSTERDOWN", "LOADING", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN"})
#: redis-py takes the code off where it has an error of its own for it.
_PASSING_ERRORS = (ClusterDownError, MasterDownError, TryAgainError)
#: What to do about error codes that do not.
_ADVICE = {
    "WRONGTYPE": "Another program uses this key: choose another space or another database number",
}


class ServerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What DATA/redis/server.json says of the embedded server. `started_at` is in seconds since 1970.

    It is written before the server is started; `pid` and `started_at` are known when it answers.
    """

    socket: str
    owner_pid: int
    pid: int | None = None
    started_at: float | None = None

    @property
    def url(self) -> str:
        """The URL that clients connect to."""
        return "unix://" + quote(self.socket)


class RedisFolder:
    """The folder of a data folder's embedded Redis and the files in it.

    `server_lock` is held by the server process itself as long as it lives: it inherits the open file. So whether a
    server lives is known for certain, whatever became of its process id, its parent or the clock.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "redis"
        self.record_file = self.path / "server.json"
        self.log_file = self.path / "redis.log"
        self.start_lock = self.path / "start.lock"
        self.users_lock = self.path / "users.lock"
        self.server_lock = self.path / "server.lock"

    def record(self) -> ServerRecord | None:
        """What was recorded of the last server, dead or alive; None when there is nothing readable."""
        try:
            return msgspec.json.decode(self.record_file.read_bytes(), type=ServerRecord)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def is_served(self) -> bool:
        """Whether a server process lives on this folder, still loading or stopping ones included."""
        try:
            lock = os.open(self.server_lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False


def find_embedded(data: Path) -> str | None:
    """The URL of the embedded server that runs for a data folder, or None. Never starts one."""
    folder = RedisFolder(data)
    record = folder.record()
    if record is None or not Path(record.socket).is_socket() or not folder.is_served():
        return None
    return record.url


def log_client(url: str) -> redis.Redis:
    """A client for the log: bytes in and out, no retries, replies awaited for SOCKET_TIMEOUT_S.

    It connects when first used. Raises InvalidInput for a URL that cannot be used.
    """
    _check_options(url)
    try:
        return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **_OPTIONS)
    except ValueError:
        raise _invalid_url() from None


def async_log_client(url: str) -> redis.asyncio.Redis:
    """The same as `log_client` for asyncio; it belongs to the event loop that first uses it."""
    _check_options(url)
    try:
        return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **_OPTIONS)
    except ValueError:
        raise _invalid_url() from None


def _check_options(url: str) -> None:
    # Options in a URL win over ours, and some of them would turn replies into text or repeat commands.
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _invalid_url() from None
    for name in parse_qs(parts.query):
        if name not in _URL_OPTIONS and not name.startswith("ssl_"):
            known = ", ".join(sorted(_URL_OPTIONS))
            raise InvalidInput(f"the Redis URL has the option {name!r}; it may have {known} and ssl_…")


def _invalid_url() -> InvalidInput:
    # What urllib and redis-py say may quote a piece of the password.
    return InvalidInput(
        "the Redis URL is not valid: it looks like redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://… for TLS, "
        "or unix:///PATH (percent-encode special characters of a password)"
    )


def without_password(url: str) -> str:
    """The URL for people's eyes: a password in it is replaced by ***."""
    return _QUERY_PASSWORD.sub(r"\1***", _USER_PASSWORD.sub(r"\1***@", url))


def translate(error: redis.RedisError, what: str) -> MnemologError:
    """The error of ours that says what Redis, or the way to it, refused.

    `what` is what was to be done, as in "read the stream". LogUnavailable may be tried again as it is, LogFull when
    there is room, LogRefused when somebody has changed something.
    """
    # redis.asyncio hides what Redis said to a new connection behind an error of the network.
    if isinstance(error, redis.ConnectionError) and isinstance(error.__cause__, redis.RedisError):
        error = error.__cause__
    detail = _detail(error)
    code = detail.split(" ", 1)[0]
    if room := _room(error, code, detail):
        return LogFull(f"cannot {what}: {room}, then try again")
    if advice := _refusal(error, code, detail):
        return LogRefused(f"cannot {what}: {detail}. {advice}")
    if isinstance(error, redis.BusyLoadingError):
        return LogUnavailable(f"cannot {what}: Redis is still loading its data; try again in a moment")
    if isinstance(error, redis.TimeoutError):
        return LogUnavailable(
            f"cannot {what}: Redis did not answer in time; whether it was done is not known. Try again"
        )
    if isinstance(error, (redis.ConnectionError, *_PASSING_ERRORS)) or code in _PASSING:
        return LogUnavailable(f"cannot {what}: {detail}. Check that Redis runs and can be reached, then try again")
    return LogRefused(f"cannot {what}: Redis answered: {detail}")


def _room(error: redis.RedisError, code: str, detail: str) -> str | None:
    """Where a server has no room left, and what to do about it."""
    if isinstance(error, redis.OutOfMemoryError):
        return (
            "Redis is out of memory and refuses to write. Free memory, raise maxmemory, or let the writer catch up (it "
            "trims what it has archived)"
        )
    return f"{detail}. Redis cannot save to its disk: free some" if code == "MISCONF" else None


def _refusal(error: redis.RedisError, code: str, detail: str) -> str | None:
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return "Name who signed the server's certificate in the Redis URL (ssl_ca_certs=FILE), and the host as it does"
    if isinstance(error, redis.AuthenticationError) or code in ("NOAUTH", "WRONGPASS"):
        return "Check the user and the password in the Redis URL"
    if isinstance(error, (NoPermissionError, AuthorizationError)):
        return "Allow this user the keys mnemolog:* and rq:* and the commands on them (ACL SETUSER)"
    if isinstance(error, redis.ReadOnlyError):
        return "This Redis is a replica: give the URL of the primary"
    return _ADVICE.get(code)


def _detail(error: redis.RedisError) -> str:
    """What Redis said, on one line, without the command (redis-py quotes it for pipelines: it holds user text)."""
    said = str(error).rpartition(_PIPELINE_MARK)[2].strip() or type(error).__name__
    if shown := _TUPLE_OF_ONE.fullmatch(said):
        said = shown[2]
    return without_password(" ".join(said.split()))[:300].rstrip(".")
