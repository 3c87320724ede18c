"""Commands run to their end: by a prepared process, which is quick, or as they are installed."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Completed = subprocess.CompletedProcess[str]
#: Names that the interpreter does not read when it starts.
_READ_LATE = ("MNEMOLOG_", "OPENAI_")


def mnemolog_command() -> str:
    """The `mnemolog` command of the environment that runs the tests."""
    return str(Path(sysconfig.get_path("scripts")) / "mnemolog")


def environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """The environment of the tests without settings, and `env`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_READ_LATE)}
    return clean | dict(env or {})


def run_installed(
    *args: str | Path, env: Mapping[str, str] | None = None, timeout_s: float = 60.0, text: str | None = None
) -> Completed:
    """Runs the installed `mnemolog ARGS` to its end, `text` on its standard input."""
    return subprocess.run(
        [mnemolog_command(), *map(str, args)],
        env=environment(env),
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )


def run_cli(
    *args: str | Path, env: Mapping[str, str] | None = None, timeout_s: float = 60.0, text: str | None = None
) -> Completed:
    """The same in a copy of a process that has loaded the command already; not with what a loaded one would not read."""
    if not all(name.startswith(_READ_LATE) for name in env or {}):
        return run_installed(*args, env=env, timeout_s=timeout_s, text=text)
    with _files(text) as (given, told, errors), _prepared() as prepared:
        command = [mnemolog_command(), *map(str, args)]
        status = prepared.run(command, environment(env), [given.fileno(), told.fileno(), errors.fileno()], timeout_s)
        return Completed(command, status, _text(told), _text(errors))


@contextmanager
def _files(text: str | None) -> Iterator[tuple[BinaryIO, BinaryIO, BinaryIO]]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        given.write((text or "").encode())
        given.seek(0)
        yield given, told, errors


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


class _Prepared:
    """A process that makes copies of itself; it runs one command line at a time."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        program = Path(__file__).with_name("prepared.py")
        # Without -P the modules of this folder would hide others of the same name.
        command = [sys.executable, "-P", str(program), str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, env=environment(None), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._answers = self._socket.makefile("rb")

    def run(self, command: list[str], env: Mapping[str, str], descriptors: list[int], timeout_s: float) -> int:
        """The exit status. Raises subprocess.TimeoutExpired, after killing it."""
        line = json.dumps({"args": command[1:], "env": env, "cwd": str(Path.cwd())}).encode() + b"\n"
        self._socket.settimeout(timeout_s)
        sent = socket.send_fds(self._socket, [line], descriptors)
        self._socket.sendall(line[sent:])
        pid = int(self._answers.readline())
        try:
            return int(self._answers.readline())
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            self.end()
            raise subprocess.TimeoutExpired(command, timeout_s) from error

    @property
    def has_ended(self) -> bool:
        """Whether it takes no more command lines."""
        return self._socket.fileno() == -1

    def end(self) -> None:
        """Ends it, and reaps it."""
        self._answers.close()
        self._socket.close()
        self._process.wait()


_idle: list[_Prepared] = []


@contextmanager
def _prepared() -> Iterator[_Prepared]:
    """One that is idle, or a new one: threads that run commands at the same time have one each."""
    prepared = _idle.pop() if _idle else _Prepared()
    try:
        yield prepared
    finally:
        if not prepared.has_ended:
            _idle.append(prepared)


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().end()
