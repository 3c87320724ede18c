"""History: the chain that a fact stands in, told from any of its ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.history import history
from mnemolog.schema.requests import VerdictsReviewed

TEXTS = ("I prefer Python.", "I'm writing in Rust now.", "Back to Python after all.")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def tell(memory: Memory) -> list[str]:
    """Python, Rust, Python, a week between them."""
    memory.now = START_MS + days(14)
    ids = [
        memory.state(text, START_MS + days(7 * number), f"week{number}", slot="preferred_language", object=value)
        for number, (text, value) in enumerate(zip(TEXTS, ("python", "rust", "python"), strict=True))
    ]
    memory.judge((ids[0], ids[1], "supersedes", "changed"))
    memory.judge((ids[1], ids[2], "supersedes", "changed"), (ids[0], ids[2], "same", "repeated"))
    return ids


def test_a_return_makes_a_history_of_three_from_whichever_end_it_is_asked(memory: Memory) -> None:
    ids = tell(memory)
    for node_id in ids:
        links = history(memory.connection, node_id, START_MS + days(30))
        assert [link.fact.node_id for link in links] == ids
        assert [link.fact.status for link in links] == ["superseded", "superseded", "live"]
        assert [(link.fact.valid_from - START_MS) // days(1) for link in links] == [0, 7, 14]


def test_a_link_has_its_evidence_word_for_word_and_its_verdicts(memory: Memory) -> None:
    ids = tell(memory)
    first = history(memory.connection, ids[0], START_MS)[0]
    (said,) = first.evidence
    assert (said.event_id, said.quote, said.content) == (f"week0:{TEXTS[0]}", TEXTS[0], TEXTS[0])
    assert (said.speaker, said.occurred_at) == ("Ada", START_MS)
    assert {(verdict.other, verdict.ruling) for verdict in first.verdicts} == {
        (ids[1], "supersedes"),
        (ids[2], "same"),
    }


def test_a_verdict_that_is_not_in_force_ties_nothing(memory: Memory) -> None:
    hobbies = [
        memory.state(f"I enjoy hobby number {n}.", START_MS + days(n), f"s{n}", slot="hobby", object=str(n))
        for n in range(5)
    ]
    while memory.due("resolve"):
        memory.judge()
    new = memory.state("I gave everything up.", START_MS + days(9), "s9", slot="hobby", object="*")
    memory.judge(*((old, new, "supersedes", "ended") for old in hobbies))
    (alone,) = history(memory.connection, new, START_MS + days(10))
    assert {verdict.state for verdict in alone.verdicts} == {"held"}
    memory.add(VerdictsReviewed(pairs=((hobbies[0], new),), approved=True))
    assert len(history(memory.connection, new, START_MS + days(10))) == 2


def test_what_is_not_there_has_no_history(memory: Memory) -> None:
    assert history(memory.connection, "ce-unknown", START_MS) == []
