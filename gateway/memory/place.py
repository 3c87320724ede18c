"""The place of a space: its file, its Redis and its embedder, with what is kept open on the way to them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import apsw

from mnemolog.gateway.memory.readers import MOST_READERS, Readers
from mnemolog.producers import Producer
from mnemolog.producers.recalls import RecallRecorder
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema.endpoint import find_embedded, log_client
from mnemolog.schema.errors import LogUnavailable
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

log = logging.getLogger("mnemolog.memory")

#: What is told how many entries more were folded.
Advance = Callable[[int], None]


@contextmanager
def untold(_: int) -> Iterator[Advance]:
    """Progress that nobody watches."""
    yield lambda _: None


class Place:
    """One space as a process reaches it. Thread-safe; nothing is opened before it is needed, and `close` closes it.

    `embedder` gives the embedder when it is first needed. `notice` is told what an answer itself does not say, and
    `progress` makes, of a number of entries, what watches how they are folded. `start` is called before the first event
    is put on the log: it may start a Redis, which is done for no other reason.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Callable[[], Embedder],
        *,
        notice: Callable[[str], None] = log.info,
        progress: Callable[[int], AbstractContextManager[Advance]] = untold,
        start: Callable[[], object] = lambda: None,
        most_readers: int = MOST_READERS,
    ) -> None:
        self.settings = settings
        self.notice = notice
        self.progress = progress
        #: What is folded for a question about the past is kept for the next: one thread folds it.
        self.folding = threading.Lock()
        self._embedder = embedder
        self._start = start
        self._readers = Readers(settings.file, most_readers)
        self._lock = threading.Lock()
        self._stream: tuple[str, Stream] | None = None
        self._producer: Producer | None = None
        self._recorder: RecallRecorder | None = None

    def embedder(self) -> Embedder:
        """The embedder."""
        return self._embedder()

    def reader(self) -> AbstractContextManager[apsw.Connection]:
        """A connection that reads the file, for the block. Raises SpaceNotFound and DamagedFile."""
        return self._readers.reading()

    def url(self) -> str | None:
        """The URL of Redis; None where none is known to run."""
        return self.settings.redis_url or find_embedded(self.settings.data)

    def stream(self) -> Stream | None:
        """The space's stream; None where no Redis is known to run."""
        url = self.url()
        if url is None:
            return None
        with self._lock:
            if self._stream is None or self._stream[0] != url:
                self._stream = url, Stream(log_client(url), self.settings.space)
            return self._stream[1]

    def needed_stream(self) -> Stream:
        """The same. Raises LogUnavailable where no Redis is known to run."""
        found = self.stream()
        if found is None:
            raise LogUnavailable(f"no Redis is running for the data folder {self.settings.data}: start `mnemolog up`")
        return found

    def producer(self) -> Producer:
        """What puts events on the log. Raises LogUnavailable where no Redis is known to run."""
        with self._lock:
            if self._producer is None:
                self._start()
                self._producer = Producer(
                    self.settings.space, redis_url=self.settings.redis_url, data=self.settings.data
                )
            return self._producer

    def recorder(self) -> RecallRecorder:
        """What sends the trace of recalls, from a thread of its own, while Redis is there."""
        with self._lock:
            if self._recorder is None:
                self._recorder = RecallRecorder(self.settings.space, self.url)
            return self._recorder

    def close(self) -> None:
        """Closes all that is open; sends what recalls are waiting, for a second at most. It may be used again."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
            producer, self._producer = self._producer, None
            stream, self._stream = self._stream, None
        if recorder is not None:
            recorder.close()
        if producer is not None:
            producer.close()
        if stream is not None:
            stream[1].client.close()
        self._readers.close()
