"""Recalls that reinforce: one event per process and ten seconds, which never blocks or fails an answer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

import redis

from mnemolog.producers.connecting import clock
from mnemolog.producers.messages import Builder
from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.requests import NodesRecalled

log = logging.getLogger("mnemolog.recalls")

INTERVAL_S = 10.0
#: How long `close` waits for the last event to be sent.
CLOSE_S = 1.0
#: Of a recall's results, the first ones count as recalled.
FIRST_RESULTS = 10
#: As many recalls are kept until they are sent; more are dropped.
MOST_WAITING = 10_000


class RecallRecorder:
    """Collects what recalls returned and appends it as `nodes_recalled` from a thread of its own.

    `url` gives the URL of Redis at each sending, None while there is none; nothing is ever started, and no stream is
    created. What cannot be sent is dropped and counted in `dropped`, in recalls. Thread-safe; close it at the end.
    """

    def __init__(self, space: str, url: Callable[[], str | None], *, interval_s: float = INTERVAL_S) -> None:
        self._space = space
        self._url = url
        self._interval_s = interval_s
        self._builder = Builder(space, clock)
        self._waiting: deque[tuple[int, tuple[str, ...]]] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.sent = 0

    def record(self, node_ids: Sequence[str], at: int | None = None) -> None:
        """Notes that facts were recalled now, or at a time in UTC milliseconds. Never raises, never waits for Redis."""
        if not node_ids:
            return
        with self._lock:
            if self._stop.is_set() or len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append((clock() if at is None else at, tuple(node_ids)))
            if self._thread is None:
                # A thread that is stuck in a connection must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="recalls", daemon=True)
                self._thread.start()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Sends what is left, waiting so many seconds at most; what is not sent by then is dropped and counted."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._lock:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        if self.dropped:
            log.debug("%d recalls left no trace: Redis was not there to take them", self.dropped)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            batch = tuple(self._waiting)
            self._waiting.clear()
        if not batch:
            return
        if self._append(NodesRecalled(recalls=batch)):
            self.sent += len(batch)
        else:
            self.dropped += len(batch)

    def _append(self, payload: NodesRecalled) -> bool:
        """Whether the stream took an event; tried once, since a recall that is lost costs nothing but its trace."""
        try:
            url = self._url()
            if url is None:
                return False
            event = self._builder.event(payload)
            with log_client(url) as client:
                # Never the first entry of a stream: what has a file has a log, or has lost it.
                command = ("XADD", keys.stream(self._space), "NOMKSTREAM", "*", keys.BODY_FIELD, event.body)
                return client.execute_command(*command) is not None
        except (MnemologError, OSError) as error:
            log.debug("%s", error)
        except redis.RedisError as error:
            log.debug("%s", translate(error, "record what was recalled"))
        return False
