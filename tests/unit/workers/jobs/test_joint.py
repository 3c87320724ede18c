"""Resolve jobs that are judged together."""

from __future__ import annotations

import pytest
from support.folding import Memory, days

from mnemolog.schema.jobs import ResolveWork, Share, decode_work, encode_work
from mnemolog.schema.outcomes import ConflictsJudged, Engine, PairVerdict
from mnemolog.workers.jobs import packing
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.joint import divided, names_of
from mnemolog.workers.jobs.packing import DueJob, pack_together

FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
PAID = Engine(name="model", model="m", prompt_version="resolve.v1", calls=1, tokens_in=900, tokens_out=40, cost_usd=0.1)
WORK = ResolveWork(
    space="test",
    job_key=FIRST,
    generation=1,
    cells=(),
    pairs=(("a", "b"), ("c", "d"), ("e", "f"), ("a", "f")),
    shares=(
        Share(job_key=SECOND, generation=1, pairs=(("c", "d"),)),
        Share(job_key=THIRD, generation=2, pairs=(("e", "f"), ("a", "f"))),
    ),
)


def outcome(*verdicts: PairVerdict) -> ConflictsJudged:
    return ConflictsJudged(
        job_key=FIRST, generation=1, engine=PAID, raw="{}", verdicts=verdicts, refused=(("invalid", "x"),), candidates=4
    )


def test_each_job_gets_the_verdicts_on_its_own_pairs_whatever_their_order() -> None:
    changed = [PairVerdict(*pair, "supersedes", "changed") for pair in (("d", "c"), ("a", "b"), ("f", "e"))]
    found = divided(WORK, outcome(*changed))
    assert [(one.job_key, one.generation, one.candidates) for one in found] == [
        (FIRST, 1, 1),
        (SECOND, 1, 1),
        (THIRD, 2, 2),
    ]
    assert [one.verdicts for one in found] == [(changed[1],), (changed[0],), (changed[2],)]


def test_a_verdict_that_nobody_asked_for_is_the_first_jobs_to_answer_for() -> None:
    strange = PairVerdict("a", "nobody", "supersedes", "changed")
    assert [one.verdicts for one in divided(WORK, outcome(strange))] == [(strange,), (), ()]


def test_what_it_cost_is_told_once() -> None:
    found = divided(WORK, outcome())
    assert [one.engine.calls for one in found] == [1, 0, 0]
    assert sum(one.engine.tokens_in for one in found) == PAID.tokens_in
    assert sum(one.engine.cost_usd for one in found) == PAID.cost_usd
    assert [(one.raw, one.refused) for one in found] == [("{}", (("invalid", "x"),)), ("", ()), ("", ())]
    assert {(one.engine.name, one.engine.model, one.engine.prompt_version) for one in found} == {
        ("model", "m", "resolve.v1")
    }


def test_a_job_alone_is_what_it_was() -> None:
    alone = ResolveWork(space="test", job_key=FIRST, generation=1, cells=(), pairs=WORK.pairs)
    assert divided(alone, outcome(PairVerdict("a", "b", "same"))) == [outcome(PairVerdict("a", "b", "same"))]
    assert names_of(alone) == [(FIRST, 1)]
    assert names_of(WORK) == [(FIRST, 1), (SECOND, 1), (THIRD, 2)]


# ---- packing -----------------------------------------------------------------------------------------------------


def due(memory: Memory) -> list[DueJob]:
    return [DueJob(key, generation, "resolve", tuple(inputs), 0) for key, generation, inputs in memory.due("resolve")]


def tell(memory: Memory, *languages: str) -> list[str]:
    return [
        memory.state(f"Ada writes {name}", memory.now + days(day), f"day{day}", slot="preferred_language", object=name)
        for day, name in enumerate(languages)
    ]


def test_jobs_that_are_due_together_are_packed_into_one_work(memory: Memory, vectors: Vectors) -> None:
    cells = tell(memory, "python", "rust", "go")
    jobs = due(memory)
    ((members, work),) = pack_together(memory.connection, "test", jobs, vectors)
    assert isinstance(work, ResolveWork)
    assert (list(members), names_of(work)) == (jobs, [(job.job_key, 1) for job in jobs])
    assert {cell.id for cell in work.cells} == set(cells)
    assert len(work.pairs) == len(set(work.pairs)) == 3
    assert decode_work(encode_work(work)) == work


def test_a_pair_belongs_to_the_later_of_two_jobs(memory: Memory, vectors: Vectors) -> None:
    cells = tell(memory, "python", "rust", "go")
    ((_, work),) = pack_together(memory.connection, "test", due(memory), vectors)
    assert isinstance(work, ResolveWork)
    newest = {pair for pair in work.pairs if cells[2] in pair}
    assert set(work.shares[-1].pairs) == newest
    assert len(newest) == 2


def test_too_many_pairs_are_asked_about_in_several_works(
    memory: Memory, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(memory, "python", "rust", "go", "perl", "lua")
    monkeypatch.setattr(packing, "PAIRS_TOGETHER", 4)
    jobs = due(memory)
    works = [work for _, work in pack_together(memory.connection, "test", jobs, vectors)]
    assert [len(work.pairs) for work in works if isinstance(work, ResolveWork)] == [3, 3, 4]
    assert sorted(name for work in works for name in names_of(work)) == sorted((job.job_key, 1) for job in jobs)  # type: ignore[arg-type]


def test_a_work_that_would_be_too_large_is_packed_job_by_job(
    memory: Memory, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(memory, "python", "rust", "go")
    jobs = due(memory)
    ((_, whole),) = pack_together(memory.connection, "test", jobs, vectors)
    assert isinstance(whole, ResolveWork)
    monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", len(encode_work(whole).encode()) - 1)
    alone = list(pack_together(memory.connection, "test", jobs, vectors))
    assert [list(members) for members, _ in alone] == [[job] for job in jobs]


def test_a_job_without_pairs_of_its_own_is_closed_at_once(memory: Memory, vectors: Vectors) -> None:
    memory.state("Ada is allergic to peanuts", memory.now, "a", slot="allergy", object="peanut")
    memory.state("Ada drives a red tractor", memory.now + days(1), "b", slot="owns", object="tractor")
    ((_, closed),) = pack_together(memory.connection, "test", due(memory), vectors)
    assert isinstance(closed, ConflictsJudged)
    assert (closed.engine.calls, closed.verdicts) == (0, ())
