from __future__ import annotations

import numpy as np
import pytest

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.schema.errors import InvalidInput, SpaceNotFound


@pytest.fixture
def talk(memory):
    for text in ("I prefer Python", "my cat is called Tom", "the weather in Berlin", "  ", "I prefer Python"):
        memory.say(text)
    memory.embed()
    return memory


def nearest(memory, text, k=3):
    index = vectors.index_in_use(memory.con)
    return vectors.nearest(memory.con, index, memory.embedder.embed([text])[0]).first(k)


def test_the_nearest_texts_come_first(talk):
    assert set(nearest(talk, "I prefer Python", 2)) == {1, 5}
    assert nearest(talk, "cat called", 1) == [2]


def test_a_blank_text_is_done_but_has_no_vector(talk):
    assert vectors.state(talk.con) == vectors.VectorState("word-hashes", 64, indexed=5, missing=0)
    assert 4 not in nearest(talk, "cat", 5)
    fetched = vectors.fetch(talk.con, vectors.index_in_use(talk.con), [4, 1, 77])
    assert fetched.any(axis=1).tolist() == [False, True, False]
    assert np.allclose(fetched[1], talk.embedder.embed(["I prefer Python"])[0])


def test_nodes_are_missing_until_their_vectors_are_stored(talk):
    talk.say("later")
    talk.say("latest")
    assert vectors.missing(talk.con, 1) == [(6, "later")]
    assert vectors.state(talk.con).missing == 2
    talk.embed(limit=1)
    assert vectors.missing(talk.con, 10) == []


def test_a_vector_that_is_not_finite_is_not_stored_as_one(memory):
    memory.say("odd")
    with memory.transaction():
        vectors.store(memory.con, "word-hashes", [1], ["odd"], np.full((1, 64), np.nan, np.float32))
    assert nearest(memory, "odd") == []
    assert vectors.check(memory.con) == []


@pytest.mark.parametrize(("model", "shape"), [("another", (1, 64)), ("word-hashes", (1, 32)), ("word-hashes", (2, 64))])
def test_vectors_of_another_model_or_shape_are_refused(memory, model, shape):
    memory.say("text")
    with pytest.raises(InvalidInput), memory.transaction():
        vectors.store(memory.con, model, [1], ["text"], np.ones(shape, np.float32))


def test_a_dimension_that_cannot_be_packed_into_bytes_is_refused(memory):
    with pytest.raises(InvalidInput):
        vectors.create(memory.con, "odd", 100)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vectors_1 SET vector = (SELECT vector FROM vectors_1 WHERE number = 2) WHERE number = 1",
        "UPDATE vectors_1 SET vector = x'' WHERE number = 1",
        "UPDATE vectors_1 SET vector = substr(vector, 1, 17) WHERE number = 1",
        "UPDATE vectors_1 SET text_hash = x'00' WHERE number = 1",
        "UPDATE vectors_1 SET digest = x'00' WHERE number = 1",
        "UPDATE vectors_1 SET number = 99 WHERE number = 1",
        "DELETE FROM vectors_1 WHERE number = 4",
        "INSERT INTO vectors_1 SELECT 99, text_hash, vector, digest FROM vectors_1 WHERE number = 1",
        """DELETE FROM vector_bits_1 WHERE number = 1;
        INSERT INTO vector_bits_1 (number, bits) VALUES (1, vec_bit(x'0000000000000000'))""",
        "DELETE FROM vector_bits_1 WHERE number = 1",
        "INSERT INTO vector_bits_1 (number, bits) VALUES (99, vec_bit(x'0000000000000000'))",
        "UPDATE vector_bits_1_vector_chunks00 SET vectors = zeroblob(length(vectors))",
        "UPDATE vector_bits_1_chunks SET validity = zeroblob(length(validity))",
        "UPDATE vector_bits_1_rowids SET chunk_offset = 9 WHERE rowid = 1",
        "UPDATE vector_index SET model = 'another'",
        "UPDATE vector_index SET position = 9; UPDATE nodes SET number = 9 WHERE number = 5",
        "UPDATE nodes SET content = 'I prefer Perl' WHERE number = 1",
    ],
)
def test_check_notices_any_change_of_a_vector(talk, change):
    assert vectors.check(talk.con) == []
    talk.con.execute(change)
    assert vectors.check(talk.con)


def test_check_does_not_mind_nodes_that_were_not_reached_yet(talk):
    talk.say("later")
    assert vectors.check(talk.con) == []


def test_a_new_model_swaps_in_when_its_index_is_complete(talk, other_embedder):
    reader = open_reader(talk.path)
    seen = []
    vectors.rebuild(
        talk.con,
        other_embedder,
        talk.transaction,
        lambda *done: seen.append((done, vectors.index_in_use(reader).model)),
    )
    assert seen == [((5, 5), "word-hashes")]
    assert vectors.state(reader) == vectors.VectorState("other-hashes", 32, indexed=5, missing=0)
    reader.close()
    assert vectors.check(talk.con) == []
    talk.embedder = other_embedder
    assert nearest(talk, "cat called", 1) == [2]
    tables = {name for (name,) in talk.con.execute("SELECT name FROM sqlite_schema")}
    assert "vectors_1" not in tables
    assert "vector_bits_1" not in tables


def test_nodes_that_come_during_a_rebuild_follow_afterwards(talk, other_embedder):
    talk.say("x")
    vectors.rebuild(talk.con, other_embedder, talk.transaction, lambda done, total: talk.say("later") and None)
    talk.embedder = other_embedder
    talk.embed()
    assert vectors.state(talk.con).missing == 0
    assert vectors.check(talk.con) == []


def test_a_rebuild_that_was_killed_is_begun_again(talk, other_embedder):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectors.rebuild(talk.con, other_embedder, talk.transaction, stop)
    assert vectors.index_in_use(talk.con).model == "word-hashes"
    assert vectors.check(talk.con) == []
    vectors.rebuild(talk.con, other_embedder, talk.transaction, lambda done, total: None)
    assert vectors.check(talk.con) == []


def rebuilt(tmp_path, talk, texts, embedder=None):
    made = type(talk)(tmp_path / "rebuilt.db", embedder or talk.embedder)
    for text in texts:
        made.say(text)
    return made


def test_a_rebuilt_file_takes_over_the_vectors_of_equal_texts(tmp_path, talk):
    new = rebuilt(tmp_path, talk, ["my cat is called Tom", "never said before", "  ", "I prefer Python"])
    with new.transaction():
        assert vectors.copy_cache(new.con, talk.path) == 3
    assert vectors.missing(new.con, 10) == [(2, "never said before")]
    new.embed()
    assert vectors.check(new.con) == []
    assert vectors.state(new.con).missing == 0
    assert nearest(new, "cat called", 1) == [1]
    new.con.close()


def test_vectors_of_another_model_are_not_taken_over(tmp_path, talk, other_embedder):
    new = rebuilt(tmp_path, talk, ["my cat is called Tom"], other_embedder)
    with new.transaction():
        assert vectors.copy_cache(new.con, talk.path) == 0
    new.con.close()


def test_an_altered_vector_is_not_taken_over(tmp_path, talk):
    talk.con.execute("UPDATE vectors_1 SET vector = zeroblob(256) WHERE number = 2")
    new = rebuilt(tmp_path, talk, ["my cat is called Tom", "the weather in Berlin"])
    with new.transaction():
        assert vectors.copy_cache(new.con, talk.path) == 1
    assert vectors.missing(new.con, 10) == [(1, "my cat is called Tom")]
    new.con.close()


def test_no_file_has_no_cache(tmp_path, memory):
    with pytest.raises(SpaceNotFound):
        vectors.copy_cache(memory.con, tmp_path / "absent.db")
