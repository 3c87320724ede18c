"""Why something is in the memory, told in little: who said it, who read it, what was decided, what replaced what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mnemolog.gateway.mcp_server.answers import NOTE, Known, known, plain
from mnemolog.gateway.mcp_server.texts import marked
from mnemolog.gateway.memory.stories import Conclusion, FactStory, Judged, MessageStory, Request, Story
from mnemolog.gateway.memory.stories import Said as Message


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message; `quote` is what a fact takes from it."""

    id: str
    said_by: str
    said_at: str
    session: str
    text: str
    quote: str | None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fact, a message or a topic comes from.

    `said` are the messages that say it, `read_by` is the engine that read them, `facts` those that were taken from a
    message or stand in a topic, `decided` what was judged and what people asked, `told` how often it was told.
    """

    note: str = NOTE
    kind: str
    id: str
    text: str
    status: str
    said: tuple[Said, ...] = ()
    read_by: str = ""
    facts: tuple[Known, ...] = ()
    decided: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    superseded_by: tuple[str, ...] = ()
    told: int = 0


def explained(story: Story) -> Explained:
    """The story of a fact, a message or a topic."""
    if isinstance(story, FactStory):
        return _fact(story)
    if isinstance(story, MessageStory):
        return _message(story)
    return Explained(
        kind="topic",
        id=plain(story.scene.scene),
        text=plain(story.scene.summary),
        status="stale" if story.scene.stale else "up to date",
        facts=tuple(map(known, story.facts)),
    )


def of_explained(answer: Explained) -> str:
    """The same as text."""
    return marked(_lines(answer))


def said(message: Message) -> Said:
    """A message."""
    return Said(
        id=message.node_id,
        said_by=plain(message.speaker or message.role),
        said_at=message.occurred_at,
        session=plain(message.session),
        text=plain(message.content),
        quote=None if message.quote is None else plain(message.quote),
    )


def _fact(story: FactStory) -> Explained:
    return Explained(
        kind=story.fact.cell_type,
        id=story.fact.node_id,
        text=plain(story.fact.content),
        status=story.fact.status,
        said=tuple(map(said, story.said)),
        read_by="a person stated it" if story.extraction is None else _engine(story.extraction),
        facts=tuple(known(fact) for fact in story.chain if fact.node_id != story.fact.node_id),
        decided=(*map(_judged, story.verdicts), *map(_asked, story.requests)),
        instead_of=story.supersedes,
        superseded_by=story.superseded_by,
        told=len(story.recalls),
    )


def _message(story: MessageStory) -> Explained:
    conclusions = [one for job in story.jobs for one in job.conclusions]
    return Explained(
        kind="message",
        id=story.message.node_id,
        text=plain(story.message.content),
        status="hidden" if story.message.hidden else story.window.state,
        said=(said(story.message),),
        read_by=_engine(conclusions[-1]) if conclusions else story.window.why,
        facts=tuple(map(known, story.facts)),
        decided=tuple(map(_asked, story.requests)),
        told=len(story.recalls),
    )


def _engine(conclusion: Conclusion) -> str:
    outcome = conclusion.outcome
    return " ".join(filter(None, (outcome.engine, outcome.model)))


def _judged(verdict: Judged) -> str:
    state = "" if verdict.state == "in_force" else f" ({verdict.state})"
    return f"{verdict.judge}: {verdict.ruling} with [{verdict.other}] {plain(verdict.other_content)}{state}"


def _asked(request: Request) -> str:
    text = f": {plain(request.text)}" if request.text else ""
    return f"{request.at} {request.kind}{text}"


def _lines(answer: Explained) -> Iterator[str]:
    yield f"[{answer.id}] {answer.text} ({answer.kind}; {answer.status})"
    yield from _under("Said:", [f"[{one.id}] {one.said_by}, {one.said_at}: {one.text}" for one in answer.said])
    if answer.read_by:
        yield f"Read by: {answer.read_by}"
    yield from _under("Decided:", answer.decided)
    yield from _under("Took the place of:", answer.instead_of)
    yield from _under("Superseded by:", answer.superseded_by)
    yield from _under("Facts with it:", [f"[{fact.id}] {fact.text} ({fact.status})" for fact in answer.facts])
    yield f"Told in {answer.told} recorded answers."


def _under(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  {line}" for line in lines)
