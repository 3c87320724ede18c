from __future__ import annotations

import pytest
from support.folding import Memory

from mnemolog.projections.spending import Spent, by_day, by_session
from mnemolog.schema.outcomes import CellsExtracted, Engine, JobFailed
from mnemolog.schema.times import DAY

ENGINE = Engine(name="model", calls=1, tokens_in=100, tokens_out=10, cost_usd=0.5)


@pytest.fixture
def memory(tmp_path):
    memory = Memory(tmp_path / "space.db")
    for session in ("monday", "tuesday"):
        memory.say("Hello.", session=session)
        memory.close(session)
    (monday, _, _), (tuesday, _, _) = memory.due("extract")
    memory.add(CellsExtracted(job_key=monday, generation=1, engine=ENGINE))
    memory.now += DAY
    memory.add(JobFailed(job_key=tuesday, generation=1, engine=ENGINE, reason="500", attempts=3))
    memory.add(CellsExtracted(job_key=tuesday, generation=1, engine=ENGINE))
    memory.add(CellsExtracted(job_key="f" * 32, generation=1, engine=ENGINE))
    return memory


def test_what_was_spent_is_told_by_day_whatever_became_of_it(memory):
    assert by_day(memory.connection) == {"2026-03-09": Spent(1, 100, 10, 0.5), "2026-03-10": Spent(3, 300, 30, 1.5)}


def test_what_was_spent_is_told_by_session(memory):
    assert by_session(memory.connection) == {
        None: Spent(1, 100, 10, 0.5),
        "monday": Spent(1, 100, 10, 0.5),
        "tuesday": Spent(2, 200, 20, 1.0),
    }
