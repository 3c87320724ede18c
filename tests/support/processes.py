"""Real processes: the installed command, started, killed, stopped and continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from support.commands import environment, mnemolog_command
from support.waiting import wait_until


class Process:
    """A process of a test's own, in a session of its own; leaving the `with` block kills it with all its children."""

    def __init__(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        self.command = [str(part) for part in command]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed on leaving)
        self._process = subprocess.Popen(
            self.command,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill_all()
        self._output.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has written so far, errors included."""
        return os.pread(self._output.fileno(), 2**24, 0).decode("utf-8", "replace")

    def wait_for(self, text: str, timeout_s: float = 20.0) -> str:
        """Waits until `text` stands in its output, which is returned. Fails at once when the process ends without."""

        def seen() -> bool:
            running = self.is_running
            if text in self.output:
                return True
            assert running, f"{self.command} ended with {self._process.returncode} before {text!r}:\n{self.output}"
            return False

        wait_until(seen, timeout_s, f"{text!r} in the output of {self.command}")
        return self.output

    def wait(self, timeout_s: float = 30.0) -> int:
        """Waits for its end and returns its exit status (negative: the signal that ended it)."""
        return self._process.wait(timeout_s)

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.signal(signal.SIGINT)

    def kill(self) -> None:
        """Ends it alone, as a crash would, and reaps it."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def kill_all(self) -> None:
        """Ends it and everything it started, and reaps it."""
        if not self.is_running:
            return
        family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()

    def pause(self) -> None:
        """Stops it where it stands (SIGSTOP), and waits until it does stand."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: psutil.Process(self.pid).status() == psutil.STATUS_STOPPED, what=f"{self.pid} to stop")

    def resume(self) -> None:
        """Continues it (SIGCONT)."""
        self.signal(signal.SIGCONT)


def start_cli(*args: str | Path, env: Mapping[str, str] | None = None) -> Process:
    """Starts `mnemolog ARGS`."""
    return Process(mnemolog_command(), *args, env=env)


def start_python(code: str, *args: str | Path, env: Mapping[str, str] | None = None) -> Process:
    """Starts Python with a program of its own; `args` are its sys.argv[1:]."""
    return Process(sys.executable, "-u", "-W", "error", "-c", code, *args, env=env)
