"""Passwords and keys are seen nowhere, and what a memory is kept in belongs to its owner alone."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis as redis_py
from support import run_cli, start_cli, wait_until
from support.redis_server import RedisServer

from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client

PASSWORD = "hunter2-pa55w0rd-9f3b"
API_KEY = "sk-secret-k3y-71ac"
SECRETS = (PASSWORD, API_KEY)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", {"requirepass": PASSWORD}) as running:
        yield running


def everything_of(client: redis_py.Redis) -> bytes:
    """All keys and values of a server, as text to search."""
    found = []
    for key in client.scan_iter():
        kind = client.type(key)
        read = {
            b"stream": ("XRANGE", key, "-", "+"),
            b"hash": ("HGETALL", key),
            b"string": ("GET", key),
            b"list": ("LRANGE", key, 0, -1),
            b"set": ("SMEMBERS", key),
            b"zset": ("ZRANGE", key, 0, -1),
        }[kind]
        found.append(repr((key, client.execute_command(*read))).encode())
    return b"\n".join(found)


def command_lines() -> str:
    """The command lines of all processes that this one started, and of theirs."""
    lines = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            lines.append(" ".join(process.cmdline()))
    return "\n".join(lines)


def files_with(folder: Path, secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (str(path), secret)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        for secret in secrets
        if secret.encode() in path.read_bytes()
    ]


def shown_in(secrets: tuple[str, ...], *texts: str) -> list[tuple[str, str]]:
    return [(secret, text[:2_000]) for text in texts for secret in secrets if secret in text]


def test_no_password_and_no_key_is_seen_anywhere(server: RedisServer, tmp_path: Path) -> None:
    url = server.url_of("default", PASSWORD)
    data = tmp_path / "data"
    env = {
        "MNEMOLOG_REDIS_URL": url,
        "MNEMOLOG_DATA": str(data),
        "MNEMOLOG_MODEL": "some-model",
        # Nobody listens there: every job fails with an error that names the server.
        "OPENAI_BASE_URL": f"http://user:{PASSWORD}@127.0.0.1:1/v1",
        "OPENAI_API_KEY": API_KEY,
    }
    outputs: list[str] = []
    with start_cli("-v", "up", env=env) as up, closing(log_client(url)) as client:
        up.wait_for("Ctrl-C")
        for number in range(2):
            said = ("publish", "I live in Berlin.", "--role", "user", "--speaker", "Ada", "--session", f"s{number}")
            told = run_cli("-v", *said, "--at", f"2026-03-{9 + number:02}T10:00:00Z", env=env)
            outputs += [told.stdout, told.stderr]
        wait_until(lambda: client.exists(keys.troubles("default")), 40, "the model to fail")
        lines = command_lines()
        for command in (("status",), ("status", "--json"), ("jobs", "list"), ("recall", "Berlin"), ("chat", "--help")):
            told = run_cli("-v", *command, env=env)
            outputs += [told.stdout, told.stderr]
        stored = everything_of(client).decode("utf-8", "replace")
        server.kill()
        for command in (("publish", "x", "--role", "user", "--session", "s"), ("status",), ("up",)):
            told = run_cli("-v", *command, env=env, timeout_s=40) if command != ("up",) else ended(env)
            outputs += [told.stdout, told.stderr]
        server.start()
        for worker in psutil.Process(up.pid).children(recursive=True):
            worker.kill()
        up.kill()
        outputs.append(up.output)
    outputs += [
        (told := run_cli("-v", "publish", "x", "--role", "user", "--session", "s", env=env | wrong)).stdout
        + told.stderr
        for wrong in (
            {"MNEMOLOG_REDIS_URL": url + "/x"},
            {"MNEMOLOG_REDIS_URL": url.replace(PASSWORD, PASSWORD + "#?/")},
            {"MNEMOLOG_REDIS_URL": url + f"?password={PASSWORD}&nonsense=1"},
            {"MNEMOLOG_REDIS_URL": url.replace("default", "somebody")},
        )
    ]
    assert "mnemolog" in lines
    assert "message_published" in stored
    assert shown_in(SECRETS, lines, stored, *outputs) == []
    assert files_with(data, SECRETS) == []


def ended(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `up` says to a Redis that is away, until it is asked to end."""
    with start_cli("-v", "up", env=env) as process:
        with suppress(AssertionError):
            process.wait_for("Check that Redis runs", 10)
        process.interrupt()
        process.interrupt()
        process.wait()
        return subprocess.CompletedProcess([], 0, process.output, "")


def test_a_password_on_the_command_line_is_warned_of_and_not_repeated(tmp_path: Path) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:1"
    told = run_cli("--data", tmp_path, "--redis", url, "publish", "x", "--role", "user", "--session", "s")
    assert told.returncode == 3
    assert "use MNEMOLOG_REDIS_URL" in told.stderr
    assert PASSWORD not in told.stdout + told.stderr
    quiet = run_cli(
        "--data", tmp_path, "publish", "x", "--role", "user", "--session", "s", env={"MNEMOLOG_REDIS_URL": url}
    )
    assert "use MNEMOLOG_REDIS_URL" not in quiet.stderr


# ---- files ----------------------------------------------------------------------------------------------------


@contextmanager
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What in a folder anybody but its owner could read or write, sockets and the folder itself included."""
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path}"
        for path in [folder, *sorted(folder.rglob("*"))]
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


def test_what_a_memory_is_kept_in_is_for_its_owner_alone(tmp_path: Path) -> None:
    data, spool = tmp_path / "deep" / "data", tmp_path / "spool"
    env = {"MNEMOLOG_DATA": str(data), "MNEMOLOG_SPOOL": str(spool), "MNEMOLOG_SNAPSHOT_EVENTS": "3"}
    (tmp_path / "lines.jsonl").write_text(
        "\n".join(
            json.dumps({"session": "s", "role": "user", "speaker": "Ada", "content": content, "at": 1_773_050_400_000})
            for content in ("I live in Berlin.", "I work at Acme.", "I love yoga.", "I have a dog.")
        )
    )
    with open_umask(), start_cli("up", env=env) as up:
        up.wait_for("Ctrl-C")
        for command in (
            ("import", tmp_path / "lines.jsonl"),
            ("wait",),
            ("recall", "Berlin"),
            ("context", "Where does Ada live?"),
            ("remember", "My cat is called Momo.", "--speaker", "Ada"),
            ("snapshot",),
            ("facts", "--known-at", "now"),
        ):
            told = run_cli(*command, env=env)
            assert told.returncode == 0, told.stderr
        socket = Path(json.loads((data / "redis" / "server.json").read_bytes())["socket"])
        assert socket.is_socket()
        assert open_to_others(data) == []
        assert open_to_others(socket.parent) == []
        up.interrupt()
        assert up.wait() == 0
    with open_umask():
        assert run_cli("replay", env=env).returncode == 0
        away = {**env, "MNEMOLOG_REDIS_URL": "redis://127.0.0.1:1"}
        assert run_cli("publish", "x", "--role", "user", "--session", "s", env=away).returncode == 0
    assert list(data.rglob("*.db"))
    assert open_to_others(tmp_path / "deep") == []
    assert open_to_others(spool) == []
