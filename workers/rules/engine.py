"""The engine: messages in, cells out. Pure: no clock, no network, no state between calls."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mnemolog.schema.cells import MAX_CAUSES, MAX_SENTENCE_CHARS, Cell, Evidence
from mnemolog.workers.rules import (
    assertions,
    corrections,
    decisions,
    foreign,
    gates,
    language,
    patterns,
    replies,
    requests,
    routines,
)
from mnemolog.workers.rules.builder import build
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.messages import Context, Extraction, ForgetRequest, Message
from mnemolog.workers.rules.subjects import Speaker
from mnemolog.workers.rules.text import MASK, Sentence, expand, sentences

#: The longest message that is read: more is a pasted text, and nobody's talk.
MAX_MESSAGE_CHARS = 8_000

_FOCUS = patterns.one("focus")
_EXPLAINED = frozenset({"risk", "decision"})


class _Talk(msgspec.Struct):
    """What has been read so far: by session the assistant's open question and the project, by speaker the language."""

    context: Context
    people: frozenset[str]
    cells: list[Cell] = msgspec.field(default_factory=list)
    earlier: list[Cell] = msgspec.field(default_factory=list)
    forget: list[ForgetRequest] = msgspec.field(default_factory=list)
    questions: dict[str, tuple[Message, Sentence]] = msgspec.field(default_factory=dict)
    projects: dict[str, str] = msgspec.field(default_factory=dict)
    tongues: dict[str, str] = msgspec.field(default_factory=dict)
    unknown: int = 0


def extract(messages: Sequence[Message], context: Context | None = None) -> Extraction:
    """The cells of messages in their order; `context` is what is known already.

    Only what users say makes cells. A message in a language nobody here reads makes none and is counted.
    """
    known = context or Context()
    speakers = frozenset(message.subject for message in messages if message.role == "user")
    talk = _Talk(context=known, people=speakers | frozenset(known.people))
    for message in messages:
        if message.role in {"user", "assistant"} and len(message.content) <= MAX_MESSAGE_CHARS:
            question = talk.questions.pop(message.session, None)
            if message.role == "user":
                _hear(message, talk, question)
            else:
                _keep_question(message, talk)
    return Extraction(tuple(talk.cells), tuple(talk.forget), talk.unknown)


def _keep_question(message: Message, talk: _Talk) -> None:
    """An assistant's question, to which a plain "yes" may follow."""
    said = sentences(message.content)
    if said and said[-1].asks and language.detect(message.content) == "en":
        talk.questions[message.session] = (message, said[-1])


def _hear(message: Message, talk: _Talk, question: tuple[Message, Sentence] | None) -> None:
    tongue = language.detect(message.content, talk.tongues.get(message.subject, "en"))
    if tongue is None:
        talk.unknown += not message.read
        return
    talk.tongues[message.subject] = tongue
    # A sentence that is too long to be quoted in a cell is pasted text.
    said = [sentence for sentence in sentences(message.content) if len(sentence.quote) <= MAX_SENTENCE_CHARS]
    if question and said and replies.agrees(said[0].text):
        _agree(message, said[0], question, talk)
    if tongue == "en":
        _read_english(message, said, talk)
        return
    for sentence in said:
        if not sentence.asks:
            for draft in foreign.read(sentence.text, message.subject, tongue):
                _keep(draft, message, sentence.quote, tongue, talk)


def _read_english(message: Message, said: Sequence[Sentence], talk: _Talk) -> None:
    if gates.invents(message.content):
        return
    speaker = Speaker(message.subject, None, talk.people)
    for sentence in said:
        plain = expand(sentence.text)
        for draft in _drafts(plain, sentence, speaker, message, talk):
            _keep(draft, message, sentence.quote, "en", talk)
        focus = _FOCUS.search(plain)
        if focus:
            speaker = msgspec.structs.replace(speaker, focus=focus["name"])


def _drafts(plain: str, sentence: Sentence, speaker: Speaker, message: Message, talk: _Talk) -> list[Draft]:
    """What an English sentence asks of the memory, or asserts."""
    forgotten = requests.forgotten(plain)
    if forgotten is not None:
        if MASK in forgotten:
            forgotten = requests.forgotten(sentence.quote) or sentence.quote
        if not message.read:
            evidence = Evidence(message.event_id, sentence.quote)
            talk.forget.append(ForgetRequest(forgotten, message.subject, evidence))
        return []
    if sentence.asks or gates.asks(plain):
        return []
    correction = requests.corrected(sentence.text)
    if correction is not None:
        return corrections.correct(*correction, speaker, (*talk.context.facts, *talk.earlier, *talk.cells))
    project = talk.projects.get(message.session)
    remembered = requests.remembered(plain)
    if remembered is None:
        return assertions.read(plain, speaker, project)
    found = assertions.read(remembered, speaker, project) or assertions.note(remembered, speaker)
    return [msgspec.structs.replace(draft, salience=1.0, basis="requested") for draft in found]


def _agree(message: Message, answer: Sentence, question: tuple[Message, Sentence], talk: _Talk) -> None:
    """A plain "yes" to what the assistant asked: cells that quote both."""
    asked, sentence = question
    said = replies.turned(sentence.text)
    speaker = Speaker(message.subject, None, talk.people)
    for draft in decisions.decision(said, speaker) or assertions.read_clauses(said, speaker):
        _keep(draft, message, answer.quote, "en", talk, Evidence(asked.event_id, sentence.quote))


def _keep(draft: Draft, message: Message, quote: str, tongue: str, talk: _Talk, *more: Evidence) -> None:
    """Makes the cell of a draft, after the cells of its reason, unless the sentence has said it already."""
    cell = build(draft, message, quote, tongue, talk.context.scenes)
    if cell.slot == "works_on":
        talk.projects[message.session] = cell.object
    if message.read:
        talk.earlier.append(cell)
        return
    if any(_repeats(cell, other) for other in talk.cells):
        return
    causes = _keep_reason(draft, message, quote, tongue, talk, cell.scene) if draft.cause else ()
    talk.cells.append(msgspec.structs.replace(cell, causes=causes, evidence=(*cell.evidence, *more)))


def _keep_reason(draft: Draft, message: Message, quote: str, tongue: str, talk: _Talk, scene: str) -> tuple[int, ...]:
    """Keeps the reason of a draft as cells of its own, and says where they stand."""
    speaker = Speaker(message.subject, None, talk.people)
    reasons = assertions.read_clauses(draft.cause, speaker)
    if not reasons and draft.cell_type in _EXPLAINED:
        stated = routines.cause_of(draft.cause.strip(" .!"), speaker)
        reasons = [msgspec.structs.replace(stated, scene=scene)] if stated else []
    start = len(talk.cells)
    talk.cells.extend(build(reason, message, quote, tongue, talk.context.scenes) for reason in reasons[:MAX_CAUSES])
    return tuple(range(start, len(talk.cells)))


def _repeats(cell: Cell, other: Cell) -> bool:
    """Whether two cells of one sentence say the same."""
    return other.evidence[0] == cell.evidence[0] and _said(cell) == _said(other)


def _said(cell: Cell) -> tuple[object, ...]:
    return cell.subject, cell.slot, cell.object, cell.polarity, cell.modality, cell.holds_from, cell.holds_until
