"""Windows: which messages of a session become one extraction job, and when.

A window closes when it is full, when its session is closed or idled, or when another session of the space begins long
enough after the session's newest message. What is said later in the session opens a new window.
"""

from __future__ import annotations

from mnemolog.schema.events import MessagePublished
from mnemolog.schema.recalled import holds_recalled
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.jobs import open_job

#: The mark of a message that waits for its window to close.
PENDING = ""

_EXTRACTABLE_ROLES = ("user", "assistant")
_EXTRACTABLE_SOURCES = ("chat", "import")


def is_extractable(payload: MessagePublished) -> bool:
    """Whether a message may make cells: not a system's or a tool's, and not what recall put there."""
    said = payload.role in _EXTRACTABLE_ROLES and payload.source_type in _EXTRACTABLE_SOURCES
    return said and not holds_recalled(payload.content)


def message_added(ctx: Context, session: str, occurred_at: int, pending: int, *, begins: bool) -> None:
    """Closes the windows that a new message closes: its own when it is full, older sessions' when it begins one.

    `pending` is how many messages of its session wait for their window, itself included.
    """
    window = ctx.policy.window
    if begins:
        quiet = ctx.rows(
            "SELECT session FROM sessions WHERE pending > 0 AND newest_at <= ? AND session != ? ORDER BY session",
            (occurred_at - window.other_session_gap_ms, session),
        )
        for (other,) in quiet:
            close(ctx, other)
    if pending >= window.messages:
        close(ctx, session)


def close(ctx: Context, session: str) -> None:
    """Turns the messages that wait in a session into an extraction job, in order of time; nothing when none waits."""
    waiting = [
        row[0]
        for row in ctx.rows(
            "SELECT node_id FROM nodes WHERE job_key = '' AND session = ? ORDER BY occurred_at, seq, event_id",
            (session,),
        )
    ]
    if not waiting:
        return
    key = open_job(ctx, "extract", waiting)
    ctx.run("UPDATE nodes SET job_key = ? WHERE job_key = '' AND session = ?", (key, session))
    ctx.run("UPDATE sessions SET pending = 0 WHERE session = ?", (session,))
