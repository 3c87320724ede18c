"""Why: where a fact, a message or a topic comes from, what was decided about it, and which answers told it.

Everything is read from the file, and from the archive what the file keeps only the place of: engines' raw replies and
people's requests. The caller spans it with a read transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact, cell_of, fact, facts
from mnemolog.projections.history import history
from mnemolog.projections.jobs import generations, outcomes
from mnemolog.projections.reasons.decisions import Decision, decisions
from mnemolog.projections.reasons.windows import Conclusion, JobStory, Window, conclusion, stories, window_of
from mnemolog.projections.recalls import Recorded, recalls_of
from mnemolog.projections.scenes import Scene
from mnemolog.schema.ids import Position, episode_id

#: As many recalls of a node are told, the newest ones.
MOST_RECALLS = 1_000

_SAID_COLUMNS = (
    *("node_id", "event_id", "content", "session", "role", "speaker", "source_type", "occurred_at", "recorded_at"),
)
_MESSAGE = f"""
SELECT {", ".join(_SAID_COLUMNS)}, hidden, position_ms, position_seq FROM nodes
WHERE node_id = ? AND type = 'episodic'
"""
_VERDICTS = """
SELECT v.other, n.content, v.ruling, v.kind, v.judge, v.state, v.event_id, e.ms, e.seq FROM (
    SELECT high AS other, * FROM verdicts WHERE low = ?1 UNION ALL SELECT low, * FROM verdicts WHERE high = ?1
) v JOIN nodes n ON n.node_id = v.other JOIN events e ON e.event_id = v.event_id ORDER BY e.ms, e.seq, v.other
"""
_ADDED_AT = "SELECT position_ms, position_seq, c.job_key FROM nodes JOIN cells c USING (node_id) WHERE node_id = ?"
_BY_SOURCE = "SELECT target FROM edges WHERE kind = ? AND source = ? ORDER BY target"
_BY_TARGET = "SELECT source FROM edges WHERE kind = ? AND target = ? ORDER BY source"
_REINFORCED = "SELECT recalled_at, times FROM reinforcements WHERE node_id = ? ORDER BY recalled_at"
_CONSOLIDATED = "SELECT DISTINCT job_key FROM jobs WHERE kind = 'consolidate' AND inputs = ?"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands on the log; `quote` is what a fact takes from it. Times are UTC milliseconds."""

    node_id: str
    event_id: str
    position: Position
    content: str
    quote: str | None
    session: str
    role: str
    speaker: str | None
    source_type: str
    occurred_at: int
    recorded_at: int
    hidden: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on a fact and another one: who judged when, and the engine's outcome where an engine did."""

    other: str
    other_content: str
    ruling: str
    kind: str
    judge: str
    state: str
    event_id: str
    position: Position
    conclusion: Conclusion | None


class Reinforcement(msgspec.Struct, frozen=True):
    """That a fact was used at a time (UTC milliseconds), and in how many recalls of it."""

    at: int
    times: int


class FactStory(msgspec.Struct, frozen=True, kw_only=True):
    """Why a fact is there, and why it is as it is.

    `extraction` is None for what a person stated to the memory itself: then a request of theirs says so. `chain` holds
    all facts that verdicts tie to this one, oldest first; `supersedes` and `superseded_by` are its neighbours in it.
    """

    fact: Fact
    said: tuple[Said, ...]
    extraction: Conclusion | None
    job_key: str | None
    verdicts: tuple[Judged, ...]
    chain: tuple[Fact, ...]
    supersedes: tuple[str, ...]
    superseded_by: tuple[str, ...]
    requests: tuple[Decision, ...]
    reinforced: tuple[Reinforcement, ...]
    recalls: tuple[Recorded, ...]
    entities: tuple[str, ...]
    causes: tuple[str, ...]
    effects: tuple[str, ...]


class MessageStory(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message: the windows that hold it, the facts that were taken from it, its neighbours in time."""

    message: Said
    window: Window
    jobs: tuple[JobStory, ...]
    facts: tuple[Fact, ...]
    requests: tuple[Decision, ...]
    recalls: tuple[Recorded, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


class SceneStory(msgspec.Struct, frozen=True, kw_only=True):
    """How a topic's summary came about, and the live facts that group under it."""

    scene: Scene
    facts: tuple[Fact, ...]
    jobs: tuple[JobStory, ...]


def why(connection: apsw.Connection, node_id: str, at: int, archive: Path) -> FactStory | MessageStory:
    """The story of a node that is there, as at a time (UTC milliseconds). Raises DamagedFile for a damaged archive."""
    told = fact(connection, node_id, at)
    if told is None:
        return _message_story(connection, node_id, at, archive)
    return _fact_story(connection, told, at, archive)


def _fact_story(connection: apsw.Connection, told: Fact, at: int, archive: Path) -> FactStory:
    node_id = told.node_id
    ms, seq, job_key = connection.execute(_ADDED_AT, (node_id,)).get
    return FactStory(
        fact=told,
        said=_evidence(connection, node_id),
        extraction=_extraction(connection, archive, job_key, Position(ms, seq)),
        job_key=job_key,
        verdicts=_verdicts(connection, node_id, archive),
        chain=tuple(link.fact for link in history(connection, node_id, at)),
        supersedes=_ends(connection, _BY_SOURCE, "supersedes", node_id),
        superseded_by=_ends(connection, _BY_TARGET, "supersedes", node_id),
        requests=_requests(connection, archive, [node_id]),
        reinforced=_reinforced(connection, node_id),
        recalls=tuple(recalls_of(connection, node_id, MOST_RECALLS)),
        entities=_ends(connection, _BY_SOURCE, "entity", node_id),
        causes=_ends(connection, _BY_TARGET, "causal", node_id),
        effects=_ends(connection, _BY_SOURCE, "causal", node_id),
    )


def _evidence(connection: apsw.Connection, node_id: str) -> tuple[Said, ...]:
    quoted = [_said(connection, episode_id(one.event_id), one.quote) for one in cell_of(connection, node_id).evidence]
    return tuple(sorted(quoted, key=lambda said: (said.occurred_at, said.event_id)))


def _said(connection: apsw.Connection, node_id: str, quote: str | None = None) -> Said:
    *values, hidden, ms, seq = connection.execute(_MESSAGE, (node_id,)).get
    fields: dict[str, Any] = dict(zip(_SAID_COLUMNS, values, strict=True))
    return Said(**fields, hidden=bool(hidden), position=Position(ms, seq), quote=quote)


def _extraction(
    connection: apsw.Connection, archive: Path, job_key: str | None, added_at: Position
) -> Conclusion | None:
    """The outcome that added a cell: the one at the cell's own position."""
    found = () if job_key is None else outcomes(connection, job_key)
    added = next((outcome for outcome in found if outcome.position == added_at), None)
    return None if added is None else conclusion(archive, added)


def _verdicts(connection: apsw.Connection, node_id: str, archive: Path) -> tuple[Judged, ...]:
    rows: list[Any] = connection.execute(_VERDICTS, (node_id,)).fetchall()
    return tuple(
        Judged(
            other=other,
            other_content=content,
            ruling=ruling,
            kind=kind,
            judge=judge,
            state=state,
            event_id=event_id,
            position=Position(ms, seq),
            conclusion=_judgement(connection, archive, event_id),
        )
        for other, content, ruling, kind, judge, state, event_id, ms, seq in rows
    )


def _judgement(connection: apsw.Connection, archive: Path, event_id: str) -> Conclusion | None:
    """The outcome that judged; None where a person did."""
    job_key = connection.execute("SELECT job_key FROM outcomes WHERE event_id = ?", (event_id,)).get
    found = [] if job_key is None else outcomes(connection, job_key)
    judged = next((outcome for outcome in found if outcome.event_id == event_id), None)
    return None if judged is None else conclusion(archive, judged)


def _reinforced(connection: apsw.Connection, node_id: str) -> tuple[Reinforcement, ...]:
    rows: list[Any] = connection.execute(_REINFORCED, (node_id,)).fetchall()
    return tuple(Reinforcement(*row) for row in rows)


def _requests(connection: apsw.Connection, archive: Path, node_ids: Collection[str]) -> tuple[Decision, ...]:
    return tuple(decision for decision in decisions(connection, archive) if decision.concerns(node_ids))


def _ends(connection: apsw.Connection, sql: str, kind: str, node_id: str) -> tuple[str, ...]:
    return tuple(found for (found,) in connection.execute(sql, (kind, node_id)))


# ---- messages and topics -----------------------------------------------------------------------------------------


def _message_story(connection: apsw.Connection, node_id: str, at: int, archive: Path) -> MessageStory:
    window = window_of(connection, node_id)
    taken = _ends(connection, _BY_TARGET, "derived_from", node_id)
    return MessageStory(
        message=_said(connection, node_id),
        window=window,
        jobs=stories(connection, archive, window.jobs),
        facts=tuple(facts(connection, at, everything=True, node_ids=taken)),
        requests=_requests(connection, archive, taken),
        recalls=tuple(recalls_of(connection, node_id, MOST_RECALLS)),
        before=_ends(connection, _BY_TARGET, "temporal", node_id),
        after=_ends(connection, _BY_SOURCE, "temporal", node_id),
    )


def why_scene(connection: apsw.Connection, scene: str, at: int, archive: Path) -> SceneStory | None:
    """The story of a topic by its key, as at a time (UTC milliseconds); None when there is none of this name."""
    row = connection.execute(
        "SELECT scene, summary, cells, updated_at, stale FROM scenes WHERE scene = ?", (scene,)
    ).fetchone()
    if row is None:
        return None
    name, summary, cells, updated_at, stale = row
    key = connection.execute(_CONSOLIDATED, (msgspec.json.encode([scene]).decode(),)).get
    jobs = () if key is None else tuple(generations(connection, key))
    return SceneStory(
        scene=Scene(name, summary, cells, updated_at, bool(stale)),
        facts=tuple(facts(connection, at, scene=scene)),
        jobs=stories(connection, archive, jobs),
    )
