"""Recalls that leave a trace: one event per process and ten seconds, which never blocks or fails an answer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

import msgspec
import redis

from mnemolog.producers.connecting import clock
from mnemolog.producers.messages import Builder
from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.recalls import Answer
from mnemolog.schema.requests import NodesRecalled

log = logging.getLogger("mnemolog.recalls")

INTERVAL_S = 10.0
#: How long `close` waits for the last event to be sent.
CLOSE_S = 1.0
#: Of a recall's results, the first ones count as recalled.
FIRST_RESULTS = 10
#: As many recalls are kept until they are sent; more are dropped.
MOST_WAITING = 10_000
#: What has more bytes makes more than one event.
EVENT_BYTES = 1_000_000


class _Recall(msgspec.Struct, frozen=True):
    """A recall that waits to be sent: when it was, the facts that it used, and the answer, if that is to be kept."""

    at: int
    used: tuple[str, ...]
    answer: Answer | None


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
        self._waiting: deque[_Recall] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.sent = 0

    def record(self, used: Sequence[str], at: int | None = None, answer: Answer | None = None) -> None:
        """Notes which facts a recall used, now or at a time in UTC milliseconds, and its answer for the recall log.

        Never raises, never waits for Redis.
        """
        if not used and answer is None:
            return
        with self._lock:
            if self._stop.is_set() or len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append(_Recall(clock() if at is None else at, tuple(used), answer))
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
        for part in _parts(batch):
            if self._append(_payload(part)):
                self.sent += len(part)
            else:
                self.dropped += len(part)

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


def _parts(batch: Iterable[_Recall]) -> Iterator[list[_Recall]]:
    """A batch in parts that an event has room for."""
    part: list[_Recall] = []
    left = EVENT_BYTES
    for recall in batch:
        size = len(msgspec.json.encode(recall))
        if part and size > left:
            yield part
            part, left = [], EVENT_BYTES
        part.append(recall)
        left -= size
    if part:
        yield part


def _payload(part: Iterable[_Recall]) -> NodesRecalled:
    return NodesRecalled(
        recalls=tuple((recall.at, recall.used) for recall in part if recall.used),
        answers=tuple(recall.answer for recall in part if recall.answer is not None),
    )
