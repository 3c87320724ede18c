from __future__ import annotations

import numpy as np
import pytest

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.signs import Nearest


def near(memory, text):
    index = vectors.index_in_use(memory.con)
    return vectors.nearest(memory.con, index, memory.embedder.embed([text])[0])


def test_the_order_is_that_of_differing_signs_and_then_of_numbers():
    bits = np.array([[0b11], [0b1], [0b0], [0b1]], np.uint64)
    found = Nearest(np.array([7, 9, 3, 8]), bits, bytes([0b1]))
    assert found.first(4) == [8, 9, 3, 7]
    assert found.first(2) == [8, 9]
    assert found.first(99) == [8, 9, 3, 7]


@pytest.mark.parametrize("count", [1, 511, 512, 513, 1_100])
def test_vectors_that_follow_are_seen_at_once_across_chunks(memory, count):
    for n in range(count):
        memory.say(f"number{n} word{n % 7}")
    memory.embed()
    assert len(near(memory, "word1")) == count
    memory.say("the zeppelin")
    memory.embed()
    found = near(memory, "the zeppelin")
    assert len(found) == count + 1
    assert found.first(1) == [count + 1]


def test_a_new_index_of_the_file_is_read_anew(memory, other_embedder):
    memory.say("the zeppelin")
    memory.embed()
    assert len(near(memory, "zeppelin")) == 1
    vectors.rebuild(memory.con, other_embedder, memory.transaction, lambda *_: None)
    index = vectors.index_in_use(memory.con)
    assert vectors.nearest(memory.con, index, other_embedder.embed(["zeppelin"])[0]).first(5) == [1]
