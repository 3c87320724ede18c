"""Stories told to a memory and worked off by the rules, all in one process, without Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.jobs import QUEUES, ConsolidateWork, ExtractWork
from mnemolog.schema.outcomes import JobKind, Outcome
from mnemolog.schema.requests import FactsForgotten
from mnemolog.schema.times import DAY
from mnemolog.workers.engines.engine import Engine
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.packing import DueJob, pack
from support.folding import START_MS, Memory, days

_vectors = Vectors(WordLlamaEmbedder())
#: Far more than a story needs: a memory that is never done has a fault.
_MOST_JOBS = 1_000


class Telling:
    """A memory that hears messages long after they were said, each in a session of its own unless told otherwise."""

    def __init__(self, path: Path, engine: Engine | None = None) -> None:
        self.memory = Memory(path)
        self.memory.now = START_MS + days(400)
        self._engine = engine or RulesEngine()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.memory.connection.close()

    @property
    def today(self) -> int:
        """The day on which the memory hears what it is told, counted from Monday 2026-03-09."""
        return (self.memory.now - START_MS) // DAY

    def hear(
        self, text: str, day: float, *, session: str | None = None, event_id: str | None = None, **said: Any
    ) -> str:
        """Imports a message that was said on a day; gives its event id, which is derived unless given."""
        event_id = event_id or f"{said.get('speaker', 'Ada')}:{day}:{text}"
        name = session or event_id
        self.memory.say(text, at=START_MS + days(day), session=name, event_id=event_id, **said)
        self.memory.close(name)
        self.memory.now += days(1)
        return event_id

    def work_off(self) -> None:
        """Does all jobs, in the order of the queues."""
        for _ in range(_MOST_JOBS):
            job = next((job for kind in QUEUES for job in self._due(kind)), None)
            if job is None:
                return
            self.memory.add(self._concluded(job))
        raise AssertionError("there is always another job")

    def _due(self, kind: JobKind) -> list[DueJob]:
        return [DueJob(key, generation, kind, tuple(inputs), 0) for key, generation, inputs in self.memory.due(kind)]

    def _concluded(self, job: DueJob) -> Outcome:
        work = pack(self.memory.connection, "test", job, _vectors)
        if isinstance(work, Outcome):
            return work
        if isinstance(work, ExtractWork):
            return self._engine.extract(work)
        if isinstance(work, ConsolidateWork):
            return self._engine.consolidate(work)
        return self._engine.resolve(work)

    def known(self, at: float = 10_000) -> list[Fact]:
        """All that is known, live or not, with its status on a day."""
        return facts(self.memory.connection, START_MS + days(at), everything=True)

    def forget(self, text: str) -> None:
        """Forgets the facts that were taken from the messages with this text."""
        found = self.memory.rows(
            "SELECT e.source FROM edges e JOIN nodes n ON n.node_id = e.target "
            "WHERE e.kind = 'derived_from' AND n.content = ? ORDER BY e.source",
            text,
        )
        self.memory.add(FactsForgotten(node_ids=tuple(node_id for (node_id,) in found)))
        self.memory.now += days(1)
