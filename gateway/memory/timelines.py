"""Sessions, and what was said in them with the facts that were taken from it, as doors tell them."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.facts import Fact
from mnemolog.gateway.memory.objects import When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reading import transaction
from mnemolog.gateway.memory.scope import bounded
from mnemolog.projections.sessions import session_page
from mnemolog.projections.timeline import Span
from mnemolog.projections.timeline import timeline as timeline_in

#: The most sessions or messages of a page.
MOST_OF_A_PAGE = 200


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation: when its first and its last message were said, how many there are, and who speaks.

    `waiting` of them are in a window that is still open. `closed_at` is when it was last said to be over, None where it
    never was.
    """

    session: str
    first_at: When
    last_at: When
    messages: int
    waiting: int
    speakers: tuple[str, ...]
    closed_at: When | None


class Sessions(msgspec.Struct, frozen=True):
    """A page of sessions, the newest first; `next` is the cursor of the page that follows, None at the end."""

    sessions: tuple[Session, ...]
    next: str | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said, and the facts that were taken from it; `hidden` where one of them was forgotten."""

    node_id: str
    event_id: str
    session: str
    role: str
    speaker: str | None
    content: str
    source_type: str
    occurred_at: When
    recorded_at: When
    hidden: bool
    facts: tuple[Fact, ...]


class Timeline(msgspec.Struct, frozen=True):
    """A page of messages, the newest first; `next` is the cursor of those that are earlier, None where none are."""

    messages: tuple[Message, ...]
    next: str | None


def sessions(place: Place, axes: Axes, limit: int, after: str | None) -> Sessions:
    """At most `limit` sessions that had begun by the time asked about, behind the one that `after` names."""
    bounded("limit", limit, MOST_OF_A_PAGE)
    with transaction(place, axes) as connection:
        page = session_page(connection, axes.at, limit=limit, after=after)
    return Sessions(tuple(told(Session, session) for session in page.sessions), page.after)


def timeline(place: Place, axes: Axes, span: Span, limit: int) -> Timeline:
    """At most `limit` messages of a span that had been said by the time asked about."""
    bounded("limit", limit, MOST_OF_A_PAGE)
    with transaction(place, axes) as connection:
        page = timeline_in(connection, axes.at, span, limit=limit)
    return Timeline(tuple(told(Message, entry) for entry in page.entries), page.before)
