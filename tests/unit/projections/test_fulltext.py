from __future__ import annotations

import pytest

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import fulltext

SECRET = "xylophonequartz"


def matches(con, word):
    return [row[0] for row in con.execute("SELECT rowid FROM fulltext(?) ORDER BY rowid", (f'"{word}"',))]


@pytest.fixture
def talk(memory):
    memory.say("I prefer Python for small tools.")
    memory.say("我穿的运动鞋是亚瑟士。")
    memory.cell("Ada prefers Python.", evidence=["e1"], scene="programming")
    memory.say("")
    return memory


def test_an_added_node_is_found_by_its_words_and_its_scene(talk):
    assert matches(talk.con, "prefers") == [1, 3]
    assert matches(talk.con, "programming") == [3]
    assert matches(talk.con, "运动") == [2]


def test_a_removed_node_is_not_found_and_leaves_no_text_in_the_file(talk):
    talk.say(SECRET)
    with talk.transaction():
        fulltext.remove(talk.con, 5)
        talk.con.execute("DELETE FROM nodes WHERE number = 5")
    talk.con.wal_checkpoint(mode=3)
    assert matches(talk.con, SECRET) == []
    assert SECRET.encode() not in talk.path.read_bytes()
    assert fulltext.check(talk.con) == []


def test_check_finds_nothing_wrong_with_what_was_written(talk):
    reader = open_reader(talk.path)
    assert fulltext.check(reader) == []
    reader.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fulltext SET content = 'I prefer Perl.' WHERE rowid = 1",
        "UPDATE fulltext SET scene = 'cooking' WHERE rowid = 3",
        "UPDATE fulltext SET cell_type = 'plan' WHERE rowid = 3",
        "UPDATE fulltext SET scene = 'cooking' WHERE rowid = 1",
        "DELETE FROM fulltext WHERE rowid = 2",
        "DELETE FROM fulltext WHERE rowid = 4",
        "INSERT INTO fulltext (rowid, content) VALUES (99, 'extra')",
        "INSERT INTO fulltext (rowid, content) VALUES (99, '')",
        "UPDATE fulltext_content SET c0 = 'I prefer Perl.' WHERE id = 1",
        "DELETE FROM fulltext_content WHERE id = 2",
        "UPDATE fulltext_docsize SET sz = x'090000' WHERE id = 1",
        "DELETE FROM fulltext_docsize WHERE id = 1",
        "DELETE FROM fulltext_data WHERE id > 10",
        "UPDATE nodes SET content = 'I prefer Perl.' WHERE number = 1",
    ],
)
def test_check_notices_any_change_of_a_row_or_the_index(talk, change):
    talk.con.execute(change)
    assert fulltext.check(talk.con)


def test_check_notices_another_word_in_the_index(talk):
    blocks = talk.con.execute("SELECT id, block FROM fulltext_data WHERE id > 10").fetchall()
    assert any(b"ython" in block for _, block in blocks)
    changed = [(number, block.replace(b"ython", b"ythom")) for number, block in blocks]
    talk.con.executemany("UPDATE fulltext_data SET block = ?2 WHERE id = ?1", changed)
    assert fulltext.check(talk.con)


def test_a_rebuilt_index_mends_what_was_wrong(talk):
    talk.con.execute("UPDATE fulltext SET content = 'Perl' WHERE rowid = 1")
    seen = []
    fulltext.rebuild(talk.con, talk.transaction, lambda done, total: seen.append((done, total)))
    assert fulltext.check(talk.con) == []
    assert matches(talk.con, "python") == [1, 3]
    assert seen == [(4, 4)]
    assert talk.con.execute("SELECT doc FROM fulltext_terms WHERE term = 'python'").get == 2


def test_a_search_during_a_rebuild_sees_the_old_index_then_the_new_one(talk):
    reader = open_reader(talk.path)
    seen = []
    fulltext.rebuild(talk.con, talk.transaction, lambda done, total: seen.append(matches(reader, "python")))
    seen.append(matches(reader, "python"))
    reader.close()
    assert seen == [[1, 3], [1, 3]]


def test_what_changes_during_a_rebuild_is_in_the_new_index(talk):
    def change(done, total):
        talk.say("Rust came later.")
        with talk.transaction():
            talk.con.execute("UPDATE nodes SET scene = 'tools' WHERE number = 3")
            talk.con.execute("DELETE FROM nodes WHERE number = 4")

    fulltext.rebuild(talk.con, talk.transaction, change)
    assert matches(talk.con, "rust") == [5]
    assert fulltext.check(talk.con) == []


def test_a_rebuild_that_was_killed_is_begun_again(talk):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fulltext.rebuild(talk.con, talk.transaction, stop)
    assert fulltext.check(talk.con) == []
    fulltext.rebuild(talk.con, talk.transaction, lambda done, total: None)
    assert fulltext.check(talk.con) == []


def test_check_accepts_a_word_that_is_longer_than_the_index_keeps(memory):
    memory.say("é" * 40_000 + " and short words")
    assert fulltext.check(memory.con) == []


@pytest.mark.parametrize("text", [r"¯\_(ツ)_/¯", "´", "a \u0301 b", "¨ ¸ ˜"])
def test_check_accepts_an_accent_that_stands_alone_and_leaves_an_empty_word(memory, text):
    memory.say(text)
    assert fulltext.check(memory.con) == []
