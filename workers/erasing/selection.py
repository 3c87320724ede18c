"""Selection: what becomes of every entry of a log when something is erased, as bytes that take the place of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, singledispatchmethod
from typing import Any

import apsw
import msgspec

from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import EntryErased, OutcomesVoided, erased_id
from mnemolog.schema.events import Event, Payload, SessionClosed
from mnemolog.schema.ids import MAX_STREAM_PART, Position
from mnemolog.schema.outcomes import Outcome
from mnemolog.schema.recalls import recall_id
from mnemolog.schema.requests import (
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    JobRequeued,
    NodePayload,
    NodesRecalled,
    RequestDismissed,
    SessionIdled,
    Statement,
    VerdictGiven,
    VerdictsReviewed,
)
from mnemolog.workers.erasing.finding import Found, find
from mnemolog.workers.erasing.following import Following, Gone
from mnemolog.workers.erasing.matching import Asked, Matching, texts_in
from mnemolog.workers.erasing.recalled import Recalled
from mnemolog.workers.erasing.statements import without_words
from mnemolog.workers.erasing.stubs import Stubs, cells_in

END = Position(MAX_STREAM_PART, MAX_STREAM_PART)

_REQUEST_OF = "SELECT request_id, node_id FROM pending_requests"
_JOBS = "SELECT job_key, inputs FROM jobs WHERE kind = 'extract'"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What goes. `bodies` are what takes the place of entries, at their positions; the rest tells what that is.

    `messages` and `facts` are node ids, `again` the facts that are derived again from what is left, `recalls` the ids
    of recalls that lose what they asked and told, `requests` the entries of decisions that lose their object,
    `replies` those of outcomes that lose their recorded reply only.
    """

    bodies: dict[Position, bytes]
    messages: tuple[str, ...]
    statements: int
    facts: tuple[str, ...]
    again: tuple[str, ...]
    scenes: tuple[str, ...]
    outcomes: tuple[Position, ...]
    replies: tuple[Position, ...]
    recalls: tuple[str, ...]
    requests: tuple[Position, ...]
    others_said: int


def select(
    connection: apsw.Connection,
    log: Callable[[], Iterable[Entry]],
    asked: Sequence[Asked],
    tick: Callable[[], None] = lambda: None,
) -> Selection:
    """What some erasures take away. The file is the fold of the log up to the last of them, or to its end.

    `tick` is called now and then. Raises DamagedFile for an archive that does not add up.
    """
    salt = str(connection.execute("SELECT salt FROM space").get)
    found = find(log(), Matching(salt, asked), tick)
    gone = Following(connection, found, min(one.before for one in asked)).follow()
    return _Selecting(connection, salt, found, gone).selection()


class _Selecting:
    def __init__(self, connection: apsw.Connection, salt: str, found: Found, gone: Gone) -> None:
        self._connection = connection
        self._found = found
        self._gone = gone
        self._stubs = Stubs(connection, salt, found.gone_sessions)
        self._recalled = Recalled(salt, found, gone)
        rows: list[Any] = connection.execute(_REQUEST_OF).fetchall()
        self._lost_requests = {request for request, node_id in rows if self._is_read_again(node_id)}
        self._bodies: dict[Position, bytes] = {}
        self._recalls: list[str] = []
        self._requests: list[Position] = []

    def _is_read_again(self, node_id: str) -> bool:
        """Whether what was asked in a message goes with the outcome that found it."""
        return node_id in self._found.nodes or node_id in self._messages_read_again

    @cached_property
    def _messages_read_again(self) -> set[str]:
        return {
            node_id
            for key, inputs in self._connection.execute(_JOBS)
            if key in self._gone.windows
            for node_id in msgspec.json.decode(inputs, type=list[str])
        }

    def selection(self) -> Selection:
        tainted = [entry.position for entry in self._found.unknown if self._is_made_of_it(entry.body)]
        for position in (*self._found.unreadable, *tainted):
            self._bodies[position] = self._stubs.unreadable(position)
        for position, event in self._found.erased.items():
            self._bodies[position] = self._erased(position, event)
        for position, event in self._found.others:
            body = self._left(event.payload, position, event)
            if body is not None:
                self._bodies[position] = body
        known = {node_id for (node_id,) in self._connection.execute("SELECT node_id FROM nodes")}
        facts = self._gone.facts.keys() & known
        statements = sum(isinstance(event.payload, Statement) for event in self._found.erased.values())
        taken = [at for at, event in self._found.erased.items() if isinstance(event.payload, Outcome)]
        return Selection(
            bodies=self._bodies,
            messages=tuple(sorted(self._found.nodes & known)),
            statements=statements,
            facts=tuple(sorted(facts & self._gone.lost)),
            again=tuple(sorted(facts - self._gone.lost)),
            scenes=tuple(sorted(self._gone.scenes)),
            outcomes=tuple(sorted({*self._gone.stubbed, *taken})),
            replies=tuple(sorted(self._gone.redacted)),
            recalls=tuple(self._recalls),
            requests=tuple(self._requests),
            others_said=sum(self._found.kept_beside.get(name, 0) for name in self._found.touched),
        )

    def _is_made_of_it(self, body: bytes) -> bool:
        """Whether an entry that is no event names an erased message, or has words that only those had."""
        texts = set(texts_in(body))
        return not self._found.events.isdisjoint(texts) or self._gone.tells(body.decode("utf-8", "replace"))

    # ---- what is erased ----------------------------------------------------------------------------------------

    def _erased(self, position: Position, event: Event) -> bytes:
        payload = event.payload
        if isinstance(payload, SessionIdled):
            return self._idled(position, payload)
        if isinstance(payload, NodesRecalled):
            self._recalls += [recall_id(event.id, number) for number in range(len(payload.answers))]
        if isinstance(payload, FactCorrected):
            # What was never true does not come back because the words that said so are gone.
            return self._stubs.of(position, event, **self._still_forgotten(position, (payload.node_id,), None))
        return self._stubs.of(position, event)

    def _still_forgotten(self, position: Position, node_ids: Sequence[str], request: str | None) -> dict[str, object]:
        gone = cells_in(self._gone, node_ids)
        names = [node_id for node_id, _ in gone]
        return {
            "forgotten": tuple(node_id for node_id in node_ids if node_id not in self._gone.facts),
            "decided": self._stubs.decided(position, gone),
            "hidden": self._stubs.hidden(names, request, self._found.nodes),
        }

    def _idled(self, position: Position, payload: SessionIdled) -> bytes:
        """The same of a session without its name, or after a message without its id."""
        place = self._found.places.get(payload.last_event)
        last = payload.last_event if place is None else erased_id(place)
        return self._stubs.encoded(
            position, SessionIdled(session=self._stubs.session(payload.session), last_event=last)
        )

    # ---- what is left of the rest ------------------------------------------------------------------------------

    @singledispatchmethod
    def _left(self, payload: Payload, position: Position, event: Event) -> bytes | None:
        """What takes the place of an event that is not named itself; None where it stays as it is."""
        return None

    def _without_object(self, position: Position, event: Event, **left: object) -> bytes:
        self._requests.append(position)
        return self._stubs.of(position, event, **left)

    def _rewritten(self, event: Event, payload: Payload) -> bytes:
        return encode(event.id, event.at, payload)

    @_left.register
    def _(self, payload: Outcome, position: Position, event: Event) -> bytes | None:
        if position in self._gone.stubbed:
            return self._stubs.of(position, event)
        left = self._gone.redacted.get(position)
        return None if left is None else self._rewritten(event, left)

    @_left.register
    def _(self, payload: OutcomesVoided, position: Position, event: Event) -> bytes | None:
        if not self._gone.tells(payload.reason):
            return None
        return self._rewritten(event, msgspec.structs.replace(payload, reason=""))

    @_left.register
    def _(self, payload: EntryErased, position: Position, event: Event) -> bytes | None:
        name = self._stubs.session(payload.session) if payload.session else payload.session
        if name == payload.session:
            return None
        return self._rewritten(event, msgspec.structs.replace(payload, session=name))

    @_left.register
    def _(self, payload: SessionClosed, position: Position, event: Event) -> bytes | None:
        return self._stubs.of(position, event) if payload.session in self._found.gone_sessions else None

    @_left.register
    def _(self, payload: SessionIdled, position: Position, event: Event) -> bytes | None:
        concerned = payload.session in self._found.gone_sessions or payload.last_event in self._found.places
        return self._idled(position, payload) if concerned else None

    @_left.register
    def _(self, payload: NodesRecalled, position: Position, event: Event) -> bytes | None:
        left, blank = self._recalled.left(payload)
        self._recalls += [recall_id(event.id, number) for number in blank]
        return None if left == payload else self._rewritten(event, left)

    @_left.register
    def _(self, payload: FactCorrected, position: Position, event: Event) -> bytes | None:
        gone = cells_in(self._gone, (payload.node_id,))
        left = without_words(payload, self._gone)
        if not gone:
            return None if left == payload else self._rewritten(event, left)
        self._requests.append(position)
        stated = FactRemembered(
            text=left.text,
            speaker=left.speaker,
            occurred_at=left.occurred_at,
            utc_offset_min=left.utc_offset_min,
            cells=left.cells,
            decided=self._stubs.decided(position, gone),
        )
        return self._rewritten(event, stated)

    @_left.register
    def _(self, payload: FactRemembered, position: Position, event: Event) -> bytes | None:
        left = without_words(payload, self._gone)
        return None if left == payload else self._rewritten(event, left)

    @_left.register
    def _(self, payload: FactsForgotten, position: Position, event: Event) -> bytes | None:
        if not cells_in(self._gone, payload.node_ids) and payload.request not in self._lost_requests:
            return None
        left = self._still_forgotten(position, payload.node_ids, payload.request)
        return self._without_object(position, event, **left)

    @_left.register
    def _(self, payload: NodePayload, position: Position, event: Event) -> bytes | None:
        return self._without_object(position, event) if payload.node_id in self._gone.facts else None

    @_left.register
    def _(self, payload: VerdictGiven, position: Position, event: Event) -> bytes | None:
        gone = self._gone.facts
        return self._without_object(position, event) if payload.first in gone or payload.second in gone else None

    @_left.register
    def _(self, payload: VerdictsReviewed, position: Position, event: Event) -> bytes | None:
        left = tuple(pair for pair in payload.pairs if self._gone.facts.keys().isdisjoint(pair))
        if left == payload.pairs:
            return None
        if not left:
            return self._without_object(position, event)
        return self._rewritten(event, msgspec.structs.replace(payload, pairs=left))

    @_left.register
    def _(self, payload: RequestDismissed, position: Position, event: Event) -> bytes | None:
        return self._without_object(position, event) if payload.request in self._lost_requests else None

    @_left.register
    def _(self, payload: JobRequeued, position: Position, event: Event) -> bytes | None:
        inputs = self._connection.execute("SELECT inputs FROM jobs WHERE job_key = ? LIMIT 1", (payload.job_key,)).get
        named = set() if inputs is None else set(msgspec.json.decode(inputs, type=list[str]))
        gone = self._found.nodes | self._gone.facts.keys()
        return None if gone.isdisjoint(named) else self._without_object(position, event)
