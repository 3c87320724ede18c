"""`verify` notices any altered value: every column of every fold table, every index row, every checksum."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from support.folding import ENGINE, START_MS, Memory, days
from support.stories import SmallEmbedder, folded

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.integrity import fast_hash, verify
from mnemolog.schema.archive import Entry
from mnemolog.schema.cells import Mention
from mnemolog.schema.controls import EntryErased, salted
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import CellsExtracted, ForgetWish, JobFailed
from mnemolog.schema.recalls import Answer, AnswerLine
from mnemolog.schema.requests import FactConfirmed, FactsForgotten, NodesRecalled
from mnemolog.schema.tables import FOLD_TABLES, LOCAL_COLUMNS, definitions
from mnemolog.workers.rebuilding.rebuild import index_vectors
from mnemolog.workers.writer.batches import Batches
from mnemolog.workers.writer.space_file import immediate, open_for_writing


def everything(path: Path) -> list[Entry]:
    """A log that leaves rows in all fold tables: what was said, learnt, judged, summed up, asked and forgotten."""
    memory = Memory(path)
    told = {"scene": "career", "salience": 0.7, "slot": "employer", "entities": (Mention("Acme", "organization"),)}
    old = memory.state("I work at Acme.", START_MS, "s1", object="acme", cell_type="fact", **told)
    memory.state("I started at Bolt now.", START_MS + days(1), "s2", object="bolt", cell_type="fact", **told)
    new = memory.get("SELECT max(node_id) FROM cells WHERE node_id != ?", old)
    memory.judge((old, new, "supersedes", "changed"), (old, "ce-unknown", "same", "repeated"))
    plan = memory.state("I will paint the fence.", START_MS + days(2), "s3", cell_type="task", due=START_MS + days(9))
    asked = Answer(
        at=START_MS + days(3),
        about=START_MS + days(3),
        kind="context",
        query="Where do I work?",
        query_chars=16,
        query_hash="0" * 32,
        ms=memory.now,
        seq=1,
        lines=(AnswerLine("fact", new),),
        digest="0" * 32,
        reinforces=True,
    )
    memory.add(NodesRecalled(recalls=((START_MS + days(3), (new, plan)),), answers=(asked,)))
    memory.add(FactConfirmed(node_id=new))
    gone = memory.state("I dislike mornings, really.", START_MS + days(4), "s4", scene="career", object="morning")
    memory.add(FactsForgotten(node_ids=(gone,)))
    key, generation, _ = memory.due("resolve")[-1]
    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="no reply", attempts=3))
    asked = memory.say("Forget that I work at Acme.", session="s6")
    memory.close("s6")
    wish = ForgetWish(event_id=asked, quote="Forget that I work", words="I work at Acme", subject="Ada")
    key, generation, _ = memory.due("extract")[-1]
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, forget=(wish,)))
    for line in ("Good evening.", "Nothing to report.", "Bye."):
        memory.say(line, session="s5", metadata={"mood": line})
    erased = EntryErased(kind="message_published", event=salted("0" * 32, "event", "gone"), session="s5", counter=1)
    memory.add(erased)
    memory.add(msgspec.structs.replace(erased, event=salted("0" * 32, "event", "gone too")))
    memory.say("I reuse ids.", event_id="s1:I work at Acme.")
    memory.connection.close()
    last = memory.log[-1].position
    return [*memory.log, Entry(Position(last.ms + 1, 0), b"rubbish")]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with rows in each fold table, both indexes complete, everything in the main file."""
    folder = tmp_path_factory.mktemp("sound")
    path = folder / "space.db"
    connection = folded(path, everything(folder / "told.db"))
    index_vectors(connection, SmallEmbedder(), None, lambda _: None)
    # A page that nothing is kept in may be torn without harm.
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path


@pytest.fixture
def altered(sound: Path, tmp_path: Path) -> Iterator[apsw.Connection]:
    """A copy, to be altered behind the writer's back: no checksums are kept, no constraint is in the way."""
    path = tmp_path / "space.db"
    shutil.copy(sound, path)
    connection = open_for_writing(path)
    connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    yield connection
    connection.close()


def problems(connection: apsw.Connection) -> tuple[str, ...]:
    reader = open_reader(Path(connection.db_filename("main")))
    try:
        return verify(reader).problems
    except DamagedFile as error:
        # A file that another version of the fold wrote, as far as it says, is not looked at.
        return (f"table space: {error}",)
    finally:
        reader.close()


def columns() -> list[tuple[str, str]]:
    """Every column of every fold table, by the definitions themselves."""
    connection = apsw.Connection(":memory:")
    connection.execute(definitions())
    found = [
        (table, row[0])
        for table in FOLD_TABLES
        for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    ]
    connection.close()
    return found


def key_of(table: str) -> str:
    """A column that names a row."""
    return next(name for of, name in columns() if of == table)


def other_values(value: Any) -> list[Any]:
    """Small changes of a value, the smallest that its type allows first."""
    if value is None:
        return [0, "0"]
    if isinstance(value, str):
        return [value + " ", "" if value else "0"]
    if isinstance(value, bytes):
        return [value[:-1] + bytes([value[-1] ^ 1]), b""]
    return [value + 1, value + 1_000_003] if isinstance(value, int) else [value + 1e-12, value - 1.5]


def alter(connection: apsw.Connection, table: str, column: str, which: int) -> None:
    """Changes one value of one row, in the way that `which` says or, where that is not unique, in another."""
    key = key_of(table)
    rows = connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
    where, value = rows[len(rows) // 2]
    values = other_values(value)
    for other in values[which:] + values[:which]:
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (other, where))
        except (apsw.ConstraintError, apsw.MismatchError):
            continue
        return
    raise AssertionError(f"{table}.{column} cannot be altered")


def test_the_file_that_is_altered_here_is_sound_and_has_every_table(sound: Path) -> None:
    reader = open_reader(sound)
    assert verify(reader).problems == ()
    assert all(reader.execute(f"SELECT count(*) FROM {table}").get for table in FOLD_TABLES)
    reader.close()
    assert {table for table, _ in columns()} == set(FOLD_TABLES)
    assert len(columns()) > 60


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("table", "column"), columns(), ids=lambda name: name)
def test_no_value_can_be_altered_unnoticed(altered: apsw.Connection, table: str, column: str, which: int) -> None:
    alter(altered, table, column, which)
    found = problems(altered)
    assert found
    assert column in LOCAL_COLUMNS.get(table, ()) or any(f"table {table}" in problem for problem in found)


@pytest.mark.parametrize("table", FOLD_TABLES)
def test_no_row_can_be_removed_unnoticed(altered: apsw.Connection, table: str) -> None:
    key = key_of(table)
    altered.execute(f"DELETE FROM {table} WHERE {key} = (SELECT min({key}) FROM {table})")
    if table == "space":
        with pytest.raises(TypeError):
            problems(altered)
        return
    assert any(f"table {table}" in problem for problem in problems(altered))


@pytest.mark.parametrize("table", [table for table in FOLD_TABLES if table != "space"])
def test_no_row_can_be_added_unnoticed(altered: apsw.Connection, table: str) -> None:
    names = [name for of, name in columns() if of == table]
    row = list(altered.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()[0])
    for index, value in enumerate(row[:3]):
        row[index] = other_values(value)[-1 if isinstance(value, int) else 0]
    altered.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", row)
    assert any(f"table {table}" in problem for problem in problems(altered))


def test_two_values_swapped_between_rows_are_noticed(altered: apsw.Connection) -> None:
    altered.execute(
        "UPDATE nodes SET salience = CASE type WHEN 'semantic' THEN 0.5 ELSE 0.7 END WHERE node_id IN "
        "((SELECT min(node_id) FROM nodes WHERE salience = 0.7), (SELECT min(node_id) FROM nodes WHERE salience = 0.5))"
    )
    assert "table nodes: a value differs from what was written" in problems(altered)


@pytest.mark.parametrize("table", FOLD_TABLES)
@pytest.mark.parametrize("how", ["sum", "count", "gone"])
def test_no_checksum_can_be_altered_unnoticed(altered: apsw.Connection, table: str, how: str) -> None:
    statement = {
        "sum": "UPDATE checksums SET row_sum = zeroblob(32) WHERE table_name = ?",
        "count": "UPDATE checksums SET row_count = row_count + 1 WHERE table_name = ?",
        "gone": "DELETE FROM checksums WHERE table_name = ?",
    }[how]
    before = fast_hash(altered)
    altered.execute(statement, (table,))
    assert any(f"table {table}" in problem for problem in problems(altered))
    assert fast_hash(altered) != before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fulltext SET content = content || ' more' WHERE rowid = 2",
        "UPDATE fulltext SET scene = 'other' WHERE cell_type IS NOT NULL",
        "UPDATE fulltext SET cell_type = 'plan' WHERE cell_type IS NOT NULL",
        "DELETE FROM fulltext WHERE rowid = 3",
        "INSERT INTO fulltext (rowid, content) VALUES (99, 'stray')",
        "UPDATE fulltext_content SET c0 = 'altered' WHERE id = 2",
        "DELETE FROM fulltext_content WHERE id = 2",
        "UPDATE fulltext_data SET block = zeroblob(8) WHERE id > 10",
        "DELETE FROM fulltext_docsize WHERE id = 2",
    ],
)
def test_no_full_text_row_can_be_altered_unnoticed(altered: apsw.Connection, statement: str) -> None:
    altered.execute(statement)
    assert altered.changes() > 0 or "fulltext SET" in statement or "FROM fulltext " in statement
    assert any("full text" in problem or "SQLite" in problem for problem in problems(altered))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {vectors} SET vector = zeroblob(64) WHERE number = 2",
        "UPDATE {vectors} SET vector = x'' WHERE number = 2",
        "UPDATE {vectors} SET vector = (SELECT vector FROM {vectors} WHERE number = 3) WHERE number = 2",
        "UPDATE {vectors} SET text_hash = zeroblob(16) WHERE number = 2",
        "UPDATE {vectors} SET digest = zeroblob(8) WHERE number = 2",
        "DELETE FROM {vectors} WHERE number = 2",
        "INSERT INTO {vectors} SELECT 99, text_hash, vector, digest FROM {vectors} WHERE number = 2",
        "UPDATE {bits}_vector_chunks00 SET vectors = zeroblob(length(vectors))",
        "DELETE FROM {bits} WHERE number = 2",
        "INSERT INTO {bits} (number, bits) VALUES (99, vec_bit(zeroblob(2)))",
        "UPDATE vector_index SET model = 'another'",
    ],
)
def test_no_vector_can_be_altered_unnoticed(altered: apsw.Connection, statement: str) -> None:
    altered.execute(vectors.index_in_use(altered).sql(statement))
    assert any("vectors" in problem for problem in problems(altered))


def test_a_temporal_edge_that_the_order_does_not_give_is_noticed_even_with_its_checksum(
    altered: apsw.Connection,
) -> None:
    batches = Batches(altered)
    with immediate(altered):
        batches._checksums.begin()
        altered.execute("UPDATE edges SET target = (SELECT min(node_id) FROM cells) WHERE kind = 'temporal'")
        batches._checksums.store()
    assert any("temporal edges" in problem for problem in problems(altered))


def test_every_page_that_is_torn_is_noticed(sound: Path, tmp_path: Path) -> None:
    whole = sound.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    path = tmp_path / "torn.db"
    for page in range(1, len(whole) // size, 3):
        torn = whole[: page * size] + bytes(size) + whole[(page + 1) * size :]
        if torn == whole:
            continue  # the end of a long value may be nothing but zeros
        path.write_bytes(torn)
        try:
            with closing(open_reader(path)) as reader:
                found: tuple[str, ...] = verify(reader).problems
        except apsw.CorruptError as error:
            found = (str(error),)
        assert found, f"page {page}"
