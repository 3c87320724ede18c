"""Windows: which messages of a session become one extraction job, and when.

A window closes when it is full, when its session is closed or idled, or when another session of the space begins long
enough after the session's newest message. What is said later in the session opens a new window.
"""

from __future__ import annotations

import msgspec

from mnemolog.schema.events import MessagePublished
from mnemolog.schema.ids import episode_id
from mnemolog.schema.recalled import holds_recalled
from mnemolog.workers.fold import sessions
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.jobs import open_job
from mnemolog.workers.fold.sessions import Session

_EXTRACTABLE_ROLES = ("user", "assistant")
_EXTRACTABLE_SOURCES = ("chat", "import")


def is_extractable(payload: MessagePublished) -> bool:
    """Whether a message may make cells: not a system's or a tool's, and not what recall put there."""
    said = payload.role in _EXTRACTABLE_ROLES and payload.source_type in _EXTRACTABLE_SOURCES
    return said and not holds_recalled(payload.content)


def close_others(ctx: Context, session: str, occurred_at: int) -> None:
    """Closes the windows of sessions that were quiet for long enough when another one begins."""
    quiet = ctx.rows(
        "SELECT session FROM sessions WHERE waiting != '[]' AND newest_at <= ? AND session != ? ORDER BY session",
        (occurred_at - ctx.policy.window.other_session_gap_ms, session),
    )
    for (other,) in quiet:
        close(ctx, other)


def close(ctx: Context, session: str) -> None:
    """Turns the messages that wait in a session into an extraction job; nothing when none waits."""
    open_one = sessions.read(ctx, session)
    if open_one.waiting:
        sessions.write(ctx, closed(ctx, open_one))


def closed(ctx: Context, session: Session) -> Session:
    """The session after its messages became a job, in order of time; its row is the caller's to write.

    Of messages that were erased there is nothing to extract.
    """
    waiting = [episode_id(event_id) for _, _, event_id in session.waiting]
    said = [node_id for node_id in waiting if ctx.get("SELECT 1 FROM nodes WHERE node_id = ?", (node_id,))]
    if said:
        open_job(ctx, "extract", said)
    return msgspec.structs.replace(session, waiting=())
