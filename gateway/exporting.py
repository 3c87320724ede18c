"""Exports for people: a memory as Markdown to read, or as JSON lines for programs.

What was remembered is text: in Markdown it can make no heading, link, picture, HTML or code, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import apsw
import msgspec

from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.memory.objects import as_object
from mnemolog.projections.exports import SaidMessage, ToldFact, Topic, plans, said, topics
from mnemolog.projections.integrity import position_of
from mnemolog.schema.times import show

_encoder = msgspec.json.Encoder()
#: What means something inside a line of CommonMark or of GitHub's; and what makes addresses into links.
_INSIDE = re.compile(r"([\\`*_\[\]<>#|~&$!{}])|(?<=http)(:)|(?<=https)(:)|(?<=ftp)(:)|(?<=www)(\.)|(@)", re.IGNORECASE)
#: What means something at the beginning of a line: lists, rules, and underlines of headings.
_FIRST = re.compile(r"^(?:([-+=])|(\d{1,9})([.)]))")
_NO_ADDRESS = "&#64;"


def escaped(text: str) -> str:
    """Memory text as one line of Markdown that shows just these words."""
    line = " ".join(shown(text).split())
    marked = _INSIDE.sub(lambda found: _NO_ADDRESS if found[0] == "@" else f"\\{found[0]}", line)
    return _FIRST.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", marked)


def markdown(connection: apsw.Connection, space: str, at: int) -> Iterator[str]:
    """A memory as it was at a time (UTC milliseconds), in pieces of Markdown: topics, plans, what was said.

    The caller spans it with a read transaction.
    """
    yield f"# Memory {escaped(space)}\n\nAs of {show(at)}. Names such as ce-1f0c can be asked about: `mnemolog why`.\n"
    yield "\n## Topics\n"
    for topic in topics(connection, at):
        yield from _topic(topic)
    waiting = plans(connection, at)
    if waiting:
        yield "\n## Plans\n\n"
        yield from map(_plan, waiting)
    yield "\n## Timeline\n\n"
    session = None
    for message in said(connection, at):
        if message.session != session:
            session = message.session
            yield f"### {show(message.occurred_at)[:10]} · {escaped(session)}\n\n"
        yield _message(message)


def json_lines(connection: apsw.Connection, space: str, at: int) -> Iterator[str]:
    """The same as JSON, an object a line; `kind` is memory, scene, fact or message. Times are ISO 8601 in UTC."""
    yield _line("memory", {"space": space, "position": str(position_of(connection)), "as_of": show(at), "version": 1})
    for topic in topics(connection, at):
        counts = {"live": len(topic.live), "past": len(topic.past)}
        yield _line("scene", {"scene": topic.scene, "summary": topic.summary, **counts})
        for told in (*topic.live, *topic.past):
            yield _line("fact", {**as_object(told.fact), "sources": as_object(told.sources)})
    for message in said(connection, at):
        yield _line("message", as_object(message))


def _line(kind: str, value: dict[str, object]) -> str:
    return _encoder.encode({"kind": kind, **value}).decode() + "\n"


def _topic(topic: Topic) -> Iterator[str]:
    yield f"\n### {escaped(topic.scene)}\n\n"
    if topic.summary:
        yield f"{escaped(topic.summary)}\n\n"
    for told in topic.live:
        yield f"- {escaped(told.fact.content)}{_source(told)}\n"
    if topic.past:
        yield f"{chr(10) if topic.live else ''}Not so any more:\n\n"
        yield from map(_past, topic.past)


def _source(told: ToldFact) -> str:
    """Since when, who said it and where, and the short name of a fact; on a line of its own below it."""
    fact = told.fact
    parts = [f"since {show(fact.since)[:10]}"]
    if told.sources:
        first = told.sources[0]
        who = escaped(first.speaker) if first.speaker else "said"
        parts.append(f"{who} in {escaped(first.session)}, {show(first.occurred_at)[:10]}")
    if fact.note:
        parts.append(escaped(fact.note))
    return f"  \n  *{' · '.join((*parts, fact.node_id))}*"


def _past(told: ToldFact) -> str:
    fact = told.fact
    until = f" to {show(fact.valid_until)[:10]}" if fact.valid_until is not None else ""
    then = f", then: {escaped(told.replaced_by)}" if told.replaced_by else ""
    return f"- {escaped(fact.content)}  \n  *{fact.status} · {show(fact.since)[:10]}{until}{then} · {fact.node_id}*\n"


def _plan(told: ToldFact) -> str:
    due = f"{show(told.fact.due)[:10]}: " if told.fact.due is not None else ""
    return f"- {due}{escaped(told.fact.content)}{_source(told)}\n"


def _message(message: SaidMessage) -> str:
    """A message as a paragraph; its lines stay lines."""
    lines = [escaped(line) for line in message.content.splitlines() if line.strip()]
    who = escaped(message.speaker or message.role)
    return "  \n".join((f"**{who}** {show(message.occurred_at)[11:16]}", *lines)) + "\n\n"
