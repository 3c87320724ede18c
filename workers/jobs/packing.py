"""Packs what a job needs into its payload, so that workers never open a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apsw
import msgspec
import numpy as np

from mnemolog.schema.ids import episode_id
from mnemolog.schema.jobs import (
    MAX_PAYLOAD_BYTES,
    AnyWork,
    ConsolidateWork,
    ExtractWork,
    JobMessage,
    ResolveWork,
    SceneCell,
    Share,
    encode_work,
)
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, Engine, JobKind, Outcome, SceneConsolidated
from mnemolog.workers.fold.scenes import seen_hash
from mnemolog.workers.jobs.candidates import Pair, Vectors, cells_of, pairs_for, pairs_of_all

EARLIER_MESSAGES = 4
#: Where a session begins, what the same person said last in another: a correction may be a session of its own.
ELSEWHERE_MESSAGES = 2
SCENES = 30
FACTS = 20
#: Of the facts, so many are the last that were learnt; the others are the nearest in meaning.
RECENT_FACTS = 8
SCENE_CELLS = 20
#: So many pairs are judged together, unless one job alone has more.
PAIRS_TOGETHER = 500
#: Who concluded what nobody had to be asked about.
NOBODY = Engine(name="none")
#: What a message is cut to when nothing else helps; halved until the payload fits.
FIRST_CUT_CHARS = 100_000


class DueJob(msgspec.Struct, frozen=True):
    """A job that is due; `made_at` is when it became so, in UTC milliseconds."""

    job_key: str
    generation: int
    kind: JobKind
    inputs: tuple[str, ...]
    made_at: int


_MESSAGE_FIELDS = ("event_id", "role", "content", "occurred_at", "session", "speaker", "utc_offset_min")
_MESSAGE = ", ".join(_MESSAGE_FIELDS)
_WINDOW = f"""
    SELECT {_MESSAGE} FROM nodes
    WHERE node_id IN (SELECT value FROM json_each(?)) AND type = 'episodic' ORDER BY occurred_at, seq, event_id
"""
_EARLIER = f"""
    SELECT {_MESSAGE} FROM nodes
    WHERE type = 'episodic' AND session = ?1 AND hidden = 0 AND extractable
        AND (occurred_at, seq, event_id) < (SELECT occurred_at, seq, event_id FROM nodes WHERE node_id = ?2)
    ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT {EARLIER_MESSAGES}
"""
_ELSEWHERE = f"""
    SELECT {_MESSAGE} FROM nodes
    WHERE type = 'episodic' AND role = 'user' AND speaker IS ?2 AND hidden = 0 AND extractable
        AND occurred_at <= ?3
        AND (occurred_at, seq, event_id) < (SELECT occurred_at, seq, event_id FROM nodes WHERE node_id = ?1)
    ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT {ELSEWHERE_MESSAGES}
"""
_FACTS = """
    SELECT c.node_id, n.content FROM cells c JOIN nodes n USING (node_id)
    WHERE c.subject IN (SELECT value FROM json_each(?)) AND c.heir IS NULL AND c.retracted IS NULL
    ORDER BY n.valid_from, n.occurred_at, c.node_id
"""
_SCENE_CELLS = """
    SELECT node_id, content, salience, valid_from FROM nodes JOIN cells USING (node_id)
    WHERE scene = ? AND heir IS NULL AND retracted IS NULL ORDER BY salience DESC, valid_from DESC, node_id
"""


def pack(con: apsw.Connection, space: str, job: DueJob, vectors: Vectors) -> AnyWork | Outcome:
    """The work of a job, at most MAX_PAYLOAD_BYTES when encoded; its outcome where there is nothing to ask an engine.

    What does not fit is left out in this order: earlier messages, facts, pairs, the ends of long messages.
    """
    return _PACKERS[job.kind](con, space, job, vectors)


def _fits(work: AnyWork) -> bool:
    return len(encode_work(work).encode("utf-8")) <= MAX_PAYLOAD_BYTES


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode("utf-8")


# ---- extract -----------------------------------------------------------------------------------------------------


def _extract(con: apsw.Connection, space: str, job: DueJob, vectors: Vectors) -> ExtractWork | CellsExtracted:
    window = [_message(row) for row in _rows(con, _WINDOW, (_json(job.inputs),))]
    if not window:
        return CellsExtracted(job_key=job.job_key, generation=job.generation, engine=NOBODY)
    facts = cells_of(con, _facts(con, window, vectors))
    work = ExtractWork(
        space=space,
        job_key=job.job_key,
        generation=job.generation,
        messages=(*_earlier(con, window), *window),
        scenes=_scenes(con, window, vectors),
        facts=tuple(sorted(facts, key=lambda fact: (fact.valid_from, fact.occurred_at, fact.id))),
    )
    return fitted(work)


def _earlier(con: apsw.Connection, window: Sequence[JobMessage]) -> list[JobMessage]:
    """What was said before a window, in order of time: in its session, or where that begins, by the same person."""
    first = episode_id(window[0].event_id)
    rows = _rows(con, _EARLIER, (window[0].session, first))
    said = next((message for message in window if message.role == "user"), None)
    if not rows and said is not None:
        rows = _rows(con, _ELSEWHERE, (first, said.speaker, window[0].occurred_at))
    return [_message(row, read=True) for row in reversed(rows)]


def _message(row: tuple[Any, ...], *, read: bool = False) -> JobMessage:
    return JobMessage(**dict(zip(_MESSAGE_FIELDS, row, strict=True)), read=read)


def _rows(con: apsw.Connection, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return con.execute(sql, values).fetchall()


def fitted(work: ExtractWork) -> ExtractWork:
    """The work cut to the size that a payload may have; a message keeps its beginning."""
    if not _fits(work):
        window = tuple(message for message in work.messages if not message.read)
        work = msgspec.structs.replace(work, messages=window)
    if not _fits(work):
        work = msgspec.structs.replace(work, facts=())
    most = FIRST_CUT_CHARS
    while most and not _fits(work):
        short = tuple(msgspec.structs.replace(message, content=message.content[:most]) for message in work.messages)
        work = msgspec.structs.replace(work, messages=short)
        most //= 2
    return work


def _scenes(con: apsw.Connection, window: Sequence[JobMessage], vectors: Vectors) -> tuple[str, ...]:
    """The keys of the scenes that are nearest to one of the messages."""
    known = [scene for (scene,) in con.execute("SELECT scene FROM scenes WHERE cells > 0 ORDER BY scene")]
    if len(known) <= SCENES:
        return tuple(known)
    nearness = vectors.nearness(known, [message.content for message in window])
    return tuple(sorted(known[index] for index in np.argsort(-nearness, kind="stable")[:SCENES]))


def _facts(con: apsw.Connection, window: Sequence[JobMessage], vectors: Vectors) -> list[str]:
    """The node ids of live facts about the speakers: the last ones, and those nearest to one of the messages."""
    speakers = sorted({message.speaker or "user" for message in window if message.role == "user"})
    known = _rows(con, _FACTS, (_json(speakers),))
    ids = [str(node_id) for node_id, _ in known]
    if len(ids) <= FACTS:
        return ids
    nearness = vectors.nearness([content for _, content in known], [message.content for message in window])
    nearest = [ids[index] for index in np.argsort(-nearness, kind="stable")]
    return list(dict.fromkeys([*ids[-RECENT_FACTS:], *nearest]))[:FACTS]


# ---- resolve -----------------------------------------------------------------------------------------------------


def _resolve(con: apsw.Connection, space: str, job: DueJob, vectors: Vectors) -> ResolveWork | ConflictsJudged:
    return _judged_alone(con, space, job, pairs_for(con, job.inputs, vectors, again=job.generation > 1))


def _judged_alone(
    con: apsw.Connection, space: str, job: DueJob, pairs: Sequence[Pair]
) -> ResolveWork | ConflictsJudged:
    while pairs:
        work = _resolve_work(con, space, [(job, pairs)])
        if _fits(work):
            return work
        pairs = pairs[: len(pairs) // 2]
    return ConflictsJudged(job_key=job.job_key, generation=job.generation, engine=NOBODY)


Owned = tuple[DueJob, Sequence[Pair]]


def _resolve_work(con: apsw.Connection, space: str, group: Sequence[Owned]) -> ResolveWork:
    """The work of the first job of a group, which the others share."""
    pairs = tuple(pair for _, own in group for pair in own)
    (first, _), *others = group
    return ResolveWork(
        space=space,
        job_key=first.job_key,
        generation=first.generation,
        cells=cells_of(con, {node_id for pair in pairs for node_id in pair}),
        pairs=pairs,
        shares=tuple(Share(job_key=job.job_key, generation=job.generation, pairs=tuple(own)) for job, own in others),
    )


def pack_together(
    con: apsw.Connection, space: str, jobs: Sequence[DueJob], vectors: Vectors
) -> Iterator[tuple[Sequence[DueJob], ResolveWork | ConflictsJudged]]:
    """The work of resolve jobs, oldest first, each with the jobs that share it: as few works as can be.

    A pair of cells of two of the jobs is judged once, for the later job, as it would be had the other been done
    before: how much one job may retire does not depend on what it is judged with.
    """
    groups: list[list[Owned]] = [[]]
    for job, pairs in _owned(con, jobs, vectors):
        if groups[-1] and sum(len(own) for _, own in groups[-1]) + len(pairs) > PAIRS_TOGETHER:
            groups.append([])
        groups[-1].append((job, pairs))
    for group in groups:
        asked = [(job, pairs) for job, pairs in group if pairs]
        together = _resolve_work(con, space, asked) if len(asked) > 1 else None
        if together is not None and _fits(together):
            yield [job for job, _ in asked], together
            asked = []
        for job, pairs in [owned for owned in group if owned in asked or not owned[1]]:
            yield [job], _judged_alone(con, space, job, pairs)


def _owned(con: apsw.Connection, jobs: Sequence[DueJob], vectors: Vectors) -> list[Owned]:
    """Each job with the pairs that are judged for it; those of two jobs belong to the later one."""
    last = {node_id: place for place, job in enumerate(jobs) for node_id in job.inputs}
    owned: list[list[Pair]] = [[] for _ in jobs]
    for first, second in pairs_of_all(con, [job.inputs for job in jobs], vectors):
        owned[max(last.get(first, 0), last.get(second, 0))].append((first, second))
    return list(zip(jobs, owned, strict=True))


# ---- consolidate -------------------------------------------------------------------------------------------------


def _consolidate(con: apsw.Connection, space: str, job: DueJob, _: Vectors) -> ConsolidateWork | SceneConsolidated:
    scene = job.inputs[0]
    live = [_scene_cell(row) for row in _rows(con, _SCENE_CELLS, (scene,))]
    seen = seen_hash(cell.node_id for cell in live)
    if len(live) <= 1:
        # The fold sums up a scene of one cell by itself; this closes a job that was opened when there were more.
        return SceneConsolidated(
            job_key=job.job_key,
            generation=job.generation,
            engine=NOBODY,
            scene=scene,
            summary=live[0].content if live else "-",
            cells=tuple(cell.node_id for cell in live),
            seen=seen,
        )
    return ConsolidateWork(
        space=space,
        job_key=job.job_key,
        generation=job.generation,
        scene=scene,
        cells=tuple(live[:SCENE_CELLS]),
        seen=seen,
        summary=con.execute("SELECT summary FROM scenes WHERE scene = ?", (scene,)).get or "",
    )


def _scene_cell(row: tuple[Any, ...]) -> SceneCell:
    node_id, content, salience, valid_from = row
    return SceneCell(node_id=node_id, content=content, salience=salience, valid_from=valid_from)


_Packer = Callable[[apsw.Connection, str, DueJob, Vectors], AnyWork | Outcome]
_PACKERS: dict[JobKind, _Packer] = {"extract": _extract, "resolve": _resolve, "consolidate": _consolidate}
