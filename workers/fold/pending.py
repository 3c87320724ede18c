"""Requests in talk, in the fold: what somebody asked to have forgotten waits until a person confirms or dismisses it.

Nothing is forgotten because an engine read so: it may have misread, and what it read may be a trap.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from mnemolog.schema.ids import episode_id
from mnemolog.schema.outcomes import ForgetWish
from mnemolog.schema.quotes import is_quote_of
from mnemolog.schema.requests import RequestDismissed
from mnemolog.workers.fold.context import Context, Unfoldable


def request_id(event_id: str, words: str) -> str:
    """The id of a request: `rq-` and 20 hexadecimal digits derived from its message's event id and its words."""
    return "rq-" + blake2b(f"{event_id}\x1f{words}".encode(), digest_size=10).hexdigest()


def ask(ctx: Context, wishes: Iterable[ForgetWish], messages: frozenset[str]) -> None:
    """Keeps what was asked in one of the messages (node ids); what does not hold up is refused and recorded."""
    for wish in wishes:
        reason = _objection(ctx, wish, messages)
        if reason:
            ctx.refuse(reason, f"to forget {wish.words!r}, as asked in {wish.event_id!r}")
        else:
            ctx.run(
                "INSERT INTO pending_requests VALUES (?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING",
                (request_id(wish.event_id, wish.words), episode_id(wish.event_id), wish.subject, wish.words),
            )


def _objection(ctx: Context, wish: ForgetWish, messages: frozenset[str]) -> str:
    """Why a wish is not kept, in one word; empty when it is."""
    node_id = episode_id(wish.event_id)
    found = ctx.get("SELECT content, role FROM nodes WHERE node_id = ? AND type = 'episodic'", (node_id,))
    if found is None or node_id not in messages:
        return "unknown_message"
    content, role = found
    if not is_quote_of(wish.quote, content):
        return "not_quoted"
    if role != "user":
        return "not_said_by_a_person"
    decided = "SELECT 1 FROM pending_requests WHERE node_id = ? AND state != 'pending' LIMIT 1"
    # Whoever reads the message again may put it in other words.
    return "decided_by_a_person" if ctx.get(decided, (node_id,)) else ""


def check(ctx: Context, name: str) -> None:
    """Raises Unfoldable where there is no request of this id."""
    if ctx.get("SELECT 1 FROM pending_requests WHERE request_id = ?", (name,)) is None:
        raise Unfoldable("no_request", f"there is no request {name}")


def confirm(ctx: Context, name: str) -> None:
    """Closes a request whose facts were forgotten, and hides its message, which tells what they said."""
    ctx.run("UPDATE pending_requests SET state = 'confirmed' WHERE request_id = ?", (name,))
    ctx.run(
        "UPDATE nodes SET hidden = 1 WHERE node_id = (SELECT node_id FROM pending_requests WHERE request_id = ?)",
        (name,),
    )


def request_dismissed(ctx: Context, payload: RequestDismissed) -> None:
    """Closes a request without doing what it asks. Raises Unfoldable where it does not wait."""
    ctx.run(
        "UPDATE pending_requests SET state = 'dismissed' WHERE request_id = ? AND state = 'pending'", (payload.request,)
    )
    if not ctx.connection.changes():
        raise Unfoldable("no_request", f"no request {payload.request} waits")
