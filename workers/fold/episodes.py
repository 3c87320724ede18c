"""Episodes: messages as they were said, and the temporal edges between those of a session, in order of time."""

from __future__ import annotations

import msgspec

from mnemolog.projections.indexes import fulltext
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.ids import episode_id
from mnemolog.workers.fold import sessions, windows
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.sessions import Place, Session

SALIENCE = 0.5
CONFIDENCE = 1.0

_canonical = msgspec.json.Encoder(order="sorted")


class Episode(msgspec.Struct, frozen=True):
    """A message ready to be stored. One that is `extractable` waits for its window to close."""

    content: str
    session: str
    role: str
    speaker: str | None
    source_type: str
    metadata: str | None
    occurred_at: int
    utc_offset_min: int
    seq: int
    extractable: bool


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
        extractable=windows.is_extractable(payload),
    )
    if add(ctx, episode):
        windows.close_others(ctx, episode.session, episode.occurred_at)


def add(ctx: Context, episode: Episode) -> bool:
    """Stores an episode with its full text and its edges, and closes its window when that is full.

    Gives whether it is the first of its session.
    """
    node_id = episode_id(ctx.event_id)
    place = (episode.occurred_at, episode.seq, ctx.event_id)
    session = sessions.read(ctx, episode.session)
    before, after = _neighbours(ctx, session, place)
    _insert(ctx, node_id, episode)
    _link(ctx, before, (node_id, episode.occurred_at), after)
    grown = session.with_message(place, ctx.now, waits=episode.extractable)
    if len(grown.waiting) >= ctx.policy.window.messages:
        grown = windows.closed(ctx, grown)
    sessions.write(ctx, grown)
    return not session.messages


def _insert(ctx: Context, node_id: str, episode: Episode) -> None:
    # A producer's clock is believed up to a day ahead of the log's.
    valid_from = min(episode.occurred_at, ctx.now + ctx.policy.caps.future_ms)
    ctx.run(
        "INSERT INTO nodes (node_id, type, content, salience, session, role, speaker, source_type, metadata, "
        "occurred_at, utc_offset_min, seq, event_id, valid_from, confidence, access_count, last_accessed, "
        "decay_rate, hidden, extractable, recorded_at, position_ms, position_seq) "
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
            int(episode.extractable),
            ctx.now,
            *ctx.position,
        ),
    )
    fulltext.add(ctx.connection, ctx.connection.last_insert_rowid(), episode.content, None, None)


def _neighbours(ctx: Context, session: Session, place: Place) -> tuple[str | None, tuple[str, int] | None]:
    """The node before a place in a session's order, and the node after it with its time."""
    if session.newest is None:
        return None, None
    if place > session.newest and session.newest[2]:
        return episode_id(session.newest[2]), None
    before = ctx.get(
        "SELECT node_id FROM nodes WHERE type = 'episodic' AND session = ? "
        "AND (occurred_at, seq, event_id) < (?, ?, ?) ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT 1",
        (session.session, *place),
    )
    after = ctx.get(
        "SELECT node_id, occurred_at FROM nodes WHERE type = 'episodic' AND session = ? "
        "AND (occurred_at, seq, event_id) > (?, ?, ?) ORDER BY occurred_at, seq, event_id LIMIT 1",
        (session.session, *place),
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


def session_closed(ctx: Context, session: str, closed_at: int) -> None:
    """Notes a session's end, and closes its window."""
    _ = ctx.policy
    ended = sessions.read(ctx, session)
    latest = closed_at if ended.closed_at is None else max(ended.closed_at, closed_at)
    sessions.write(ctx, windows.closed(ctx, msgspec.structs.replace(ended, closed_at=latest)))
