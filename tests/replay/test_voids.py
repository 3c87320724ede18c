"""Voids: what they name has no effect, they can be voided themselves, and at every position a replay agrees."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from support.folding import START_MS, Memory, cell, days
from support.random_logs import Storyteller, refolded

from mnemolog.projections.integrity import content_hash, hashes, verify
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.events import DeadLetterRequeued, Payload
from mnemolog.schema.ids import Position
from mnemolog.schema.log import event_of
from mnemolog.schema.outcomes import CellsExtracted, Engine, ExtractedCell
from mnemolog.schema.requests import FactConfirmed, FactCorrected, FactsForgotten, JobRequeued
from mnemolog.workers.fold.voids import RebuildNeeded
from mnemolog.workers.writer.batches import Batches, decode_all

SEEDS = range(5)


class Log:
    """A log by hand: a memory's, and what comes after it."""

    def __init__(self, memory: Memory) -> None:
        self.entries = list(memory.log)

    def add(self, payload: Payload, event_id: str | None = None) -> Position:
        last = self.entries[-1].position
        position = Position(last.ms + 1, 0)
        name = event_id or f"later-{len(self.entries)}"
        self.entries.append(Entry(position, encode(name, position.ms, payload)))
        return position

    def void(self, *positions: Position, event_id: str | None = None) -> Position:
        return self.add(OutcomesVoided(positions=tuple(positions), reason="wrong"), event_id)

    def where(self, type_: str, which: int = 0) -> Position:
        marked = [entry.position for entry in self.entries if f'"type":"{type_}"'.encode() in entry.body]
        return marked[which]


def fold(path: Path, entries: Sequence[Entry]) -> apsw.Connection:
    return refolded(path, entries, 7)


def rows(con: apsw.Connection, sql: str, *values: Any) -> list[Any]:
    return con.execute(sql, values).fetchall()


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Ada's employer changes, and a verdict says so; her dog is a scene of its own."""
    memory = Memory(tmp_path / "told.db")
    told = {"slot": "employer", "scene": "career"}
    old = memory.state("I work at Acme.", START_MS, "s1", object="acme", **told)
    new = memory.state("I work at Bolt now.", START_MS + days(1), "s2", object="bolt", **told)
    memory.judge((old, new, "supersedes", "changed"))
    memory.state("My dog is called Rex.", START_MS + days(2), "s3", slot="pet", object="rex", scene="pet")
    return memory


def test_what_is_voided_has_no_effect_but_its_id_and_its_cost(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    log.void(log.where("cells_extracted", 1))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        facts = rows(con, "SELECT content, heir FROM cells JOIN nodes USING (node_id) ORDER BY content")
        assert facts == [("I work at Acme.", None), ("My dog is called Rex.", None)]
        assert len(rows(con, "SELECT 1 FROM events")) == len(log.entries)
        voided = log.where("cells_extracted", 1)
        assert rows(con, "SELECT accepted FROM outcomes WHERE ms = ? AND seq = ?", *voided) == [(0,)]
        assert ("voided",) in rows(con, "SELECT reason FROM refusals")
        assert rows(
            con, "SELECT state, reason FROM jobs WHERE kind = 'extract' ORDER BY position_ms, position_seq"
        ) == [
            ("done", ""),
            ("void", "voided"),
            ("done", ""),
        ]
        assert [problem for problem in verify(con).problems if not problem.startswith("vectors")] == []


def test_a_void_that_is_voided_leaves_everything_as_it_was(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    with closing(fold(tmp_path / "before.db", log.entries)) as con:
        before = content_hash(con), rows(con, "SELECT * FROM verdicts"), rows(con, "SELECT job_key, state FROM jobs")
    void = log.void(log.where("cells_extracted"), log.where("conflicts_judged"))
    with closing(fold(tmp_path / "void.db", log.entries)) as con:
        assert content_hash(con) != before[0]
    undone = log.void(void)
    with closing(fold(tmp_path / "undone.db", log.entries)) as con:
        after = content_hash(con), rows(con, "SELECT * FROM verdicts"), rows(con, "SELECT job_key, state FROM jobs")
        assert after == before
    log.void(undone)
    with closing(fold(tmp_path / "again.db", log.entries)) as con:
        assert rows(con, "SELECT content FROM cells JOIN nodes USING (node_id)") != []
        assert content_hash(con) != before[0]


def test_a_job_of_what_was_voided_is_done_again_only_when_asked(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    log.void(log.where("cells_extracted", 2))
    due = "SELECT generation FROM jobs WHERE kind = 'extract' AND state = 'due'"
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert rows(con, due) == []
        (key,) = rows(con, "SELECT job_key FROM jobs WHERE state = 'void' AND kind = 'extract'")[0]
    log.add(JobRequeued(job_key=key))
    with closing(fold(tmp_path / "b.db", log.entries)) as con:
        assert rows(con, due) == [(2,)]


def test_a_job_that_comes_up_again_has_a_number_that_no_outcome_has_named(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    (key, inputs) = memory.get("SELECT job_key, inputs FROM jobs WHERE kind = 'resolve' AND state = 'done'")
    extracted = next(
        event.payload
        for event in map(event_of, log.entries)
        if isinstance(event.payload, CellsExtracted) and event.payload.cells[0].cell.object == "bolt"
    )
    log.void(log.where("cells_extracted", 1), log.where("conflicts_judged"))
    log.add(JobRequeued(job_key=extracted.job_key))
    log.add(msgspec.structs.replace(extracted, generation=2))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        found = rows(con, "SELECT generation, state, inputs FROM jobs WHERE job_key = ?", key)
        assert found == [(2, "due", inputs)]


def test_an_invented_generation_does_not_use_the_numbers_up(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    job_key = memory.get("SELECT job_key FROM jobs WHERE kind = 'extract' LIMIT 1")
    log.add(CellsExtracted(job_key=job_key, generation=1_000_000, engine=Engine(name="invented")))
    log.add(JobRequeued(job_key=job_key))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert rows(con, "SELECT generation FROM jobs WHERE state = 'due' AND job_key = ?", job_key) == [(2,)]


def test_what_a_person_said_of_a_fact_comes_back_with_it(memory: Memory, tmp_path: Path) -> None:
    dog, old = (
        memory.get("SELECT node_id FROM nodes WHERE type != 'episodic' AND content = ?", content)
        for content in ("My dog is called Rex.", "I work at Acme.")
    )
    memory.add(FactsForgotten(node_ids=(dog,)))
    right = cell("I work at Coil.", "correction", slot="employer", object="coil", scene="career", correction=True)
    memory.add(FactCorrected(node_id=old, text="I work at Coil.", cells=(ExtractedCell(cell=right),)), "correction")
    log = Log(memory)
    with closing(fold(tmp_path / "before.db", log.entries)) as con:
        before = content_hash(con)
        assert rows(con, "SELECT 1 FROM tombstones") != []
    void = log.void(log.where("cells_extracted", 2), log.where("cells_extracted", 0))
    with closing(fold(tmp_path / "void.db", log.entries)) as con:
        assert sorted(rows(con, "SELECT reason FROM dead_letters")) == [("no_fact",), ("no_fact",)]
        assert rows(con, "SELECT 1 FROM tombstones") == []
        assert rows(con, "SELECT 1 FROM nodes WHERE hidden") == []
    log.void(void)
    with closing(fold(tmp_path / "after.db", log.entries)) as con:
        assert content_hash(con) == before
        assert rows(con, "SELECT 1 FROM dead_letters") == []


def test_nothing_but_outcomes_and_voids_can_be_voided(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    message, later = log.where("message_published"), Position(START_MS + days(99), 0)
    with closing(fold(tmp_path / "before.db", log.entries)) as con:
        before = content_hash(con)
    log.void(message, Position(1, 1), later)
    log.add(FactConfirmed(node_id=memory.get("SELECT min(node_id) FROM cells")))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert rows(con, "SELECT reason FROM refusals") == [("not_an_outcome",)] * 3
        con.execute("UPDATE cells SET pinned = 0; UPDATE nodes SET fades_at = NULL")
        assert content_hash(con) == before


def test_a_void_names_nothing_that_comes_after_it(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    ahead = Position(log.entries[-1].position.ms + 2, 0)
    log.void(ahead)
    assert log.void(log.where("cells_extracted", 2)) == ahead
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 2


def test_a_void_that_was_sent_twice_is_one_void(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    first = log.void(log.where("cells_extracted", 2), event_id="void")
    log.entries.append(Entry(Position(first.ms + 1, 0), log.entries[-1].body))
    log.void(first)
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 3


def test_a_void_under_the_id_of_something_else_is_parked_and_has_no_effect(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    log.void(log.where("cells_extracted", 2), event_id="s1:I work at Acme.")
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 3
        (parked,) = rows(con, "SELECT ms, seq, reason FROM dead_letters")
        assert parked[2] == "id_reused"
    log.add(DeadLetterRequeued(ms=parked[0], seq=parked[1]))
    with closing(fold(tmp_path / "b.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 3


def test_the_id_of_what_was_voided_stays_used(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    voided = log.where("cells_extracted", 2)
    body = next(entry.body for entry in log.entries if entry.position == voided)
    log.void(voided)
    log.entries.append(Entry(Position(log.entries[-1].position.ms + 1, 0), body))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 2


def test_a_late_outcome_does_not_do_a_job_whose_outcome_was_voided(memory: Memory, tmp_path: Path) -> None:
    key = memory.get(
        "SELECT job_key FROM jobs WHERE kind = 'extract' ORDER BY position_ms, position_seq LIMIT 1 OFFSET 2"
    )
    again = cell("My dog is called Rex.", "s3:My dog is called Rex.", slot="pet", object="rex", scene="pet")
    memory.add(
        CellsExtracted(job_key=key, generation=1, engine=Engine(name="late"), cells=(ExtractedCell(cell=again),))
    )
    log = Log(memory)
    log.void(log.where("cells_extracted", 2))
    with closing(fold(tmp_path / "a.db", log.entries)) as con:
        assert len(rows(con, "SELECT 1 FROM cells")) == 2


def test_a_void_is_not_folded_on_but_asks_for_a_rebuild(memory: Memory, tmp_path: Path) -> None:
    log = Log(memory)
    log.void(log.where("cells_extracted", 2))
    with closing(refolded(tmp_path / "a.db", log.entries[:-1], 500)) as con:
        decoded, _ = decode_all("default", log.entries[-1:], lambda _: False)
        before = hashes(con)
        with pytest.raises(RebuildNeeded):
            Batches(con).fold(decoded)
        assert hashes(con) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_at_every_void_the_file_is_the_fold_of_the_log_up_to_there(seed: int, tmp_path: Path) -> None:
    teller = Storyteller(tmp_path / "told.db", seed)
    with closing(teller.connection) as con:
        compared = 0
        while len(teller.log) < 200:
            teller.step()
            if b'"outcomes_voided"' not in teller.log[-1].body and len(teller.log) != 200:
                continue
            with closing(refolded(tmp_path / f"{compared}.db", teller.log, (1, 7, 1_000)[compared % 3])) as other:
                assert hashes(other) == hashes(con)
            compared += 1
        assert compared > 1
