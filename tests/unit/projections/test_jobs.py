"""Jobs as they are told: their attempts while they are due, and after how many they were given up."""

from __future__ import annotations

from pathlib import Path

from support.folding import ENGINE, Memory

from mnemolog.projections import jobs
from mnemolog.schema.outcomes import CellsExtracted, JobFailed
from mnemolog.schema.requests import JobRequeued


def attempts(memory: Memory) -> list[tuple[int, str, int]]:
    found = jobs.listed(memory.connection, ("due", "failed", "done", "void"))
    return [(job.generation, job.state, job.attempts) for job in found]


def test_a_job_tells_its_attempts_also_once_it_was_given_up(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    memory.say("I work at Acme.")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    assert attempts(memory) == [(1, "due", 0)]
    memory.connection.execute("INSERT INTO dispatch VALUES (?, 1, 2, 0)", (key,))
    assert attempts(memory) == [(1, "due", 2)]

    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="no answer", attempts=3))
    memory.connection.execute("DELETE FROM dispatch")
    assert attempts(memory) == [(1, "failed", 3)]
    assert [job.attempts for job in jobs.generations(memory.connection, key)] == [3]

    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="late", attempts=9))
    memory.add(JobRequeued(job_key=key))
    assert attempts(memory) == [(1, "void", 3), (2, "due", 0)]
    memory.add(CellsExtracted(job_key=key, generation=2, engine=ENGINE))
    assert attempts(memory) == [(1, "void", 3), (2, "done", 0)]
