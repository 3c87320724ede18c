"""The vector index: follows the nodes at a position of its own, made by one model at a time.

A generation of the index is two tables: `vectors_N` holds what the model said (unit floats by node number, with
the hash of the text they were made from), `vector_bits_N` the signs of the floats, for the coarse search. A new
model fills the next generation beside the one in use; `vector_index` says which that is.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mnemolog.projections.connection import number_array, open_reader
from mnemolog.projections.indexes.embedder import unit_rows
from mnemolog.projections.indexes.signs import Nearest, signs_of
from mnemolog.schema.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import apsw
    from numpy.typing import NDArray

    from mnemolog.projections.indexes.embedder import Embedder

_REBUILD_BATCH = 1_000
#: The model of an index that waits for its embedder; no embedder has this name, so nothing is searched in it.
_UNKNOWN_MODEL = ""
_PROBLEMS_SHOWN = 20

_CREATE_STATE = """
CREATE TABLE vector_index (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT
"""
# A text that says nothing has a row with an empty vector, and no bits. A small chunk keeps a small space small.
_CREATE_GENERATION = """
CREATE TABLE {vectors} (
    number INTEGER PRIMARY KEY, text_hash BLOB NOT NULL, vector BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE INDEX {vectors}_by_text ON {vectors} (text_hash);
CREATE VIRTUAL TABLE {bits} USING vec0(number INTEGER PRIMARY KEY, bits bit[{dimension}], chunk_size=512);
"""
_DROP_GENERATION = "DROP TABLE IF EXISTS {vectors}; DROP TABLE IF EXISTS {bits};"


class VectorIndex(msgspec.Struct, frozen=True):
    """Which index is in use: made by which model, and the last node number up to which it is complete."""

    generation: int
    model: str
    dimension: int
    position: int

    def sql(self, template: str) -> str:
        """The statement with the names of this generation's tables."""
        return template.format(
            vectors=f"vectors_{self.generation}", bits=f"vector_bits_{self.generation}", dimension=self.dimension
        )


class VectorState(msgspec.Struct, frozen=True):
    """How far vectors are: `indexed` and `missing` add up to the number of nodes."""

    model: str
    dimension: int
    indexed: int
    missing: int


def create(con: apsw.Connection, model: str, dimension: int) -> None:
    """Create the empty index of a new file. Raises InvalidInput unless the dimension is a multiple of 8."""
    if dimension <= 0 or dimension % 8:
        raise InvalidInput(f"the embedder {model!r} makes {dimension} floats: it must be a multiple of 8")
    index = VectorIndex(1, model, dimension, 0)
    con.execute(_CREATE_STATE)
    con.execute("INSERT INTO vector_index VALUES (1, 1, ?, ?, 0)", (model, dimension))
    con.execute(index.sql(_CREATE_GENERATION))


def create_unknown(con: apsw.Connection) -> None:
    """Create the empty index of a new file whose embedder cannot be asked yet how many floats it makes; see `fit`."""
    create(con, _UNKNOWN_MODEL, 8)


def fit(con: apsw.Connection, model: str, dimension: int) -> None:
    """Make an index that holds no vectors one for this model, inside the caller's transaction; else change nothing.

    Raises InvalidInput unless the dimension is a multiple of 8.
    """
    index = index_in_use(con)
    if index.model == model or con.execute(index.sql("SELECT EXISTS (SELECT 1 FROM {vectors})")).get:
        return
    con.execute(index.sql(_DROP_GENERATION))
    con.execute("DROP TABLE vector_index")
    create(con, model, dimension)


def index_in_use(con: apsw.Connection) -> VectorIndex:
    """The index that searches and stores go to."""
    return VectorIndex(*con.execute("SELECT generation, model, dimension, position FROM vector_index").get)


def missing(con: apsw.Connection, limit: int) -> list[tuple[int, str]]:
    """The first `limit` nodes without a vector, (number, content), in order of their numbers."""
    index = index_in_use(con)
    rows: list[Any] = con.execute(
        index.sql(
            "SELECT number, content FROM nodes AS n WHERE number > ?"
            " AND NOT EXISTS (SELECT 1 FROM {vectors} AS v WHERE v.number = n.number) ORDER BY number LIMIT ?"
        ),
        (index.position, limit),
    ).fetchall()
    return rows


def store(
    con: apsw.Connection,
    model: str,
    numbers: Sequence[int],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
) -> None:
    """Store the vectors of the nodes that `missing` gave, all of them in that order, and move the position.

    `vectors` has shape (len(numbers), dimension); rows of zeros, or with values that are no finite numbers, are
    noted as saying nothing. Raises InvalidInput for another model or shape than the index's.
    """
    index = index_in_use(con)
    if model != index.model:
        raise InvalidInput(f"vectors of {model!r} do not belong into the index of {index.model!r}")
    _insert(con, index, numbers, texts, vectors)
    con.execute("UPDATE vector_index SET position = max(position, ?)", (max(numbers, default=0),))


def _insert(
    con: apsw.Connection,
    index: VectorIndex,
    numbers: Sequence[int],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
) -> None:
    if vectors.shape != (len(numbers), index.dimension):
        raise InvalidInput(f"vectors of shape {vectors.shape} are not {len(numbers)} × {index.dimension} floats")
    unit = unit_rows(vectors.astype(np.float32))
    blobs = [row.tobytes() if row.any() else b"" for row in unit]
    hashes = [_text_hash(text) for text in texts]
    _insert_blobs(con, index, zip(numbers, hashes, blobs, strict=True))


def _insert_blobs(con: apsw.Connection, index: VectorIndex, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
    kept = list(rows)
    con.executemany(
        index.sql("INSERT INTO {vectors} VALUES (?, ?, ?, ?)"),
        [(number, text_hash, blob, _digest(index.model, text_hash, blob)) for number, text_hash, blob in kept],
    )
    con.executemany(
        index.sql("INSERT INTO {bits} (number, bits) VALUES (?, vec_bit(?))"),
        [(number, signs(np.frombuffer(blob, np.float32))) for number, _, blob in kept if blob],
    )


def state(con: apsw.Connection) -> VectorState:
    """How far the index is."""
    index = index_in_use(con)
    indexed: int = con.execute(index.sql("SELECT count(*) FROM {vectors}")).get
    nodes: int = con.execute("SELECT count(*) FROM nodes").get
    return VectorState(index.model, index.dimension, indexed, nodes - indexed)


def nearest(con: apsw.Connection, index: VectorIndex, vector: NDArray[np.float32]) -> Nearest:
    """All nodes that have a vector, in order of how near they are by the signs of the floats."""
    return Nearest(*signs_of(con, index).read(con, index), signs(vector))


def fetch(con: apsw.Connection, index: VectorIndex, numbers: Sequence[int]) -> NDArray[np.float32]:
    """The vectors of nodes, shape (len(numbers), dimension); zeros where there is none (yet)."""
    found = dict(
        con.execute(
            index.sql("SELECT number, vector FROM {vectors} WHERE number IN carray(?)"), (number_array(numbers),)
        )
    )
    blank = bytes(4 * index.dimension)
    blobs = [found.get(number) or blank for number in numbers]
    return np.frombuffer(b"".join(blobs), np.float32).reshape(len(numbers), index.dimension)


def signs(vector: NDArray[np.float32]) -> bytes:
    """One bit a float, set where it is positive, as sqlite-vec's vec_quantize_binary packs them."""
    return np.packbits(vector > 0, bitorder="little").tobytes()


def copy_cache(con: apsw.Connection, from_path: Path) -> int:
    """Take over the vectors of equal texts by the same model from another file; how many nodes got theirs.

    For a rebuilt file whose nodes are all there: only what is not found here needs the embedder again. The
    caller owns the transaction. Raises SpaceNotFound when there is no such file.
    """
    source = open_reader(from_path)
    try:
        return _copy(con, source)
    finally:
        source.close()


def _copy(con: apsw.Connection, source: apsw.Connection) -> int:
    index, other = index_in_use(con), index_in_use(source)
    if (index.model, index.dimension) != (other.model, other.dimension):
        return 0
    lookup = other.sql("SELECT vector, digest FROM {vectors} WHERE text_hash = ? LIMIT 1")
    found: list[tuple[int, bytes, bytes]] = []
    for number, content in missing(con, -1):
        text_hash = _text_hash(content)
        cached: list[Any] = source.execute(lookup, (text_hash,)).fetchall()
        found += [
            (number, text_hash, vector)
            for vector, digest in cached
            if digest == _digest(other.model, text_hash, vector)
        ]
    _insert_blobs(con, index, found)
    _complete_up_to_first_missing(con)
    return len(found)


def _complete_up_to_first_missing(con: apsw.Connection) -> None:
    first = missing(con, 1)
    last = first[0][0] - 1 if first else con.execute("SELECT coalesce(max(number), 0) FROM nodes").get
    con.execute("UPDATE vector_index SET position = ?", (last,))


def rebuild(
    con: apsw.Connection,
    embedder: Embedder,
    transaction: Callable[[], AbstractContextManager[object]],
    progress: Callable[[int, int], None],
) -> None:
    """Build the index anew with a model beside the old one and swap them; who searches meanwhile finds the old one.

    `transaction()` is entered once a batch, never around the embedder; `progress` is called with (nodes embedded,
    nodes in all). Nodes that come in meanwhile are missing afterwards, and follow.
    """
    total, newest = con.execute("SELECT count(*), max(number) FROM nodes").get
    old = index_in_use(con)
    new = VectorIndex(old.generation + 1, embedder.name, embedder.dimension, 0)
    with transaction():
        con.execute(new.sql(_DROP_GENERATION + _CREATE_GENERATION))
    done = last = 0
    while rows := _batch(con, last, newest):
        numbers, texts = zip(*rows, strict=True)
        vectors = embedder.embed(texts)
        with transaction():
            _insert(con, new, numbers, texts, vectors)
        last = numbers[-1]
        done += len(numbers)
        progress(done, total)
    with transaction():
        con.execute(new.sql("DELETE FROM {bits} WHERE number NOT IN (SELECT number FROM nodes)"))
        con.execute(new.sql("DELETE FROM {vectors} WHERE number NOT IN (SELECT number FROM nodes)"))
        con.execute(
            "UPDATE vector_index SET generation = ?, model = ?, dimension = ?, position = ?",
            (new.generation, new.model, new.dimension, last),
        )
        con.execute(old.sql(_DROP_GENERATION))


def _batch(con: apsw.Connection, after: int, up_to: int | None) -> list[tuple[int, str]]:
    rows: list[Any] = con.execute(
        "SELECT number, content FROM nodes WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
        (after, up_to, _REBUILD_BATCH),
    ).fetchall()
    return rows


def check(con: apsw.Connection) -> list[str]:
    """What is wrong with the index, compared with the nodes; empty when nothing is. Reads only.

    Nodes that the index has not reached yet are not wrong.
    """
    index = index_in_use(con)
    return [
        *islice(_wrong_vectors(con, index), _PROBLEMS_SHOWN),
        *islice(_wrong_bits(con, index), _PROBLEMS_SHOWN),
        *_wrong_chunks(con, index),
    ]


def _wrong_vectors(con: apsw.Connection, index: VectorIndex) -> Iterator[str]:
    rows = con.execute(
        index.sql(
            "SELECT n.number, n.content, v.text_hash, v.vector, v.digest"
            " FROM nodes AS n LEFT JOIN {vectors} AS v ON v.number = n.number ORDER BY n.number"
        )
    )
    sizes = (0, 4 * index.dimension)
    for number, content, text_hash, vector, digest in rows:
        if text_hash is None:
            if number <= index.position:
                yield f"vectors: node {number} has no row"
        elif text_hash != _text_hash(content):
            yield f"vectors: the vector of node {number} was made from another text"
        elif digest != _digest(index.model, text_hash, vector) or len(vector) not in sizes:
            yield f"vectors: the vector of node {number} is not what was stored"
    extra = con.execute(index.sql("SELECT number FROM {vectors} WHERE number NOT IN (SELECT number FROM nodes)"))
    for (number,) in extra:
        yield f"vectors: vector {number} belongs to no node"


def _wrong_bits(con: apsw.Connection, index: VectorIndex) -> Iterator[str]:
    bits = dict(con.execute(index.sql("SELECT number, bits FROM {bits}")))
    for number, vector in con.execute(index.sql("SELECT number, vector FROM {vectors} WHERE length(vector) > 0")):
        if bits.pop(number, None) != signs(np.frombuffer(vector[: len(vector) // 4 * 4], np.float32)):
            yield f"vectors: the bits of node {number} are missing or not those of its vector"
    for number in bits:
        yield f"vectors: bits {number} belong to no vector"


def _wrong_chunks(con: apsw.Connection, index: VectorIndex) -> list[str]:
    """Compare sqlite-vec's two books of which row is where: one serves reading by number, the other the search."""
    by_number = set[Any](con.execute(index.sql("SELECT rowid, chunk_id, chunk_offset FROM {bits}_rowids")))
    by_chunk: set[Any] = set()
    for chunk, validity, rowids in con.execute(index.sql("SELECT chunk_id, validity, rowids FROM {bits}_chunks")):
        valid = np.flatnonzero(np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little"))
        numbers = np.frombuffer(rowids, np.int64)
        by_chunk |= {(int(numbers[offset]), chunk, int(offset)) for offset in valid}
    return ["vectors: the search does not see the rows that are stored"] if by_number != by_chunk else []


def _text_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _digest(model: str, text_hash: bytes, vector: bytes) -> bytes:
    return hashlib.blake2b(text_hash + vector, digest_size=8, key=hashlib.sha256(model.encode()).digest()).digest()
