"""Requests that were made in talk and wait for a person: what was asked, by whom, and which facts it would touch."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.matching import Matches, matching
from mnemolog.schema.errors import InvalidInput

_SELECT = """
SELECT r.request_id, r.words, r.subject, r.state, n.event_id, n.content, n.session, n.occurred_at
FROM pending_requests r JOIN nodes n USING (node_id)
"""
_ORDER = " ORDER BY n.occurred_at, n.seq, n.event_id, r.request_id"


class PendingRequest(msgspec.Struct, frozen=True):
    """What `subject` asked in a message to have forgotten, in `words`; `state` is pending, confirmed or dismissed.

    `content` is the whole message, said at `occurred_at` (UTC milliseconds).
    """

    request_id: str
    words: str
    subject: str
    state: str
    event_id: str
    content: str
    session: str
    occurred_at: int


def requests(connection: apsw.Connection, *, everything: bool = False) -> list[PendingRequest]:
    """The requests that wait, or all there were, in order of time."""
    condition = "1" if everything else "r.state = 'pending'"
    rows: list[Any] = connection.execute(f"{_SELECT} WHERE {condition}{_ORDER}").fetchall()
    return [PendingRequest(*row) for row in rows]


def find_request(connection: apsw.Connection, prefix: str) -> PendingRequest:
    """The one request whose id begins so. Raises InvalidInput when there is none, or more than one."""
    found = [request for request in requests(connection, everything=True) if request.request_id.startswith(prefix)]
    if not prefix or len(found) != 1:
        many = "several requests begin" if prefix and found else "no request begins"
        raise InvalidInput(f"{many} with {prefix!r}: `mnemolog requests list --all` shows them")
    return found[0]


def waiting(connection: apsw.Connection) -> int:
    """How many requests wait for a person."""
    return int(connection.execute("SELECT count(*) FROM pending_requests WHERE state = 'pending'").get)


def meant(connection: apsw.Connection, request: PendingRequest, *, embedder: Embedder, now: int) -> Matches:
    """The live facts that a request would touch now: about who asked or stated by them, and no later than the request.

    Only facts are looked at, so that no request is taken for what it is about.
    """
    found = matching(connection, request.words, embedder=embedder, now=now)
    return Matches(
        tuple(fact for fact in found.meant if _is_theirs(request, fact)),
        tuple(fact for fact in found.nearest if _is_theirs(request, fact)),
    )


def _is_theirs(request: PendingRequest, fact: Fact) -> bool:
    return request.subject in (fact.subject, fact.stated_by) and fact.occurred_at <= request.occurred_at
