"""Folds payloads into a file without Redis: for tests of what events do to the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import msgspec
import numpy as np

from mnemolog.schema.archive import Entry
from mnemolog.schema.cells import Cell, Evidence, Mention
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.events import MessagePublished, Payload, SessionClosed, SpaceCreated
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    Engine,
    EntityKey,
    ExtractedCell,
    PairVerdict,
)
from mnemolog.schema.policy import Policy
from mnemolog.schema.times import DAY
from mnemolog.workers.fold.cells import cell_id
from mnemolog.workers.writer.batches import Batches
from mnemolog.workers.writer.space_file import create_tables, open_for_writing

START_MS = 1_773_014_400_000  # 2026-03-09T00:00:00Z, a Monday
ENGINE = Engine(name="test", model="hand", prompt_version="1")


class Words:
    """An embedder for tests: a vector of hashed words."""

    name = "words"
    dimension = 64

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for number, text in enumerate(texts):
            for word in text.casefold().split():
                rows[number, sum(word.encode()) % self.dimension] += 1
            norm = np.linalg.norm(rows[number])
            if norm:
                rows[number] /= norm
        return rows


class Memory:
    """A space's file that events are folded into one by one; time stands at `now` (UTC milliseconds)."""

    def __init__(self, path: Path, policy: Policy | None = None, salt: str = "0" * 32) -> None:
        self.path = path
        self.connection: apsw.Connection = open_for_writing(path)
        self._batches = Batches(self.connection)
        self._batches.create(lambda: create_tables(self.connection, Words()))
        self.now = START_MS
        self._numbers = count(1)
        self.log: list[Entry] = []
        self.add(SpaceCreated(space="test", salt=salt, policy=policy or Policy()))

    def add(self, payload: Payload, event_id: str | None = None, at: int | None = None) -> str:
        """Folds an event at `now` and gives its id."""
        number = next(self._numbers)
        name = event_id or f"event-{number}"
        entry = Entry(Position(self.now, number), encode(name, self.now if at is None else at, payload))
        self.log.append(entry)
        self._batches.fold([(entry, decode(entry.body))])
        return name

    def say(
        self, content: str, *, at: int | None = None, session: str = "s", event_id: str | None = None, **more: Any
    ) -> str:
        """Publishes a message of Ada's."""
        fields = {"role": "user", "speaker": "Ada", **more}
        return self.add(
            MessagePublished(session=session, content=content, occurred_at=self.now if at is None else at, **fields),
            event_id,
        )

    def close(self, session: str = "s") -> None:
        """Closes a session, so that its window becomes a job."""
        self.add(SessionClosed(session=session, occurred_at=self.now))

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    def get(self, sql: str, *values: Any) -> Any:
        """The one row of a query, as a scalar where it has one column."""
        return self.connection.execute(sql, values).get

    def due(self, kind: str) -> list[tuple[str, int, list[str]]]:
        """The due jobs of a kind: key, generation, inputs."""
        found = self.rows(
            "SELECT job_key, generation, inputs FROM jobs WHERE kind = ? AND state = 'due' ORDER BY position_ms, position_seq, job_key",
            kind,
        )
        return [(key, generation, msgspec.json.decode(inputs)) for key, generation, inputs in found]

    def extract(self, *cells: Cell) -> list[str]:
        """Answers the one due extraction job whose messages the cells quote; gives the ids of their nodes."""
        quoted = {episode_id(evidence.event_id) for cell in cells for evidence in cell.evidence}
        key, generation, _ = next(job for job in self.due("extract") if quoted <= set(job[2]))
        self.add(
            CellsExtracted(
                job_key=key,
                generation=generation,
                engine=ENGINE,
                cells=tuple(ExtractedCell(cell=cell, entities=keys_of(cell.entities)) for cell in cells),
            )
        )
        return [cell_id(cell) for cell in cells]

    def judge(self, *pairs: tuple[str, str, str] | tuple[str, str, str, str]) -> str:
        """Answers the oldest due resolve job with (first, second, ruling[, kind])."""
        key, generation, _ = self.due("resolve")[0]
        verdicts = tuple(PairVerdict(*pair) for pair in pairs)
        return self.add(ConflictsJudged(job_key=key, generation=generation, engine=ENGINE, verdicts=verdicts))

    def state(self, content: str, at: int, session: str, **fields: Any) -> str:
        """A message and the one cell taken from it, as an import of one session would bring it; gives its node id."""
        message = self.say(content, at=at, session=session, event_id=f"{session}:{content}")
        self.close(session)
        return self.extract(cell(content, message, **fields))[0]


def keys_of(mentions: Iterable[Mention]) -> tuple[EntityKey, ...]:
    """Entities under their casefolded names."""
    return tuple(EntityKey(mention.name.casefold(), mention.name, mention.kind) for mention in mentions)


def cell(content: str, event_id: str, **fields: Any) -> Cell:
    """A cell of Ada's that quotes the whole message."""
    defaults: dict[str, Any] = {"cell_type": "fact", "subject": "Ada", "scene": "life", "stated_by": "Ada"}
    return Cell(content=content, evidence=(Evidence(event_id, content),), **{**defaults, **fields})


def days(number: float) -> int:
    """Days in milliseconds."""
    return int(number * DAY)
