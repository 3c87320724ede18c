"""Worker processes and who looks after them: started, started again when they die, stopped together."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from mnemolog.schema.outcomes import JobKind

log = logging.getLogger("mnemolog.workers")

#: A worker that lived for less than this is started again only after a pause, in seconds.
SHORT_LIFE_S = 5.0
PAUSE_S = 2.0
POLL_S = 0.05


class Child(msgspec.Struct):
    """A worker process, and when it was started and may be started again (monotonic seconds)."""

    kind: JobKind
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    not_before: float = 0.0


class Workers:
    """Worker processes for the queues in `kinds`, one each.

    `url` gives the URL of Redis at each start, None while there is none; `quiet` ones log what goes wrong only. Call
    `check` again and again, and `stop` at the end. The processes also end when this one does, however it ends.
    """

    def __init__(self, kinds: Sequence[JobKind], url: Callable[[], str | None], *, quiet: bool = False) -> None:
        self._url = url
        self._options = ["--quiet"] if quiet else []
        self._children = [Child(kind) for kind in kinds]

    @property
    def pids(self) -> list[int]:
        """The ids of the running processes."""
        return [child.process.pid for child in self._children if child.process and child.process.poll() is None]

    def check(self) -> None:
        """Starts every worker that is not running, at once or after a pause where it keeps dying."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, child.process, now)
            if child.process is None and now >= child.not_before:
                self._start(child, now)

    def _bury(self, child: Child, process: subprocess.Popen[bytes], now: float) -> None:
        ended = (child.kind, process.pid, process.returncode)
        log.warning("%s worker %d ended with status %d", *ended, extra={"kind": child.kind})
        _close(process)
        child.process = None
        child.not_before = now + PAUSE_S if now - child.started < SHORT_LIFE_S else now

    def _start(self, child: Child, now: float) -> None:
        url = self._url()
        if url is None:
            child.not_before = now + PAUSE_S
            return
        child.process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", "mnemolog.workers.worker", child.kind, *self._options],
            # By the environment: a password in a command line can be read by everybody on the machine.
            env={**os.environ, "MNEMOLOG_REDIS_URL": url},
            stdin=subprocess.PIPE,
            # A session of its own, so that Ctrl-C in a terminal reaches the workers through `stop` only.
            start_new_session=True,
        )
        child.started = now

    def ask_to_stop(self) -> None:
        """Asks all workers to finish the job they are at, and returns at once. They are not started again."""
        for child in self._children:
            child.not_before = float("inf")
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Waits until all workers have finished the job they are at; kills them as soon as `hurry` says so."""
        self.ask_to_stop()
        while self.pids and not hurry():
            time.sleep(POLL_S)
        for child in self._children:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
                _close(child.process)
                child.process = None


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
