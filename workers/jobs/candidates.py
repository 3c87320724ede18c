"""Candidates: which other cells a new one is to be judged with, earlier and later ones, faded and retired included.

A cell's candidates are those of the same subject that share its slot or its object, that one of the two says is over,
or that are alike in meaning. What a person had forgotten is nobody's candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw
import msgspec
import numpy as np
from numpy.typing import NDArray

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema.cells import Candidate, Cell

#: Of one slot, the nearest in time are candidates: this many earlier ones and as many later ones.
SAME_SLOT = 8
#: Alike in meaning are the first few with at least this cosine, by how much the poorer cell of a pair says beside its
#: sentence (nothing, its object or its slot, or both), and so many of them by how much the cell itself says. Measured
#: on 213 pairs of statements of which the second replaces the first (benchmarks/updates.py), with slots stated, worded
#: in another way or left out: 98 to 99 % are candidates. A least cosine of 0.2, 0.3, 0.4 for bare cells leaves 93, 80,
#: 62 %, and still a pair for nearly every window of long talk: what saves calls is to judge many windows together.
LEAST_COSINE = (0.1, 0.2, 0.3)
ALIKE = (16, 12, 8)
#: The vectors that are kept: about a kilobyte each.
CACHED = 20_000

Pair = tuple[str, str]


class Other(msgspec.Struct, frozen=True):
    """A cell as far as the choice needs it; `place` is where it stands in the order of time."""

    node_id: str
    slot: str | None
    object: str
    ends: str | None
    corrects: bool
    content: str
    place: tuple[Any, ...]

    @property
    def detail(self) -> int:
        """How much it says beside its sentence: its slot, its object."""
        return bool(self.slot) + bool(self.object)

    @property
    def text(self) -> str:
        """What its vector is made from."""
        return f"{(self.slot or '').replace('_', ' ')} {self.object}. {self.content}".strip(". ")


# "I meant C, not B" that was read before B was known says nothing of the slot: it is that of what it corrects.
_SLOT = """
    CASE WHEN c.slot IS NOT NULL OR json_extract(c.cell, '$.correction') IS NOT TRUE THEN c.slot ELSE (
        SELECT w.slot FROM cells w JOIN nodes m USING (node_id)
        WHERE w.subject = c.subject AND w.object = json_extract(c.cell, '$.ends')
            AND (m.occurred_at, m.seq, m.event_id) < (n.occurred_at, n.seq, n.event_id)
        ORDER BY m.occurred_at DESC, m.seq DESC, m.event_id DESC, w.node_id LIMIT 1
    ) END
"""
_OF_SUBJECT = f"""
    SELECT c.node_id, {_SLOT}, c.object, json_extract(c.cell, '$.ends'),
        ifnull(json_extract(c.cell, '$.correction'), 0), n.content,
        n.valid_from, n.occurred_at, n.seq, n.event_id
    FROM cells c JOIN nodes n USING (node_id)
    WHERE c.subject = ? AND c.retracted IS NOT 'forgotten' ORDER BY c.node_id
"""
_CELLS = f"""
    SELECT c.node_id, c.cell, {_SLOT}, n.valid_from, n.occurred_at FROM cells c JOIN nodes n USING (node_id)
    WHERE c.node_id IN (SELECT value FROM json_each(?)) ORDER BY c.node_id
"""
_cells = msgspec.json.Decoder(Cell)


class Vectors:
    """Vectors of texts, kept as long as there is room. Always by a local model: jobs wait for no embeddings server."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: dict[str, NDArray[np.float32]] = {}

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, shape (len(texts), dimension)."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if len(self._kept) + len(missing) > CACHED:
            self._kept.clear()
            missing = list(dict.fromkeys(texts))
        if missing:
            self._kept.update(zip(missing, self._embedder.embed(missing), strict=True))
        rows = [self._kept[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._embedder.dimension), np.float32)

    def nearness(self, texts: Sequence[str], to: Sequence[str]) -> NDArray[np.float32]:
        """For each text the cosine to the nearest of `to`, shape (len(texts),); these are not kept."""
        nearest: NDArray[np.float32] = (self.of(texts) @ self._embedder.embed(to).T).max(axis=1)
        return nearest


def pairs_for(con: apsw.Connection, new: Sequence[str], vectors: Vectors, *, again: bool = False) -> list[Pair]:
    """The pairs of node ids to be judged for new cells, each once, in order of the ids.

    Pairs that a person has decided on are left out, and, unless all are wanted `again`, those that have a verdict.
    """
    return pairs_of_all(con, [new], vectors, again=again)


def pairs_of_all(
    con: apsw.Connection, jobs: Sequence[Sequence[str]], vectors: Vectors, *, again: bool = False
) -> list[Pair]:
    """The pairs to be judged for the new cells of several jobs, as pairs_for gives them for each, but each once."""
    fellows = {node_id: frozenset(new) for new in jobs for node_id in new}
    found: dict[Pair, None] = {}
    for subject in sorted(_subjects(con, list(fellows))):
        others = _of_subject(con, subject)
        asked = fellows.keys() | _corrections(others, fellows.keys())
        meanings = vectors.of([other.text for other in others])
        for index, cell in enumerate(others):
            if cell.node_id in asked:
                new = fellows.get(cell.node_id, frozenset())
                for chosen in _chosen(cell, others, meanings @ meanings[index], new):
                    found[_ordered(cell.node_id, chosen)] = None
    decided = "judge = 'person'" if again else "1"
    return sorted(pair for pair in found if not _has_verdict(con, pair, decided))


def _subjects(con: apsw.Connection, node_ids: Sequence[str]) -> set[str]:
    sql = "SELECT DISTINCT subject FROM cells WHERE node_id IN (SELECT value FROM json_each(?))"
    return {subject for (subject,) in con.execute(sql, (_json(node_ids),))}


def _of_subject(con: apsw.Connection, subject: str) -> list[Other]:
    rows: list[Any] = con.execute(_OF_SUBJECT, (subject,)).fetchall()
    return [
        Other(id_, slot, object_, ends, bool(corrects), text, tuple(place))
        for id_, slot, object_, ends, corrects, text, *place in rows
    ]


def _corrections(others: Sequence[Other], new: Collection[str]) -> set[str]:
    """The cells that correct a new one: only now is it known what they are about."""
    objects = {other.object for other in others if other.node_id in new and other.object}
    return {other.node_id for other in others if other.corrects and other.ends in objects}


def _ordered(first: str, second: str) -> Pair:
    return (first, second) if first < second else (second, first)


def _has_verdict(con: apsw.Connection, pair: Pair, decided: str) -> bool:
    return con.execute(f"SELECT 1 FROM verdicts WHERE low = ? AND high = ? AND {decided}", pair).get is not None


def _chosen(cell: Other, others: Sequence[Other], cosines: NDArray[np.float32], new: frozenset[str]) -> set[str]:
    """The node ids of a cell's candidates."""
    rest = [other for other in others if other.node_id != cell.node_id]
    named = {other.node_id for other in rest if _names(cell, other) or _names(other, cell)}
    slot = [other for other in rest if cell.slot is not None and other.slot == cell.slot]
    return named | _nearest(cell, slot) | _alike(cell, others, cosines, new)


def _names(cell: Other, other: Other) -> bool:
    """Whether a cell is about the other's object, or says that it is over."""
    return bool(other.object) and other.object in (cell.object, cell.ends)


def _nearest(cell: Other, others: Iterable[Other]) -> set[str]:
    """The nearest in time, before and after."""
    in_order = sorted(others, key=lambda other: other.place)
    earlier = [other.node_id for other in in_order if other.place <= cell.place]
    later = [other.node_id for other in in_order if other.place > cell.place]
    return {*earlier[-SAME_SLOT:], *later[:SAME_SLOT]}


def _alike(cell: Other, others: Sequence[Other], cosines: NDArray[np.float32], new: frozenset[str]) -> set[str]:
    """The most alike, and those of the same job that are alike at all."""
    close = [
        (float(cosine), other.node_id)
        for other, cosine in zip(others, cosines, strict=True)
        if cosine >= LEAST_COSINE[min(cell.detail, other.detail)] and other.node_id != cell.node_id
    ]
    close.sort(key=lambda item: (-item[0], item[1]))
    return {node_id for _, node_id in close[: ALIKE[cell.detail]]} | {node_id for _, node_id in close if node_id in new}


def cells_of(con: apsw.Connection, node_ids: Iterable[str]) -> tuple[Candidate, ...]:
    """The cells with what the fold knows about them, in order of their ids."""
    rows = con.execute(_CELLS, (_json(sorted(set(node_ids))),))
    return tuple(
        Candidate(
            id=node_id,
            cell=msgspec.structs.replace(_cells.decode(cell), slot=slot),
            valid_from=valid_from,
            occurred_at=occurred_at,
        )
        for node_id, cell, slot, valid_from, occurred_at in rows
    )


def _json(ids: Iterable[str]) -> str:
    return msgspec.json.encode(list(ids)).decode("utf-8")
