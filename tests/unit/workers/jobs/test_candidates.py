"""Which cells a new one is judged with."""

from __future__ import annotations

import pytest
from support.folding import Memory, cell, days

from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.requests import FactsForgotten, VerdictGiven
from mnemolog.workers.jobs import candidates
from mnemolog.workers.jobs.candidates import Vectors, cells_of, pairs_for

DAY = days(1)


def told(memory: Memory, day: float, content: str, **fields: object) -> str:
    """A cell stated on a day."""
    return memory.state(content, memory.now + days(day), f"{day}:{content[:20]}", **fields)


def settle(memory: Memory) -> None:
    while memory.due("resolve"):
        memory.judge()


def test_the_same_slot_makes_candidates_however_different_the_words(memory: Memory, vectors: Vectors) -> None:
    old = told(memory, 0, "Ada earns her bread at Acme", slot="employer", object="acme")
    new = told(memory, 1, "Globex hired her", slot="employer", object="globex")
    assert pairs_for(memory.connection, [new], vectors) == [tuple(sorted((old, new)))]


def test_the_same_object_makes_candidates_across_slots(memory: Memory, vectors: Vectors) -> None:
    old = told(memory, 0, "Ada adores techno", slot="likes", object="techno")
    new = told(memory, 1, "No more loud parties for her", slot="avoids", object="techno")
    assert pairs_for(memory.connection, [new], vectors) == [tuple(sorted((old, new)))]


def test_what_a_statement_ends_is_its_candidate(memory: Memory, vectors: Vectors) -> None:
    old = told(memory, 0, "The data lie in MySQL", slot="uses", object="mysql")
    new = told(memory, 1, "Postgres was picked", slot="chosen_database", object="postgres", ends="mysql")
    assert pairs_for(memory.connection, [new], vectors) == [tuple(sorted((old, new)))]
    assert pairs_for(memory.connection, [old], vectors) == [tuple(sorted((old, new)))]


def test_what_means_nearly_the_same_is_a_candidate_without_slot_and_object(memory: Memory, vectors: Vectors) -> None:
    old = told(memory, 0, "Ada loves Labradors because they are loyal dogs")
    new = told(memory, 1, "Ada finds that Golden Retrievers are the gentlest dogs")
    assert pairs_for(memory.connection, [new], vectors) == [tuple(sorted((old, new)))]


def test_what_has_nothing_in_common_is_no_candidate(memory: Memory, vectors: Vectors) -> None:
    told(memory, 0, "Ada is allergic to peanuts", slot="allergy", object="peanut")
    new = told(memory, 1, "Ada drives a red tractor", slot="owns", object="tractor")
    assert pairs_for(memory.connection, [new], vectors) == []


def test_another_subject_is_never_a_candidate(memory: Memory, vectors: Vectors) -> None:
    told(memory, 0, "Ben works at Acme", subject="Ben", slot="employer", object="acme")
    new = told(memory, 1, "Ada works at Acme", slot="employer", object="acme")
    assert pairs_for(memory.connection, [new], vectors) == []


def test_later_statements_are_candidates_too(memory: Memory, vectors: Vectors) -> None:
    later = told(memory, 9, "Ada works at Globex", slot="employer", object="globex")
    new = told(memory, 1, "Ada works at Acme", slot="employer", object="acme")
    assert pairs_for(memory.connection, [new], vectors) == [tuple(sorted((later, new)))]


def test_faded_and_retired_ones_are_candidates_forgotten_ones_are_not(memory: Memory, vectors: Vectors) -> None:
    first = told(memory, 0, "Ada writes Python", slot="preferred_language", object="python")
    second = told(memory, 1, "Ada writes Rust", slot="preferred_language", object="rust")
    memory.judge((first, second, "supersedes"))
    forgotten = told(memory, 2, "Ada writes Perl", slot="preferred_language", object="perl")
    settle(memory)
    memory.add(FactsForgotten(node_ids=(forgotten,)))
    memory.now += days(900)
    new = told(memory, 900, "Ada writes Go", slot="preferred_language", object="go")
    found = {name for pair in pairs_for(memory.connection, [new], vectors) for name in pair}
    assert found == {first, second, new}


def test_of_a_slot_the_nearest_in_time_are_taken(
    memory: Memory, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "LEAST_COSINE", (2.0, 2.0, 2.0))
    for day in range(12):
        told(memory, day, f"Ada likes thing {day}", slot="likes", object=f"thing {day}")
        settle(memory)
    new = told(memory, 20, "Ada likes thing 20", slot="likes", object="thing 20")
    found = {name for pair in pairs_for(memory.connection, [new], vectors) for name in pair} - {new}
    objects = {c.cell.object for c in cells_of(memory.connection, found)}
    assert objects == {f"thing {day}" for day in range(4, 12)}


def test_cells_of_the_same_extraction_are_candidates_of_each_other(memory: Memory, vectors: Vectors) -> None:
    words = "I lived in Munich and moved to Berlin"
    message = memory.say(words)
    memory.close()
    first, second = memory.extract(
        cell(words, message, slot="residence", object="munich"), cell(words, message, slot="residence", object="berlin")
    )
    assert pairs_for(memory.connection, [first, second], vectors) == [tuple(sorted((first, second)))]


def test_a_pair_that_has_a_verdict_is_not_asked_about_again(memory: Memory, vectors: Vectors) -> None:
    first = told(memory, 0, "Ada works at Acme", slot="employer", object="acme")
    second = told(memory, 1, "Ada works at Globex", slot="employer", object="globex")
    memory.judge((first, second, "supersedes"))
    assert pairs_for(memory.connection, [second], vectors) == []
    assert pairs_for(memory.connection, [second], vectors, again=True) == [tuple(sorted((first, second)))]


def test_what_a_person_decided_is_never_asked_about_again(memory: Memory, vectors: Vectors) -> None:
    first = told(memory, 0, "Ada works at Acme", slot="employer", object="acme")
    second = told(memory, 1, "Ada works at Globex", slot="employer", object="globex")
    memory.add(VerdictGiven(first=first, second=second, ruling="compatible"))
    assert pairs_for(memory.connection, [second], vectors, again=True) == []


def test_the_choice_does_not_depend_on_what_is_kept_from_before(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Vectors(WordLlamaEmbedder())
    for number in range(6):
        told(memory, number, f"Ada visited town number {number}")
        settle(memory)
    new = told(memory, 9, "Ada visited a town")
    before = pairs_for(memory.connection, [new], kept)
    monkeypatch.setattr(candidates, "CACHED", 3)
    assert pairs_for(memory.connection, [new], Vectors(WordLlamaEmbedder())) == before != []
    assert pairs_for(memory.connection, [new], kept) == before
