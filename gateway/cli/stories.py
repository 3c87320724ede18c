"""The lines in which the story of a fact, a message or a topic is told to people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mnemolog.gateway.cli.facts import as_line
from mnemolog.gateway.cli.telling import short, shown
from mnemolog.gateway.memory.facts import Fact
from mnemolog.gateway.memory.stories import (
    RAW_CHARS,
    Conclusion,
    FactStory,
    JobStory,
    Judged,
    MessageStory,
    Recorded,
    Request,
    Said,
    SceneStory,
    Story,
    cut,
)
from mnemolog.schema.ids import Position
from mnemolog.schema.times import show

#: As many recalls are shown, unless all are asked for.
RECALLS_SHOWN = 10
_STATES = {
    "not_extractable": "no engine reads it",
    "open": "waits for its window to close",
    "due": "waits for an engine to read it",
    "failed": "the engine that was to read it failed",
    "done": "was read by an engine",
    "void": "what an engine read in it was called off",
}


def lines_of(story: Story, *, full: bool) -> Iterator[str]:
    """A story, line by line; texts and engines' replies in full, or cut where they are long."""
    if isinstance(story, FactStory):
        return _fact_lines(story, full=full)
    if isinstance(story, MessageStory):
        return _message_lines(story, full=full)
    return _scene_lines(story, full=full)


def _under(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A title and indented lines; nothing where there are none."""
    told = list(lines)
    if told:
        yield title
        yield from (f"  {line}" for line in told)


def _fact_lines(story: FactStory, *, full: bool) -> Iterator[str]:
    yield shown(as_line(story.fact))
    yield from _under("said", (_said(said, full=full) for said in story.said))
    if story.extraction is not None:
        yield from _under("extracted", _conclusion(story.extraction, full=full))
    yield from _under("verdicts", (line for verdict in story.verdicts for line in _verdict(verdict)))
    yield from _under("replaced", story.supersedes)
    yield from _under("replaced by", story.superseded_by)
    yield from _under("history", map(_fact, story.chain if len(story.chain) > 1 else ()))
    yield from _under("caused by", story.causes)
    yield from _under("brought about", story.effects)
    yield from _under("names", map(short, story.entities))
    yield from _under("asked by people", map(_request, story.requests))
    yield from _recalls(story.recalls, full=full)


def _message_lines(story: MessageStory, *, full: bool) -> Iterator[str]:
    message, window = story.message, story.window
    yield _said(message, full=full)
    yield f"  event {short(message.event_id)} at {message.position}, recorded {message.recorded_at}"
    yield f"  session {short(message.session)}, {message.role}, from {message.source_type}"
    if message.hidden:
        yield "  hidden, because a fact that was taken from it was forgotten"
    yield f"  {_STATES[window.state]}" + (f": {short(window.why)}" if window.why else "")
    yield from _under("read", _jobs(story.jobs, full=full))
    yield from _under("facts taken from it", map(_fact, story.facts))
    yield from _under("asked by people", map(_request, story.requests))
    yield from _under("said before it", story.before)
    yield from _under("said after it", story.after)
    yield from _recalls(story.recalls, full=full)


def _scene_lines(story: SceneStory, *, full: bool) -> Iterator[str]:
    scene = story.scene
    yield f"{short(scene.scene)}  ({scene.cells} live facts{', summary is stale' if scene.stale else ''})"
    yield f"  {short(scene.summary) or 'no summary yet'}"
    yield from _under("summed up", _jobs(story.jobs, full=full))
    yield from _under("live facts", map(_fact, story.facts))


def _fact(fact: Fact) -> str:
    return short(as_line(fact), 400)


def _said(said: Said, *, full: bool) -> str:
    text = said.content if said.quote is None else said.quote
    told = shown(text) if full else short(text)
    return f"{said.node_id}  {said.occurred_at}  {short(said.speaker or said.role)}: “{told}”"


def _conclusion(conclusion: Conclusion, *, full: bool) -> Iterator[str]:
    outcome = conclusion.outcome
    engine = " ".join(filter(None, (outcome.engine, outcome.model)))
    prompt = f", prompt {outcome.prompt_version}" if outcome.prompt_version else ""
    refused = "" if outcome.accepted else ", came too late and was refused"
    yield f"{_recorded_at(outcome.position)}  by {short(engine)}{short(prompt)}{refused}"
    took = "" if conclusion.took_ms is None else f" in {conclusion.took_ms} ms"
    tokens = f"{outcome.calls} calls, {outcome.tokens_in} + {outcome.tokens_out} tokens, ${outcome.cost_usd:.4f}"
    yield f"{tokens}{took}; event {short(outcome.event_id)} at {outcome.position}"
    if conclusion.raw is None:
        yield "the archive does not have the reply any more"
    elif conclusion.raw:
        yield f"reply: {shown(conclusion.raw) if full else short(cut(conclusion.raw), 2 * RAW_CHARS)}"
    for refusal in outcome.refused:
        yield f"refused ({refusal.reason}): {short(refusal.detail)}"


def _verdict(verdict: Judged) -> Iterator[str]:
    state = "" if verdict.state == "in_force" else f" [{verdict.state}]"
    kind = f" ({short(verdict.kind)})" if verdict.kind else ""
    by = verdict.judge
    if verdict.conclusion is not None:
        outcome = verdict.conclusion.outcome
        by = " ".join(filter(None, (verdict.judge, short(outcome.engine), short(outcome.model))))
    yield f"{_recorded_at(verdict.position)}  {by}: {verdict.ruling}{kind} with {verdict.other}{state}"
    yield f"    {short(verdict.other_content)}; event {short(verdict.event_id)} at {verdict.position}"


def _jobs(jobs: Sequence[JobStory], *, full: bool) -> Iterator[str]:
    for story in jobs:
        job = story.job
        reason = f": {short(job.reason)}" if job.reason else ""
        yield f"job {job.job_key[:12]}, generation {job.generation}, {job.state}{reason}"
        for conclusion in story.conclusions:
            yield from (f"  {line}" for line in _conclusion(conclusion, full=full))


def _recorded_at(position: str) -> str:
    return show(Position.parse(position).ms)


def _request(decision: Request) -> str:
    who = f" by {short(decision.speaker)}" if decision.speaker else ""
    text = f": “{short(decision.text)}”" if decision.text else ""
    return f"{decision.at}  {decision.kind}{who}{text}  (event {short(decision.event_id)})"


def _recalls(recalls: Sequence[Recorded], *, full: bool) -> Iterator[str]:
    told = recalls if full else recalls[:RECALLS_SHOWN]
    lines = [f"{one.asked_at}  {one.recall_id}  {one.kind}: {short(one.query) or '(not kept)'}" for one in told]
    if len(recalls) > len(told):
        lines.append(f"… and {len(recalls) - len(told)} more: --full shows them")
    return _under("told by", lines)
