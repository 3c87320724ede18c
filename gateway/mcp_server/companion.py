"""A companion: `mnemolog up` beside a server that nobody started it for, as long as no other writer runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mnemolog.projections.progress import writer_position
from mnemolog.schema.endpoint import find_embedded, log_client
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

log = logging.getLogger("mnemolog.mcp")

LOOK_S = 0.25
#: One that ended is started again after so long at the earliest: another one may hold the space.
PAUSE_S = 3.0
#: So long a call waits for a writer to begin with.
READY_S = 15.0
END_S = 40.0
_UP = "from mnemolog.gateway.cli.main import main; main()"


class Companion:
    """Looks after a writer for one space: starts one where none runs, again and again, and ends it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0
        self._runs = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="companion", daemon=True)

    def start(self) -> None:
        """Begins; returns at once."""
        self._thread.start()

    def wait(self) -> None:
        """Waits until a writer has been seen, for READY_S at most."""
        self._runs.wait(READY_S)

    def stop(self) -> None:
        """Ends what was started, after what it is at."""
        self._stop.set()
        self._thread.join()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _tend(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self._is_written():
                self._runs.set()
            elif time.monotonic() >= self._not_before and (self._process is None or self._process.poll() is not None):
                self._start()

    def _is_written(self) -> bool:
        url = self._settings.redis_url or find_embedded(self._settings.data)
        if url is None:
            return False
        try:
            with log_client(url) as client:
                return writer_position(Stream(client, self._settings.space)) is not None
        except MnemologError:
            return False

    def _start(self) -> None:
        settings = self._settings
        self._not_before = time.monotonic() + PAUSE_S
        # By the environment: a password in a command line can be read by everybody on the machine.
        named = {"MNEMOLOG_DATA": str(settings.data), "MNEMOLOG_SPACE": settings.space}
        url = {"MNEMOLOG_REDIS_URL": settings.redis_url} if settings.redis_url else {}
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and command)
            [sys.executable, "-c", _UP, "up"],
            env={**os.environ, **named, **url},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            # A session of its own, so that Ctrl-C in a terminal reaches it through `stop` only.
            start_new_session=True,
        )


@contextmanager
def companion(settings: Settings, *, wanted: bool) -> Iterator[Companion | None]:
    """A companion while the block runs, where one is wanted."""
    if not wanted:
        yield None
        return
    beside = Companion(settings)
    beside.start()
    try:
        yield beside
    finally:
        beside.stop()
