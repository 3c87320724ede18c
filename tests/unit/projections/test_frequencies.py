from __future__ import annotations

import pytest

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.analysis import query_terms
from mnemolog.projections.indexes.frequencies import FrequencyCache


@pytest.fixture
def reader(memory):
    for n in range(100):
        memory.say("a harbour" if n < 7 else "鞋很舒服" if n < 10 else "nothing")
    made = open_reader(memory.path)
    yield made
    made.close()


def frequencies(cache, reader, query, nodes=100):
    return {found.word: found.documents for found in cache.of(reader, query_terms(query), nodes)}


def test_terms_are_counted_by_the_nodes_that_hold_them(reader):
    assert frequencies(FrequencyCache(), reader, "harbours zeppelin") == {"harbours": 7, "zeppelin": 0}


def test_a_single_character_is_counted_wherever_it_begins_a_term(reader):
    assert frequencies(FrequencyCache(), reader, "鞋") == {"鞋": 3}


def test_what_was_counted_holds_until_the_file_has_grown(memory, reader):
    cache = FrequencyCache()
    assert frequencies(cache, reader, "harbour") == {"harbour": 7}
    memory.say("harbour")
    assert frequencies(cache, reader, "harbour", 101) == {"harbour": 7}
    for _ in range(4):
        memory.say("harbour")
    assert frequencies(cache, reader, "harbour", 105) == {"harbour": 12}


def test_a_file_that_was_swapped_is_counted_anew(memory, reader):
    cache = FrequencyCache()
    assert frequencies(cache, reader, "harbour") == {"harbour": 7}
    memory.con.execute("DELETE FROM fulltext")
    memory.con.execute("INSERT INTO lease VALUES (1, 2, 'host', 1, 1, 1)")
    assert frequencies(cache, reader, "harbour") == {"harbour": 0}


def test_no_more_is_remembered_than_the_size(reader):
    cache = FrequencyCache(size=3)
    for word in ("harbour", "nothing", "zeppelin", "kettle", "harbour"):
        frequencies(cache, reader, word)
    assert len(cache) == 3
