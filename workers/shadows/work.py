"""The work of a shadow: its jobs done one after the other by one engine, packed as the dispatcher packs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from mnemolog.projections.fact_diff import compared_facts, fact_diff
from mnemolog.projections.spending import Spent
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import EngineError
from mnemolog.schema.jobs import AnyWork, ConsolidateWork, ExtractWork
from mnemolog.schema.outcomes import Engine as Who
from mnemolog.schema.outcomes import JobFailed, JobKind, Outcome
from mnemolog.schema.requests import JobRequeued
from mnemolog.schema.settings import Settings
from mnemolog.workers.engines.engine import Engine
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.joint import divided, names_of
from mnemolog.workers.jobs.packing import DueJob, pack, pack_together
from mnemolog.workers.shadows import shadow as shadows
from mnemolog.workers.shadows.shadow import Plan, Report, Shadow
from mnemolog.workers.voids.restoring import restore
from mnemolog.workers.voids.trial import Live, lost_decisions

ATTEMPTS = 3
#: How long to wait where a model's server says so, at most; what it asks beyond that ends the run, to be gone on with.
MOST_WAIT_S = 60.0
MOST_REASON_CHARS = 2_000

#: Told how much is done of how much that is known of.
Progress = Callable[[int, int], None]

_VOIDED = """
    SELECT job_key FROM jobs j WHERE kind = ? AND state = 'void' AND reason = 'voided'
        AND job_key IN (SELECT value FROM json_each(?))
        AND generation = (SELECT max(generation) FROM jobs WHERE job_key = j.job_key)
    ORDER BY position_ms, position_seq, job_key
"""
_DUE = """
    SELECT job_key, generation, inputs, position_ms FROM jobs
    WHERE state = 'due' AND kind = ?1 AND (?1 != 'extract' OR job_key IN (SELECT value FROM json_each(?2)))
    ORDER BY position_ms, position_seq, job_key
"""


class Worker:
    """Works a shadow off with one engine. Interrupted at any moment, another goes on from where it stood."""

    def __init__(
        self,
        settings: Settings,
        shadow: Shadow,
        plan: Plan,
        before: Live,
        engine: Engine,
        vectors: Vectors,
        progress: Progress,
    ) -> None:
        self._archive = settings.archive
        self._shadow = shadow
        self._plan = plan
        self._before = before
        self._engine = engine
        self._vectors = vectors
        self._progress = progress
        self._keys = msgspec.json.encode(plan.job_keys).decode("utf-8")
        self._done = 0
        self._answers = False

    def run(self) -> None:
        """Extracts what is to be extracted again, lets people's decisions find their facts, judges and sums up.

        Raises OverBudget when the day's tokens are used up, and EngineError when the engine cannot be asked at all.
        """
        self._requeue("extract")
        self._work_off("extract")
        self._restore_decisions()
        self._requeue("resolve")
        self._work_off("resolve")
        self._restore_decisions()
        self._requeue("consolidate")
        self._work_off("resolve")
        self._work_off("consolidate")

    def _requeue(self, kind: JobKind) -> None:
        rows: list[Any] = self._shadow.connection.execute(_VOIDED, (kind, self._keys)).fetchall()
        for (job_key,) in rows:
            self._shadow.append(JobRequeued(job_key=job_key))

    def _restore_decisions(self) -> None:
        restore(self._shadow.connection, self._archive, self._before, self._shadow.append)

    def _work_off(self, kind: JobKind) -> None:
        while jobs := self._due(kind):
            total = self._done + len(jobs)
            for members, packed in self._packed(kind, jobs):
                for outcome in [packed] if isinstance(packed, Outcome) else self._concluded(packed):
                    self._shadow.append(outcome)
                self._done += len(members)
                self._progress(self._done, total)

    def _due(self, kind: JobKind) -> list[DueJob]:
        rows: list[Any] = self._shadow.connection.execute(_DUE, (kind, self._keys)).fetchall()
        return [
            DueJob(key, generation, kind, msgspec.json.decode(inputs, type=tuple[str, ...]), made_at)
            for key, generation, inputs, made_at in rows
        ]

    def _packed(self, kind: JobKind, jobs: Sequence[DueJob]) -> Iterator[tuple[Sequence[DueJob], AnyWork | Outcome]]:
        """Each job's work as it is when its turn comes; conflicts that nobody has judged yet together."""
        fresh = [job for job in jobs if job.generation == 1] if kind == "resolve" else []
        connection, space = self._shadow.connection, self._shadow.space
        if fresh:
            yield from pack_together(connection, space, fresh, self._vectors)
            return
        for job in jobs:
            yield [job], pack(connection, space, job, self._vectors)

    def _concluded(self, work: AnyWork) -> Sequence[Outcome]:
        """What the engine concludes; after some attempts that were spent in vain, that it failed."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcomes = _asked(self._engine, work)
            except EngineError as error:
                wait_s = error.retry_after_s or 0.0
                if wait_s > MOST_WAIT_S or (attempt == ATTEMPTS and self._is_away(error)):
                    raise
                failure = error
            else:
                self._answers = True
                return outcomes
            time.sleep(wait_s)
        return self._given_up(work, failure)

    def _given_up(self, work: AnyWork, failure: EngineError) -> Sequence[Outcome]:
        """That each job of a work has failed; what it cost is told once."""
        first = Who(
            name=self._plan.model, calls=failure.calls, tokens_in=failure.tokens_in, tokens_out=failure.tokens_out
        )
        return [
            JobFailed(
                job_key=job_key,
                generation=generation,
                engine=first if number == 0 else Who(name=self._plan.model),
                raw=failure.raw,
                reason=str(failure)[:MOST_REASON_CHARS],
                attempts=ATTEMPTS,
            )
            for number, (job_key, generation) in enumerate(names_of(work))
        ]

    def _is_away(self, error: EngineError) -> bool:
        """Whether the engine seems to be away: it gave no reply, nor to what was asked before."""
        replied = bool(error.raw or error.tokens_in or error.tokens_out)
        away = not (replied or self._answers)
        self._answers = replied
        return away


def _asked(engine: Engine, work: AnyWork) -> Sequence[Outcome]:
    if isinstance(work, ExtractWork):
        return [engine.extract(work)]
    if isinstance(work, ConsolidateWork):
        return [engine.consolidate(work)]
    return divided(work, engine.resolve(work))


def report(settings: Settings, shadow: Shadow, plan: Plan, before: Live) -> Report:
    """What a shadow that is worked off says that the memory does not, and the other way round."""
    outcomes = [
        payload for entry in shadows.appended(settings) if isinstance(payload := decode(entry.body).payload, Outcome)
    ]
    return Report(
        model=plan.model,
        prompts=plan.prompts,
        last=plan.last,
        position=plan.position,
        jobs=len(outcomes),
        failed=sum(isinstance(outcome, JobFailed) for outcome in outcomes),
        diff=fact_diff(before.facts, compared_facts(shadow.connection)),
        decisions=lost_decisions(before, shadow.connection),
        before=plan.spent,
        after=_spent(outcomes),
    )


def _spent(outcomes: Iterable[Outcome]) -> Spent:
    engines = [outcome.engine for outcome in outcomes]
    return Spent(
        sum(engine.calls for engine in engines),
        sum(engine.tokens_in for engine in engines),
        sum(engine.tokens_out for engine in engines),
        sum(engine.cost_usd for engine in engines),
    )
