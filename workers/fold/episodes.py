"""Episodes: messages as they were said, and the temporal edges between those of a session, in order of time."""

from __future__ import annotations

import msgspec

from mnemolog.projections import fulltext
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.ids import episode_id
from mnemolog.workers.fold import windows
from mnemolog.workers.fold.context import Context

SALIENCE = 0.5
CONFIDENCE = 1.0

_canonical = msgspec.json.Encoder(order="sorted")


class Episode(msgspec.Struct, frozen=True):
    """A message ready to be stored. `job_key` None: no engine may extract from it; '': it waits for its window."""

    content: str
    session: str
    role: str
    speaker: str | None
    source_type: str
    metadata: str | None
    occurred_at: int
    utc_offset_min: int
    seq: int
    job_key: str | None


def message_published(ctx: Context, payload: MessagePublished, at: int) -> None:
    """Adds a message, links it to its neighbours in time, and closes the windows that it closes."""
    _ = ctx.policy  # raises before anything is written when there is no space
    seq = next((value for value in (payload.seq, payload.line) if value is not None), 0)
    episode = Episode(
        content=payload.content,
        session=payload.session,
        role=payload.role,
        speaker=payload.speaker,
        source_type=payload.source_type,
        metadata=_canonical.encode(payload.metadata).decode("utf-8") if payload.metadata else None,
        occurred_at=at if payload.occurred_at is None else payload.occurred_at,
        utc_offset_min=payload.utc_offset_min,
        seq=seq,
        job_key=windows.PENDING if windows.is_extractable(payload) else None,
    )
    messages, pending = add(ctx, episode)
    windows.message_added(ctx, episode.session, episode.occurred_at, pending, begins=messages == 1)


def add(ctx: Context, episode: Episode) -> tuple[int, int]:
    """Stores an episode with its full text, its edges and its session's counts.

    Gives how many messages the session has now, and how many of them wait for their window.
    """
    node_id = episode_id(ctx.event_id)
    before, after = _neighbours(ctx, episode)
    _insert(ctx, node_id, episode)
    _link(ctx, before, (node_id, episode.occurred_at), after)
    return _count(ctx, episode)


def _insert(ctx: Context, node_id: str, episode: Episode) -> None:
    # A producer's clock is believed up to a day ahead of the log's.
    valid_from = min(episode.occurred_at, ctx.now + ctx.policy.caps.future_ms)
    ctx.run(
        "INSERT INTO nodes (node_id, type, content, salience, session, role, speaker, source_type, metadata, "
        "occurred_at, utc_offset_min, seq, event_id, valid_from, confidence, access_count, last_accessed, "
        "decay_rate, hidden, job_key, recorded_at, position_ms, position_seq) "
        "VALUES (?, 'episodic', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0.0, 0, ?, ?, ?, ?)",
        (
            node_id,
            episode.content,
            SALIENCE,
            episode.session,
            episode.role,
            episode.speaker,
            episode.source_type,
            episode.metadata,
            episode.occurred_at,
            episode.utc_offset_min,
            episode.seq,
            ctx.event_id,
            valid_from,
            CONFIDENCE,
            max(valid_from, ctx.now),
            episode.job_key,
            ctx.now,
            *ctx.position,
        ),
    )
    fulltext.add(ctx.connection, ctx.connection.last_insert_rowid(), episode.content, None, None)


def _neighbours(ctx: Context, episode: Episode) -> tuple[str | None, tuple[str, int] | None]:
    """The node before a place in a session's order, and the node after it with its time."""
    place = (episode.session, episode.occurred_at, episode.seq, ctx.event_id)
    before = ctx.get(
        "SELECT node_id FROM nodes WHERE type = 'episodic' AND session = ? "
        "AND (occurred_at, seq, event_id) < (?, ?, ?) ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT 1",
        place,
    )
    after = ctx.get(
        "SELECT node_id, occurred_at FROM nodes WHERE type = 'episodic' AND session = ? "
        "AND (occurred_at, seq, event_id) > (?, ?, ?) ORDER BY occurred_at, seq, event_id LIMIT 1",
        place,
    )
    return before, after


def _link(ctx: Context, before: str | None, node: tuple[str, int], after: tuple[str, int] | None) -> None:
    if before and after:
        ctx.run("DELETE FROM edges WHERE kind = 'temporal' AND source = ? AND target = ?", (before, after[0]))
    if before:
        _add_edge(ctx, before, *node)
    if after:
        _add_edge(ctx, node[0], *after)


def _add_edge(ctx: Context, source: str, target: str, target_occurred_at: int) -> None:
    ctx.run("INSERT INTO edges VALUES ('temporal', ?, ?, ?, NULL, 1.0)", (source, target, target_occurred_at))


def _count(ctx: Context, episode: Episode) -> tuple[int, int]:
    ctx.run(
        "INSERT INTO sessions VALUES (?1, 1, ?3, ?2, ?2, NULL, ?4, ?5) ON CONFLICT (session) DO UPDATE SET "
        "messages = messages + 1, pending = pending + ?3, opened_at = min(ifnull(opened_at, ?2), ?2), "
        "newest_at = max(ifnull(newest_at, ?2), ?2), last_event = ?4, last_recorded_at = ?5",
        (episode.session, episode.occurred_at, int(episode.job_key == windows.PENDING), ctx.event_id, ctx.now),
    )
    # Not RETURNING: it costs four times as much as this.
    counted: tuple[int, int] = ctx.get("SELECT messages, pending FROM sessions WHERE session = ?", (episode.session,))
    return counted


def session_closed(ctx: Context, session: str, closed_at: int) -> None:
    """Notes a session's end, and closes its window."""
    _ = ctx.policy
    ctx.run(
        "INSERT INTO sessions VALUES (?1, 0, 0, NULL, NULL, ?2, NULL, NULL) ON CONFLICT (session) DO UPDATE SET "
        "closed_at = max(ifnull(closed_at, ?2), ?2)",
        (session, closed_at),
    )
    windows.close(ctx, session)
