from __future__ import annotations

import apsw
import pytest

from mnemolog.projections.connection import open_reader
from mnemolog.schema.errors import SpaceNotFound


def test_a_space_without_a_file_is_not_found_and_none_is_made(tmp_path):
    with pytest.raises(SpaceNotFound):
        open_reader(tmp_path / "absent.db")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(memory):
    reader = open_reader(memory.path)
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM nodes")
    reader.close()


def test_a_reader_sees_what_was_committed_and_knows_vectors(memory):
    memory.say("hello")
    reader = open_reader(memory.path)
    assert reader.execute("SELECT content FROM nodes").get == "hello"
    assert reader.execute("SELECT vec_length(vec_f32('[1, 2]'))").get == 2
    reader.close()
