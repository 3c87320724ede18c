"""What drains a spool: a thread that sends what waits when Redis takes it again, and says in the log what is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from mnemolog.producers.spool import Spool
from mnemolog.schema.errors import LogFull, LogUnavailable, MnemologError, StreamLost

log = logging.getLogger("mnemolog.spool")

#: What a spool is for: a Redis that is away, slow, full or emptied. What Redis refuses, somebody has to change.
SPOOLED = (LogUnavailable, LogFull, StreamLost)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
#: How long closing waits for what is being sent; what is left then is sent by the next producer of the spool.
CLOSE_S = 10.0

Send = Callable[[Sequence[bytes]], object]


class Drainer:
    """Keeps events in a spool, and sends them with `send` as soon as that works; begins with what is there already."""

    def __init__(self, spool: Spool, send: Send) -> None:
        self.spool = spool
        self._send = send
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._failing = ""
        self._sent = 0
        if not spool.is_empty():
            self._start()

    def keep(self, bodies: Sequence[bytes], because: MnemologError | None = None) -> None:
        """Adds events to the spool, as `because` says that they cannot be sent now. Raises as `Spool.append` does."""
        self.spool.append(bodies)
        if because is not None:
            self._note(because)
        self._start()
        self._wake.set()

    def drain(self) -> int:
        """Sends all that waits, now; gives how many events were sent since the beginning, by the thread or so.

        Raises what sending them raises.
        """
        self.spool.drain(self._counted, wait=True)
        return self._sent

    def close(self) -> None:
        """Ends the thread, once it has sent what Redis takes at once."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                # A thread that is stuck in a connection must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S if self._failing else 0.0
        while not self._stop.is_set():
            if self.spool.is_empty():
                self._wake.wait()
                self._wake.clear()
                pause = FIRST_PAUSE_S if self._failing else 0.0
            elif not self._stop.wait(pause):
                pause = 0.0 if self._attempt() else min(max(2 * pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        if not self._failing:
            self._attempt()

    def _attempt(self) -> bool:
        """Whether nothing waits any more."""
        try:
            sent = self.spool.drain(self._counted)
        except (MnemologError, OSError) as error:
            self._note(error)
            return False
        self._failing = ""
        if sent:
            log.info("%d events of the spool %s were published", sent, self.spool.path)
        return sent is not None

    def _counted(self, bodies: Sequence[bytes]) -> None:
        # Only who drains comes here, and the spool lets in one at a time.
        self._send(bodies)
        self._sent += len(bodies)

    def _note(self, error: Exception) -> None:
        """Logs an error, unless it is the one that was logged last."""
        if str(error) != self._failing:
            self._failing = str(error)
            log.warning("events wait in the spool %s: %s", self.spool.path, error)
