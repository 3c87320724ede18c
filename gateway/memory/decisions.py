"""What waits for a person's decision: verdicts that were held, and requests that were made in talk."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.folding import Folded
from mnemolog.gateway.memory.axes import now_ms
from mnemolog.gateway.memory.facts import Fact
from mnemolog.gateway.memory.forgetting import Forgetting, Hidden, Plan, outcome, plan_of
from mnemolog.gateway.memory.objects import When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.requests import Manner, send
from mnemolog.producers.requests import reviewed
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import find_fact
from mnemolog.projections.pending import PendingRequest, find_request, meant
from mnemolog.projections.pending import requests as requests_in
from mnemolog.projections.verdicts import PairOfFacts
from mnemolog.projections.verdicts import verdicts as verdicts_in
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.requests import RequestDismissed


class TalkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `subject` asked in a message to have forgotten, in `words`; `state` is pending, confirmed or dismissed.

    `content` is the whole message; `facts` are those that the request would touch now, while it waits.
    """

    request_id: str
    words: str
    subject: str
    state: str
    event_id: str
    content: str
    session: str
    occurred_at: When
    facts: tuple[str, ...]


class Confirmed(Forgetting, frozen=True, kw_only=True):
    """What a request in talk is to have forgotten, and what became of it."""

    request_id: str


class Asked(msgspec.Struct, frozen=True):
    """A request in talk, and the facts that it would touch now."""

    request: PendingRequest
    facts: tuple[Fact, ...]

    def answer(self) -> TalkRequest:
        """The same for JSON."""
        return told(TalkRequest, self.request, facts=[fact.node_id for fact in self.facts])


def verdicts(place: Place, *, everything: bool = False) -> tuple[PairOfFacts, ...]:
    """The verdicts that wait for a person, or all there are."""
    with place.reader() as connection:
        return tuple(verdicts_in(connection, everything=everything))


def review(place: Place, nodes: tuple[str, ...], manner: Manner, *, approved: bool) -> tuple[Folded, int]:
    """Brings the verdicts that wait into force, or rejects them: those about all of some facts, or simply all.

    Gives how many there were, too. Raises InvalidInput where none waits.
    """
    with place.reader() as connection, read_transaction(connection):
        named = {find_fact(connection, node) for node in nodes}
        pairs = [(pair.first, pair.second) for pair in verdicts_in(connection) if named <= {pair.first, pair.second}]
    if not pairs:
        raise InvalidInput("no verdict waits there: see `mnemolog verdicts list`")
    return send(place, reviewed(pairs, approved=approved), manner), len(pairs)


def requests(place: Place, *, everything: bool = False) -> tuple[Asked, ...]:
    """The requests in talk that wait, with the facts that each would touch, or all there were."""
    with place.reader() as connection:
        return tuple(
            Asked(
                request,
                tuple(
                    told(Fact, fact)
                    for fact in meant(connection, request, embedder=place.embedder(), now=now_ms()).meant
                )
                if request.state == "pending"
                else (),
            )
            for request in requests_in(connection, everything=everything)
        )


def plan_of_request(place: Place, prefix: str) -> tuple[PendingRequest, Plan]:
    """The request whose id begins so, and what it would have forgotten, its own message included."""
    with place.reader() as connection:
        request = find_request(connection, prefix)
        planned = plan_of(connection, meant(connection, request, embedder=place.embedder(), now=now_ms()))
    own = Hidden(request.event_id, request.subject, request.content)
    return request, msgspec.structs.replace(planned, hides=(*planned.hides, own))


def confirmed(request: PendingRequest, planned: Plan, done: Folded | None) -> Confirmed:
    """What a request would touch, and what became of it."""
    fields = msgspec.structs.asdict(outcome(planned, done))
    return Confirmed(request_id=request.request_id, **fields)


def dismiss(place: Place, prefix: str, manner: Manner) -> tuple[Folded, PendingRequest]:
    """Closes a request in talk without forgetting anything. Raises InvalidInput for one that is closed already."""
    with place.reader() as connection:
        request = find_request(connection, prefix)
    if request.state != "pending":
        raise InvalidInput(f"request {request.request_id} is {request.state} already")
    return send(place, RequestDismissed(request=request.request_id), manner), request
