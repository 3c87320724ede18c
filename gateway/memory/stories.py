"""Stories: where a fact, a message or a topic comes from, and what became of it, as doors tell it."""

from __future__ import annotations

from typing import Any

import msgspec

from mnemolog.gateway.memory.facts import Fact, Scene
from mnemolog.gateway.memory.objects import PositionText, When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.jobs import Refusal
from mnemolog.projections.lines.citations import UnknownCitation, resolve
from mnemolog.projections.why import FactStory as FactFound
from mnemolog.projections.why import why as why_of
from mnemolog.projections.why import why_scene

#: As much of an engine's reply is told, in characters, unless all is asked for.
RAW_CHARS = 400


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands on the log; `quote` is what a fact takes from it."""

    node_id: str
    event_id: str
    position: PositionText
    content: str
    quote: str | None
    session: str
    role: str
    speaker: str | None
    source_type: str
    occurred_at: When
    recorded_at: When
    hidden: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine concluded: which engine, at which cost, whether it counts, and what of it was refused."""

    event_id: str
    position: PositionText
    generation: int
    engine: str
    model: str
    prompt_version: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    accepted: bool
    refused: tuple[Refusal, ...]


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, how many milliseconds it took, and the engine's reply, None where the archive has it no more."""

    outcome: Outcome
    took_ms: int | None
    raw: str | None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be concluded: `made_at` is where the log made it due.

    `deadline` (UTC milliseconds) is when the last of its `attempts` is over.
    """

    job_key: str
    generation: int
    kind: str
    state: str
    reason: str
    inputs: tuple[str, ...]
    made_at: PositionText
    attempts: int
    deadline: int | None


class JobStory(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of a job, and what came back for it, in the log's order."""

    job: Job
    conclusions: tuple[Conclusion, ...]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message is on its way to an engine: the state of its newest job, or why it has none."""

    state: str
    why: str
    jobs: tuple[Job, ...]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on a fact and another one: who judged when, and the engine's outcome where an engine did."""

    other: str
    other_content: str
    ruling: str
    kind: str
    judge: str
    state: str
    event_id: str
    position: PositionText
    conclusion: Conclusion | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked of the memory: `node_ids` are the facts that it names, `stated` those in its text."""

    event_id: str
    kind: str
    at: When
    position: PositionText
    node_ids: tuple[str, ...]
    stated: tuple[str, ...]
    text: str | None
    speaker: str | None
    ruling: str | None


class Reinforcement(msgspec.Struct, frozen=True):
    """That a fact was used at a time, and in how many recalls of it."""

    at: When
    times: int


class AnswerLine(msgspec.Struct, frozen=True):
    """A line of a recorded answer: its kind, the node or the key of the scene that it told, and numbers."""

    kind: str
    id: str
    detail: tuple[int, ...]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recall in the recall log: what was asked when, of which time, with which options, and what was told.

    `query` is empty where its text was not kept; `message` is the node that was the query, if it was one.
    """

    recall_id: str
    event_id: str
    asked_at: When
    about: When
    kind: str
    query: str
    query_chars: int
    query_hash: str
    message: str | None
    position: PositionText
    options: dict[str, Any]
    lines: tuple[AnswerLine, ...]
    digest: str
    reinforces: bool


class FactStory(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="fact"):
    """Why a fact is there, and why it is as it is.

    `extraction` is None for what a person stated to the memory itself: then one of the `requests` says so. `chain`
    holds all facts that verdicts tie to this one, oldest first; `supersedes` and `superseded_by` are its neighbours.
    """

    fact: Fact
    said: tuple[Said, ...]
    extraction: Conclusion | None
    job_key: str | None
    verdicts: tuple[Judged, ...]
    chain: tuple[Fact, ...]
    supersedes: tuple[str, ...]
    superseded_by: tuple[str, ...]
    requests: tuple[Request, ...]
    reinforced: tuple[Reinforcement, ...]
    recalls: tuple[Recorded, ...]
    entities: tuple[str, ...]
    causes: tuple[str, ...]
    effects: tuple[str, ...]


class MessageStory(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="message"):
    """What became of a message: the jobs that read it, the facts that were taken from it, its neighbours in time."""

    message: Said
    window: Window
    jobs: tuple[JobStory, ...]
    facts: tuple[Fact, ...]
    requests: tuple[Request, ...]
    recalls: tuple[Recorded, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


class SceneStory(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="scene"):
    """How a topic's summary came about, and the live facts that group under it."""

    scene: Scene
    facts: tuple[Fact, ...]
    jobs: tuple[JobStory, ...]


Story = FactStory | MessageStory | SceneStory


def story(place: Place, node: str, at: int) -> Story:
    """The story of what a citation, or the key of a topic, names, as at a time (UTC milliseconds).

    Raises UnknownCitation and AmbiguousCitation, and DamagedFile for a damaged archive.
    """
    archive = place.settings.archive
    with place.reader() as connection, read_transaction(connection):
        try:
            found = why_of(connection, resolve(connection, node), at, archive)
        except UnknownCitation:
            scene = why_scene(connection, node, at, archive)
            if scene is None:
                raise
            return told(SceneStory, scene)
    return told(FactStory, found) if isinstance(found, FactFound) else told(MessageStory, found)


def shortened(found: Story) -> Story:
    """The same with engines' replies cut."""
    return msgspec.convert(_shortened(msgspec.to_builtins(found)), type(found))


def cut(raw: str) -> str:
    """An engine's reply, cut where it is long."""
    return raw if len(raw) <= RAW_CHARS else f"{raw[:RAW_CHARS]}… ({len(raw)} characters: --full shows all)"


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: cut(item) if name == "raw" and isinstance(item, str) else _shortened(item)
            for name, item in value.items()
        }
    return [_shortened(item) for item in value] if isinstance(value, (list, tuple)) else value
