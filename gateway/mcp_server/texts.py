"""The answers of the tools as text for models and people; what is from the memory stands between the usual markers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from mnemolog.gateway.mcp_server.answers import (
    Done,
    Forgotten,
    Found,
    InContext,
    Known,
    Listed,
    Logged,
    Message,
    Recalled,
    Said,
    Topic,
)
from mnemolog.projections.lines.rendering import head
from mnemolog.schema.recalled import BEGIN, END

NOTHING = "Nothing relevant is in the memory."


def marked(lines: Iterable[str], nothing: str = NOTHING) -> str:
    """Lines of memory as data; without one, that there is nothing."""
    told = list(lines)
    return "\n".join([BEGIN, head(time.time_ns() // 1_000_000), *told, END]) if told else nothing


def of_recalled(answer: Recalled) -> str:
    """The results of a search."""
    return marked(_found(one) for one in answer.results)


def of_context(answer: InContext) -> str:
    """A context, which is marked already."""
    return answer.text or NOTHING


def of_listed(answer: Listed) -> str:
    """A page of facts."""
    more = f"\nThere are more: call again with after={answer.next!r}." if answer.next else ""
    return marked(map(_known, answer.facts), "There are no such facts.") + more


def of_said(answer: Said) -> str:
    """A page of messages."""
    more = f"\nThere are earlier ones: call again with before={answer.next!r}." if answer.next else ""
    return marked((line for one in answer.messages for line in _said(one)), "Nothing was said.") + more


def of_topics(topics: Iterable[Topic]) -> str:
    """Topics with their summaries."""
    return marked(_topics(topics), "There are no topics yet.")


def of_done(answer: Done) -> str:
    """What became of a request."""
    lines = ["Done." if answer.counts else f"Published as {answer.event_id}: {answer.why_not}"]
    lines += [f"[{fact.id}] {fact.text}" for fact in answer.facts]
    lines += [f"Not taken over: {reason}" for reason in answer.refused]
    return "\n".join(lines)


def of_logged(answer: Logged) -> str:
    """What was published."""
    return f"Published as {answer.event_id} in session {answer.session}."


def of_forgotten(answer: Forgotten) -> str:
    """What was forgotten, or would be."""
    told = "Forgotten:" if answer.forgotten else "This would be forgotten:"
    shown = [told, *map(_known, answer.facts)] if answer.facts else []
    hidden = ["Messages hidden with it:", *answer.hides] if answer.hides else []
    near = ["Near:", *map(_known, answer.nearest)] if answer.nearest else []
    lines = [*shown, *hidden, *near]
    return f"{answer.what_now}\n{marked(lines)}" if lines else answer.what_now


def _found(one: Found) -> str:
    notes = [one.kind, f"{one.said_by or 'somebody'}, {one.said_at}"]
    if one.kind != "message":
        notes += [f"since {one.since[:10]}"] if one.since else []
        notes += [f"until {one.until[:10]}"] if one.until else []
        notes += [f"before that: {text}" for text in one.instead_of]
    return f"[{one.id}] {one.text} ({'; '.join(notes)})"


def _said(one: Message) -> Iterator[str]:
    yield f"[{one.id}] {one.said_at} {one.said_by}, in {one.session}: {one.text}"
    yield from (f"  [{fact.id}] {fact.text}" for fact in one.facts)


def _known(fact: Known) -> str:
    notes = [f"{fact.kind} about {fact.subject}", f"topic {fact.scene}", f"since {fact.since[:10]}"]
    notes += [f"until {fact.until[:10]}"] if fact.until else []
    notes += [f"due {fact.due[:10]}"] if fact.due else []
    if fact.status != "live":
        notes.append(f"superseded by {fact.superseded_by}" if fact.status == "superseded" else fact.status)
    notes += [f"said by {fact.said_by}"] if fact.said_by else []
    notes += ["confirmed"] if fact.pinned else [f"confidence {fact.confidence:.2f}"]
    return f"[{fact.id}] {fact.text} ({'; '.join(notes)})"


def _topics(topics: Iterable[Topic]) -> Iterator[str]:
    for topic in topics:
        yield f"{topic.scene} ({topic.facts} facts{', changed since' if topic.stale else ''}): {topic.summary or '-'}"
