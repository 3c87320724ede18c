"""Which facts are meant by some words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.folding import START_MS, Memory, Words, days

from mnemolog.projections.matching import matching
from mnemolog.workers.rebuilding.rebuild import index_vectors

NOW = START_MS + days(30)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "space.db")
    yield memory
    memory.connection.close()


def meant(memory: Memory, text: str) -> set[str]:
    index_vectors(memory.connection, Words(), None, lambda _: None)
    found = matching(memory.connection, text, embedder=Words(), now=NOW)
    return {fact.content for fact in found.meant}


def test_facts_in_the_same_words_are_meant_together(memory: Memory) -> None:
    first = memory.state("The spare key is under the blue pot.", START_MS, "one", slot="note", object="key in the pot")
    again = memory.state("The spare key is really under the blue pot.", START_MS + days(1), "two", slot="note")
    other = memory.state("Ada likes jazz.", START_MS, "three")
    assert len({first, again, other}) == 3
    assert meant(memory, "spare key under the blue pot") == {
        "The spare key is under the blue pot.",
        "The spare key is really under the blue pot.",
    }


def test_what_shares_a_word_or_two_is_not_meant(memory: Memory) -> None:
    memory.state("The spare key is under the blue pot.", START_MS, "one")
    assert meant(memory, "the blue bicycle and its key ring") == set()
