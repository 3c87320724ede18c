"""What changes a memory: publishing, and what is asked of the memory itself."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.folding import Folded
from mnemolog.gateway.http.bodies import Batch, Closing, Event, Forget, Repeatable, Stating, given
from mnemolog.gateway.http.operation import Call
from mnemolog.gateway.http.problems import INVALID, TOO_LARGE, Refused
from mnemolog.gateway.http.speaking import check_event_id, check_session, check_unbound, spoken, stated_by
from mnemolog.gateway.memory import Memory
from mnemolog.gateway.memory.forgetting import Forgetting
from mnemolog.gateway.memory.publishing import Published


class Accepted(Published, frozen=True):
    """What was acknowledged, and whether the writer has folded it; None where nobody waited for that."""

    folded: bool | None = None


class AcceptedBatch(msgspec.Struct, frozen=True):
    """What was acknowledged, in the order of the batch, and whether the writer has folded all of it."""

    events: tuple[Published, ...]
    folded: bool | None = None


def publish(memory: Memory, call: Call) -> Accepted:
    """Publishes one interaction."""
    body: Event = call.body
    return _accepted(memory.publish(spoken(call.caller, body)))


def publish_batch(memory: Memory, call: Call) -> AcceptedBatch:
    """Publishes interactions in order. Raises Refused for too many."""
    body: Batch = call.body
    if len(body.events) > call.options.max_batch:
        raise Refused(TOO_LARGE, f"a batch has at most {call.options.max_batch:,} events")
    ids = [event.event_id for event in body.events if event.event_id is not None]
    if len(ids) != len(set(ids)):
        raise Refused(INVALID, "an event id stands twice in the batch")
    return AcceptedBatch(memory.publish_many([spoken(call.caller, event) for event in body.events]))


def close_session(memory: Memory, call: Call) -> Accepted:
    """Says that a session is over."""
    body: Closing = call.body
    session = call.path["session"]
    check_session(call.caller, session)
    check_event_id(call.caller, body.event_id)
    return _accepted(memory.close_session(session, occurred_at=body.occurred_at, event_id=body.event_id))


def remember(memory: Memory, call: Call) -> Folded:
    """Has something remembered as it is said."""
    body: Stating = call.body
    check_event_id(call.caller, body.event_id)
    stated = given(body, "speaker", "text")
    return memory.remember(body.text, speaker=stated_by(call.caller, body.speaker), wait_s=_wait_s(call), **stated)


def correct(memory: Memory, call: Call) -> Folded:
    """Says what is true instead of a fact that never was."""
    body: Stating = call.body
    check_unbound(call.caller)
    return memory.correct(call.path["node"], wait_s=_wait_s(call), **given(body))


def confirm(memory: Memory, call: Call) -> Folded:
    """Pins a fact."""
    body: Repeatable = call.body
    check_unbound(call.caller)
    return memory.confirm(call.path["node"], event_id=body.event_id, wait_s=_wait_s(call))


def unpin(memory: Memory, call: Call) -> Folded:
    """Takes a confirmation back."""
    body: Repeatable = call.body
    check_unbound(call.caller)
    return memory.unpin(call.path["node"], event_id=body.event_id, wait_s=_wait_s(call))


def unsupersede(memory: Memory, call: Call) -> Folded:
    """Says that a fact still holds beside those that took its place."""
    body: Repeatable = call.body
    check_unbound(call.caller)
    return memory.unsupersede(call.path["node"], event_id=body.event_id, wait_s=_wait_s(call))


def forget(memory: Memory, call: Call) -> Forgetting:
    """Retires facts, or says which it would."""
    body: Forget = call.body
    check_unbound(call.caller)
    return memory.forget(wait_s=_wait_s(call), **given(body))


def _accepted(published: Published) -> Accepted:
    return Accepted(**msgspec.structs.asdict(published))


def _wait_s(call: Call) -> float:
    return min(call.query.wait_s, call.options.wait_s) if call.query.wait else 0.0
