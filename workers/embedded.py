"""The embedded Redis of a data folder: started when none runs, shared by all commands, stopped by the last one out.

Three lock files in DATA/redis decide everything, so that no crash leaves a wrong answer behind: `start.lock` is held
while a server is started or stopped, `users.lock` is held (shared) by every process that uses the server, and
`server.lock` is held by the server itself (RedisFolder says how).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import psutil
import redis

from mnemolog.schema.endpoint import RedisFolder, ServerRecord, log_client, translate
from mnemolog.schema.errors import LogUnavailable
from mnemolog.workers.redis_program import redis_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mnemolog.schema.settings import Durability

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 5.0

_POLL_S = 0.005
_LOG_LINES_SHOWN = 8
# The kernel takes 104 to 108 bytes, the closing NUL included.
_MAX_SOCKET_BYTES = 100
_SOCKET_NAME = "redis.sock"
_PRIVATE_FOLDER = 0o040700
# psutil reads the start of a process against the clock, which may be slewed meanwhile.
_SAME_START_S = 2.0

_CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
daemonize no
appendonly yes
appendfsync {appendfsync}
save ""
maxmemory-policy noeviction
"""
_APPENDFSYNC: dict[Durability, str] = {"process": "everysec", "power": "always"}


@contextmanager
def embedded_redis(data: Path, durability: Durability = "process", *, always_stop: bool = False) -> Iterator[str]:
    """Yields the URL of the data folder's Redis server, which is started if none runs, found otherwise.

    On leaving, the server is stopped when no other process uses it, or in any case with `always_stop`. A server whose
    users were all killed is taken over by whoever comes next. Raises RedisNotFound when no server program is
    installed, LogUnavailable when the server does not come up or does not end.
    """
    folder = RedisFolder(data)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.path.mkdir(mode=0o700, exist_ok=True)
    folder.path.chmod(0o700)
    with folder.users_lock.open("ab") as users:
        with _locked(folder.start_lock):
            fcntl.flock(users, fcntl.LOCK_SH)
            process = None if _take_over(folder, durability) else _start(folder, durability)
            url = _recorded(folder).url
        try:
            yield url
        finally:
            with _locked(folder.start_lock):
                stopped = always_stop or _is_alone(users)
                if stopped:
                    _stop(folder)
                fcntl.flock(users, fcntl.LOCK_UN)
            if process is not None:
                _reap(process, dead=stopped)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _is_alone(users: BinaryIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _recorded(folder: RedisFolder) -> ServerRecord:
    record = folder.record()
    if record is None:
        raise LogUnavailable(
            f"a Redis server runs in {folder.path}, but {folder.record_file.name} does not say where; end that "
            "process and try again"
        )
    return record


def _write_record(folder: RedisFolder, record: ServerRecord) -> None:
    beside = folder.record_file.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(record))
    beside.replace(folder.record_file)


# ---- a server that runs already -----------------------------------------------------------------------------------


def _take_over(folder: RedisFolder, durability: Durability) -> bool:
    """Whether a server runs; it is made as durable as asked (never less), and ours if its owner is dead."""
    if not folder.is_served():
        return False
    record = _recorded(folder)
    if not _answers(folder, record):
        return False
    try:
        with closing(log_client(record.url)) as client:
            if durability == "power":
                client.config_set("appendfsync", _APPENDFSYNC[durability])
            if not psutil.pid_exists(record.owner_pid):
                _write_record(folder, _owned(record, client.info("server")["process_id"]))
    except redis.RedisError as error:
        raise translate(error, f"take over the Redis server of {folder.path}") from error
    return True


def _owned(record: ServerRecord, pid: int) -> ServerRecord:
    """The record completed: the server's process, and this one as its owner."""
    started_at = psutil.Process(pid).create_time()
    return msgspec.structs.replace(record, pid=pid, started_at=started_at, owner_pid=os.getpid())


def _answers(folder: RedisFolder, record: ServerRecord) -> bool:
    """Waits until the server has loaded its file and answers; False when it died instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    with closing(log_client(record.url)) as client:
        while folder.is_served():
            try:
                client.ping()
            except redis.BusyLoadingError:
                deadline = time.monotonic() + START_TIMEOUT_S
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    raise LogUnavailable(
                        f"the Redis server of {folder.path} (process {record.pid or 'unknown'}) does not answer: "
                        f"{error}; see {folder.log_file}, or end that process and try again"
                    ) from error
            else:
                return True
            time.sleep(_POLL_S)
    return False


# ---- starting ----------------------------------------------------------------------------------------------------


def _start(folder: RedisFolder, durability: Durability) -> subprocess.Popen[bytes]:
    program = redis_program(folder)
    socket = _socket_folder(folder.record()) / _SOCKET_NAME
    # Before the server, so that whoever comes next finds it if this process is killed at any moment.
    record = ServerRecord(socket=str(socket), owner_pid=os.getpid())
    _write_record(folder, record)
    process = None
    try:
        process = _launch(program, folder, _config(socket, durability))
        answered = _answers(folder, record)
        if answered:
            _write_record(folder, _owned(record, process.pid))
    except BaseException:
        _give_up(process, folder, socket)
        raise
    if not answered:
        _give_up(process, folder, socket)
        raise LogUnavailable(f"the Redis server of {folder.path} did not start:\n{_last_lines(folder.log_file)}")
    return process


def _give_up(process: subprocess.Popen[bytes] | None, folder: RedisFolder, socket: Path) -> None:
    if process is not None:
        process.kill()
        process.wait()
    elif folder.is_served():
        return  # interrupted while it was launched: whoever comes next takes it over
    _clear(folder, socket.parent)


def _launch(program: str, folder: RedisFolder, config: bytes) -> subprocess.Popen[bytes]:
    # The working folder is the server's, so that a path of any length and script needs no quoting; a session of its
    # own keeps Ctrl-C in the terminal from ending it before the writer has drained.
    with _locked(folder.server_lock) as lock, folder.log_file.open("ab") as log, _readable(config) as stdin:
        return subprocess.Popen(  # noqa: S603
            [program, "-"],
            cwd=folder.path,
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )


def _readable(config: bytes) -> BinaryIO:
    """A pipe that holds the whole configuration: a server that read half of one would open a port to the network."""
    reading, writing = os.pipe()
    os.write(writing, config)
    os.close(writing)
    return os.fdopen(reading, "rb")


def _config(socket: Path, durability: Durability) -> bytes:
    quoted = str(socket).replace("\\", "\\\\").replace('"', '\\"')
    return os.fsencode(_CONFIG.format(socket=quoted, appendfsync=_APPENDFSYNC[durability]))


def _socket_folder(last: ServerRecord | None) -> Path:
    """A private folder for the socket: the last server's if it is still there, so that its clients find the new one."""
    if last is not None and _is_private(Path(last.socket).parent):
        return Path(last.socket).parent
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
        if len(os.fsencode(parent)) <= _MAX_SOCKET_BYTES - len(f"/mnemolog-12345678/{_SOCKET_NAME}"):
            return Path(tempfile.mkdtemp(prefix="mnemolog-", dir=parent))
    raise AssertionError


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid == os.getuid() and status.st_mode & 0o170777 == _PRIVATE_FOLDER


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_LOG_LINES_SHOWN:])


# ---- stopping ----------------------------------------------------------------------------------------------------


def _stop(folder: RedisFolder) -> None:
    """Ends the server, if one lives, and waits until its process is gone."""
    record = folder.record()
    if record is None:
        return
    if not _ends(folder, record, STOP_TIMEOUT_S):
        _kill(record)
        if not _ends(folder, record, KILL_TIMEOUT_S):
            raise LogUnavailable(f"the Redis server of {folder.path} (process {record.pid}) does not end")
    _clear(folder, Path(record.socket).parent)


def _ends(folder: RedisFolder, record: ServerRecord, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    with closing(log_client(record.url)) as client:
        while folder.is_served():
            if time.monotonic() > deadline:
                return False
            # Refused while the first append-only file is being written, so it is asked again until it is gone.
            with suppress(redis.RedisError):
                client.shutdown(nosave=True)
            time.sleep(_POLL_S)
    return True


def _kill(record: ServerRecord) -> None:
    if record.pid is None or record.started_at is None:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.started_at) < _SAME_START_S:
            process.kill()


def _clear(folder: RedisFolder, socket_folder: Path) -> None:
    folder.record_file.unlink(missing_ok=True)
    if _is_private(socket_folder):
        shutil.rmtree(socket_folder, ignore_errors=True)


def _reap(process: subprocess.Popen[bytes], *, dead: bool) -> None:
    """Leaves no zombie: a server that others still use outlives us as our child and is waited for beside."""
    if dead or process.poll() is not None:
        process.wait()
    else:
        threading.Thread(target=process.wait, name="embedded-redis-reaper", daemon=True).start()
