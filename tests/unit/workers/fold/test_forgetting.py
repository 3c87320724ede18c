"""Forgetting is a formula: nothing is written back, so it does not matter how often anything runs."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.schema.decay import confidence_at, fades_at
from mnemolog.schema.requests import FactConfirmed, FactUnpinned, NodesRecalled, VerdictGiven


@pytest.mark.parametrize(
    ("confidence", "rate", "day"),
    [(0.9, 0.1, 70), (0.9, 0.02, 523), (0.9, 0.5, 9), (1.0, 0.1, 70), (0.05, 0.1, 0), (0.04, 0.1, 0)],
)
def test_confidence_crosses_the_floor_on_the_day_of_the_closed_form(confidence: float, rate: float, day: int) -> None:
    moment = fades_at(confidence, rate, 0)
    assert moment is not None
    if day:
        assert (
            confidence_at(confidence, rate, 0, moment - 2_000)
            > 0.05
            >= confidence_at(confidence, rate, 0, moment + 2_000)
        )


def test_a_rate_of_a_tenth_untouched_fades_on_day_seventy() -> None:
    moment = fades_at(1.0, 0.1, 0)
    assert moment is not None
    assert 69 < moment / days(1) < 71


def test_asking_before_the_last_access_counts_as_no_time_passed() -> None:
    assert confidence_at(0.9, 0.1, days(10), 0) == 0.9


def test_a_rate_of_zero_never_fades() -> None:
    assert fades_at(0.9, 0.0, 0) is None


def fact(memory: Memory, **fields: object) -> str:
    return memory.state("I keep a spare key at the office.", START_MS, "s1", salience=0.0, **fields)


def stored(memory: Memory, node_id: str) -> tuple[int, int, int | None]:
    row: tuple[int, int, int | None] = memory.get(
        "SELECT access_count, last_accessed, fades_at FROM nodes WHERE node_id = ?", node_id
    )
    return row


def test_an_imported_fact_of_long_ago_is_not_born_dead(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    memory.now = START_MS + days(2000)
    _, last_accessed, moment = stored(memory, fact(memory))
    assert last_accessed == memory.now
    assert moment is not None
    assert moment > memory.now + days(100)


def test_recalled_every_three_days_it_is_alive_after_a_year(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    node_id = fact(memory, cell_type="task")
    _, _, untouched = stored(memory, node_id)
    assert untouched is not None
    assert untouched < START_MS + days(71)
    for day in range(3, 366, 3):
        memory.now = START_MS + days(day)
        memory.add(NodesRecalled(recalls=((memory.now, (node_id,)),)))
    count, last_accessed, moment = stored(memory, node_id)
    assert (count, last_accessed) == (121, START_MS + days(363))
    assert moment is not None
    assert moment > START_MS + days(365)


def test_the_order_and_repetition_of_recalls_do_not_matter(tmp_path: Path) -> None:
    found = set()
    for number, order in enumerate(permutations([days(1), days(9), days(4), days(4)])):
        memory = Memory(tmp_path / f"{number}.db")
        node_id = fact(memory)
        memory.now = START_MS + days(20)
        for moment in order:
            memory.add(NodesRecalled(recalls=((START_MS + moment, (node_id,)),)))
        found.add((stored(memory, node_id), tuple(memory.rows("SELECT recalled_at, times FROM reinforcements"))))
    assert len(found) == 1


def test_a_recall_from_a_clock_far_ahead_counts_as_a_day_ahead_at_most(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    node_id = fact(memory)
    memory.add(NodesRecalled(recalls=((START_MS + days(50_000), (node_id,)),)))
    assert stored(memory, node_id)[1] == memory.now + days(1)


def test_a_pinned_fact_does_not_fade_until_it_is_unpinned(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    node_id = fact(memory)
    before = stored(memory, node_id)[2]
    memory.add(FactConfirmed(node_id=node_id))
    assert stored(memory, node_id)[2] is None
    memory.add(FactUnpinned(node_id=node_id))
    assert stored(memory, node_id)[2] == before


def test_a_pinned_fact_is_still_superseded(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    old = memory.state("I work at Acme Corp.", START_MS, "s1", slot="employer", object="acme")
    memory.add(FactConfirmed(node_id=old))
    new = memory.state("I started at Bolt Ltd.", START_MS + days(3), "s2", slot="employer", object="bolt")
    memory.judge((old, new, "supersedes", "change"))
    assert memory.get("SELECT heir FROM cells WHERE node_id = ?", old) == new


def test_a_task_fades_from_its_due_date_on(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    due = START_MS + days(40)
    _, _, moment = stored(memory, fact(memory, cell_type="task", due=due))
    assert moment is not None
    assert days(60) < moment - due < days(71)


def test_a_superseded_fact_fades_fast_and_regains_its_own_rate_when_that_is_undone(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db")
    old = memory.state("I work at Acme Corp.", START_MS, "s1", slot="employer", object="acme")
    alone = stored(memory, old)[2]
    new = memory.state("I started at Bolt Ltd.", START_MS + days(3), "s2", slot="employer", object="bolt")
    memory.judge((old, new, "supersedes", "change"))
    retired = stored(memory, old)[2]
    assert alone is not None
    assert retired is not None
    assert retired < START_MS + days(10) < alone
    memory.add(_compatible(old, new))
    assert stored(memory, old)[2] == alone


def _compatible(first: str, second: str) -> VerdictGiven:
    return VerdictGiven(first=first, second=second, ruling="compatible")
