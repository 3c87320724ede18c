"""Spaces that the installed command imports and works off, with a stand-in for a model or with the rules."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec
from workbench import Workbench, environment, mnemolog

from mnemolog.gateway.model_server import ModelServer, Request
from mnemolog.projections.connection import open_reader
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import show

IMPORT_TIMEOUT_S = 900.0
POLL_S = 0.003
WINDOW = 8

Answer = Callable[[Request], dict[str, Any]]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an import file; `at` in UTC milliseconds."""

    id: str
    session: str
    content: str
    at: int
    role: str = "user"
    speaker: str | None = "user"


def write(path: Path, lines: Iterable[Line]) -> Path:
    """Writes an import file."""
    rows = ({**msgspec.to_builtins(line), "at": show(line.at)} for line in lines)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects in a file of JSON lines."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]


@contextmanager
def model(answer: Answer) -> Iterator[tuple[ModelServer, dict[str, str]]]:
    """A stand-in server that answers by a function, and the environment that names it."""
    with ModelServer(answer) as server:
        yield server, named(server)


def named(server: ModelServer) -> dict[str, str]:
    """The environment that names a server."""
    return {"MNEMOLOG_MODEL": "stand-in", "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}


def run(settings: Settings, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What a command prints. Raises RuntimeError with what it complained about when it fails."""
    command = mnemolog(settings, *arguments)
    ended = subprocess.run(
        command,
        env=environment() | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=IMPORT_TIMEOUT_S,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stdout


def drain(bench: Workbench, name: str, file: Path, env: dict[str, str] | None = None) -> Settings:
    """Imports a file into a space of its own and works it off."""
    settings = bench.settings("drained", name)
    run(settings, "import", str(file), "--drain", env=env)
    return settings


@contextmanager
def running(settings: Settings, *arguments: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """A command that runs while the block does; then it is interrupted, and waited for."""
    process = subprocess.Popen(
        mnemolog(settings, *arguments),
        env=environment() | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"mnemolog {' '.join(arguments)} ended with {process.returncode}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = 120.0) -> None:
    """Looks every few milliseconds until a condition holds. Raises TimeoutError."""
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {patience_s:g} s for {what}")
        time.sleep(POLL_S)


@contextmanager
def reading(settings: Settings) -> Iterator[apsw.Connection]:
    """A connection that reads the file of a space."""
    connection = open_reader(settings.file)
    try:
        yield connection
    finally:
        connection.close()


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a space has cost: calls and prompt tokens by kind of job, and what that is to be compared with."""

    messages: int
    windows: int
    full_windows: int
    calls: dict[str, int]
    tokens_in: dict[str, int]

    @property
    def all_calls(self) -> int:
        """Calls of all kinds."""
        return sum(self.calls.values())

    def per_8_messages(self, *kinds: str) -> float:
        """Calls of some kinds, or of all, for eight messages."""
        return sum(self.calls.get(kind, 0) for kind in kinds or self.calls) * WINDOW / self.messages

    def per_window(self, *kinds: str) -> float:
        """Calls of some kinds, or of all, for a window, which is the least that extraction can do."""
        return sum(self.calls.get(kind, 0) for kind in kinds or self.calls) / self.windows

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            messages=self.messages + other.messages,
            windows=self.windows + other.windows,
            full_windows=self.full_windows + other.full_windows,
            calls=dict(Counter(self.calls) + Counter(other.calls)),
            tokens_in=dict(Counter(self.tokens_in) + Counter(other.tokens_in)),
        )


def spent(connection: apsw.Connection) -> Spent:
    """What a space has cost, as its outcomes say."""
    cost: Any = connection.execute("SELECT kind, sum(calls), sum(tokens_in) FROM outcomes GROUP BY kind").fetchall()
    windows: Any = connection.execute("SELECT json_array_length(inputs) FROM jobs WHERE kind = 'extract'").fetchall()
    return Spent(
        messages=connection.execute("SELECT count(*) FROM nodes WHERE type = 'episodic'").get,
        windows=len(windows),
        full_windows=sum(size == WINDOW for (size,) in windows),
        calls={kind: calls for kind, calls, _ in cost},
        tokens_in={kind: tokens for kind, _, tokens in cost},
    )
