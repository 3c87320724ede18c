"""A writer, a dispatcher and RQ workers in one process, moved step by step over a real Redis."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import redis as redis_py

from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema import archive
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.events import Event, MessagePublished, Payload, SessionClosed
from mnemolog.schema.ids import EventIds
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.stream import Stream
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.dispatcher import SpaceDispatcher
from mnemolog.workers.jobs.job import Performer
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.worker import rq_client, worker_of
from mnemolog.workers.writer.space_writer import SpaceWriter
from support.stories import BEGIN_MS, SmallEmbedder, append, created, settings_in

_vectors = Vectors(WordLlamaEmbedder())


class Hired:
    """An engine whose parts a test replaces; the rules do the rest. Counts what it is asked."""

    def __init__(self, **parts: Callable[[Any], Any]) -> None:
        self.asked: list[Any] = []
        self._parts = parts
        self._rules = RulesEngine()

    def _ask(self, part: str, work: Any) -> Any:
        self.asked.append(work)
        return self._parts.get(part, getattr(self._rules, part))(work)

    def extract(self, work: Any) -> Any:
        return self._ask("extract", work)

    def resolve(self, work: Any) -> Any:
        return self._ask("resolve", work)

    def consolidate(self, work: Any) -> Any:
        return self._ask("consolidate", work)


class Desk:
    """A space held by this process. Nothing moves by itself: `fold`, `turn` and `work` take one step each."""

    def __init__(self, client: redis_py.Redis, url: str, data: Path, limits: JobLimits | None = None) -> None:
        self.client = client
        self.url = url
        self.settings = settings_in(data)
        self.limits = limits or JobLimits()
        self._ids = EventIds()
        append(client, [created()])
        self.writer = SpaceWriter(self.settings, Stream(client, "default"), SmallEmbedder())
        self.writer.open()
        self.dispatcher = SpaceDispatcher(self.writer, client, self.limits, _vectors)

    def close(self) -> None:
        self.dispatcher.close()
        self.writer.close()

    # ---- the log -----------------------------------------------------------------------------------------------

    def put(self, payload: Payload, event_id: str | None = None) -> str:
        name = event_id or self._ids.mint()
        append(self.client, [encode(name, BEGIN_MS, payload)])
        return name

    def say(self, *contents: str, session: str = "monday", speaker: str = "Ada", at: int = BEGIN_MS) -> None:
        """A whole session: messages a minute apart, and its end."""
        for number, content in enumerate(contents):
            self.put(
                MessagePublished(
                    session=session,
                    role="user",
                    speaker=speaker,
                    content=content,
                    occurred_at=at + 60_000 * number,
                    seq=number,
                ),
                f"{session}-{number}",
            )
        self.put(SessionClosed(session=session, occurred_at=at + 3_600_000))
        self.fold()

    def fold(self) -> None:
        while entries := self.writer.stream.range(self.writer.position, 500):
            self.writer.fold(entries)

    def logged(self, kind: type[Payload]) -> list[Event]:
        """The events of one type on the log."""
        events = [decode(entry.body) for entry in archive.read(self.settings.archive)]
        return [event for event in events if isinstance(event.payload, kind)]

    # ---- jobs --------------------------------------------------------------------------------------------------

    def turn(self) -> int:
        return self.dispatcher.turn()

    def work(self, engine: Any = None, kinds: tuple[str, ...] = QUEUES) -> None:
        """Lets one RQ worker after the other empty its queue, and folds what they concluded."""
        performer = Performer(self.client, engine or RulesEngine())
        for kind in kinds:
            with rq_client(self.url) as client, _own_signals():
                worker_of(client, kind, performer).work(burst=True, logging_level=None)
        self.fold()

    def finish(self, engine: Any = None) -> None:
        """Steps until no job is due."""
        for _ in range(20):
            if not self.jobs("due"):
                return
            self.turn()
            self.fold()
            self.work(engine)
        raise AssertionError(f"jobs are still due: {self.jobs('due')}")

    def jobs(self, state: str) -> list[tuple[str, int, str]]:
        """The jobs in a state: key, generation, kind."""
        return self.rows("SELECT job_key, generation, kind FROM jobs WHERE state = ? ORDER BY position_ms", state)

    def handed(self) -> list[tuple[int, int]]:
        """What the dispatcher has handed out: attempts and deadlines."""
        return self.rows("SELECT attempts, deadline FROM dispatch ORDER BY job_key")

    def pass_deadlines(self) -> None:
        """Lets the deadlines of all jobs pass."""
        with self.writer.transaction():
            self.writer.connection.execute("UPDATE dispatch SET deadline = 0")

    def lose_queues(self) -> None:
        """What becomes of jobs whose workers were killed: Redis has them no more, the dispatcher does not know."""
        keys = self.client.keys("rq:queue:*") + self.client.keys("rq:job:*") + self.client.keys("mnemolog:*:claim:*")
        if keys:
            self.client.delete(*keys)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self.writer.connection.execute(sql, values).fetchall()

    def get(self, sql: str, *values: Any) -> Any:
        return self.writer.connection.execute(sql, values).get


@contextmanager
def _own_signals() -> Iterator[None]:
    """RQ leaves its handlers behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def replaced(outcome: Any, **fields: Any) -> Any:
    """The outcome with other fields."""
    return msgspec.structs.replace(outcome, **fields)
