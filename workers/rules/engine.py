"""The engine: messages in, cells out. Pure: no clock, no network, no state between calls."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Cell, Evidence
from mnemolog.workers.rules import (
    claims,
    dates,
    decisions,
    deeds,
    english,
    foreign,
    language,
    lexicon,
    patterns,
    reading,
    requests,
    routines,
    wording,
)
from mnemolog.workers.rules.builder import build
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker
from mnemolog.workers.rules.messages import Context, Extraction, ForgetRequest, Message
from mnemolog.workers.rules.text import MASK, Sentence, clauses, expand, sentences

#: The longest message that is read: more is a pasted text, and nobody's talk.
MAX_MESSAGE_CHARS = 8_000

_YES = re.compile(
    r"(?:yes|yep|yeah|yup|correct|right|exactly|sure|indeed|that is right|that is correct|of course|ja|sí|si|genau|是的?|对)"
    r"(?:[,.! ]+(?:please|yes|that is right|that is correct|correct|exactly|right|i do|i am|do that|please do|we do|we will|let us do that|go ahead|sounds good|that is true))*[.! ]*$",
    re.IGNORECASE,
)
_TAG = re.compile(
    r",? (?:right|correct|is it not|is that right|is that correct|don't you|aren't you|do you not|are you not|yes|no)\?*$",
    re.IGNORECASE,
)
_PROPOSAL = re.compile(
    r"^(?:(?:so|and|ok(?:ay)?|got it|just to confirm|to confirm|if i understand correctly|should i (?:note|remember|save|store)(?: down)? that|shall i (?:note|remember|save|store) that"
    r"|do you want me to (?:note|remember) that|am i right that|is it (?:right|correct|true) that|can i note that|i understand that|did you say(?: that)?|you said(?: that)?)[,:]? )*",
    re.IGNORECASE,
)
_FOCUS = patterns.one("focus")


class _Talk(msgspec.Struct):
    """What has been read so far, in order."""

    context: Context
    people: frozenset[str]
    cells: list[Cell] = msgspec.field(default_factory=list)
    forget: list[ForgetRequest] = msgspec.field(default_factory=list)
    proposals: dict[str, tuple[Message, Sentence]] = msgspec.field(default_factory=dict)
    projects: dict[str, str] = msgspec.field(default_factory=dict)
    tongues: dict[str, str] = msgspec.field(default_factory=dict)
    unknown: int = 0


def extract(messages: Sequence[Message], context: Context | None = None) -> Extraction:
    """The cells of messages in their order; `context` is what is known already.

    Only what users say makes cells. A message in a language nobody here reads makes none and is counted.
    """
    given = context or Context()
    speakers = {message.subject for message in messages if message.role == "user"}
    talk = _Talk(context=given, people=frozenset(given.people) | speakers)
    for message in messages:
        if message.role == "assistant":
            _propose(message, talk)
        elif message.role == "user" and len(message.content) <= MAX_MESSAGE_CHARS:
            _hear(message, talk)
            talk.proposals.pop(message.session, None)
    return Extraction(tuple(talk.cells), tuple(talk.forget), talk.unknown)


def _propose(message: Message, talk: _Talk) -> None:
    """Keeps an assistant's question, to which a plain "yes" may follow."""
    talk.proposals.pop(message.session, None)
    said = sentences(message.content)
    if said and said[-1].asks and language.detect(message.content) == "en":
        talk.proposals[message.session] = (message, said[-1])


def _hear(message: Message, talk: _Talk) -> None:
    usual = talk.tongues.get(message.subject, "en")
    tongue = language.detect(message.content, usual)
    if tongue is None:
        talk.unknown += not message.read
        return
    talk.tongues[message.subject] = tongue
    said = sentences(message.content)
    if tongue == "en":
        _english(message, said, talk)
    elif not message.read:
        for sentence in said:
            if not sentence.asks and not sentence.text.startswith("¿"):
                for draft in foreign.read(sentence.text, message.subject, tongue):
                    _keep(draft, message, sentence.quote, tongue, talk)


def _english(message: Message, said: list[Sentence], talk: _Talk) -> None:
    if english.FICTION.search(message.content):
        return
    speaker = Speaker(message.subject, None, talk.people)
    if said and message.session in talk.proposals and _YES.match(expand(said[0].text)):
        _agree(message, said[0], talk)
    for sentence in said:
        plain = expand(sentence.text)
        for draft in _sentence(plain, sentence, speaker, message, talk):
            _keep(draft, message, sentence.quote, "en", talk)
        focus = _FOCUS.search(plain)
        if focus:
            speaker = msgspec.structs.replace(speaker, focus=focus["name"])


def _sentence(plain: str, sentence: Sentence, speaker: Speaker, message: Message, talk: _Talk) -> list[Draft]:
    what = requests.forgotten(plain)
    if what is not None:
        if not message.read:
            talk.forget.append(ForgetRequest(what, message.subject, Evidence(message.event_id, sentence.quote)))
        return []
    if sentence.asks or english.asks(plain):
        return []
    correction = requests.corrected(sentence.text)
    if correction is not None:
        return _correct(*correction, speaker, talk)
    remembered = requests.remembered(plain)
    if remembered is not None:
        return _remember(remembered, speaker, message, talk)
    return _assertions(plain, speaker, message, talk)


def _assertions(plain: str, speaker: Speaker, message: Message, talk: _Talk) -> list[Draft]:
    """What a declarative sentence asserts: the special statements first, then the frames clause by clause."""
    bare = english.unfilled(plain)
    report = english.reported(bare, speaker)
    if report is not None and not report[0]:
        opinion = claims.opinion(bare, speaker)
        return [opinion] if opinion else []
    if report is not None:
        bare, speaker = report
    else:
        special = _special(bare, speaker, message, talk)
        if special:
            return special
    return _clauses(bare, speaker)


def _special(plain: str, speaker: Speaker, message: Message, talk: _Talk) -> list[Draft]:
    draft = routines.procedure(plain.strip(" .!"), speaker) or routines.risk(plain.strip(" .!"), speaker)
    if draft is not None:
        return [draft]
    draft = claims.requirement(plain, talk.projects.get(message.session))
    if draft is not None:
        return [draft]
    if MASK in plain or english.HYPOTHETICAL.search(plain):
        return []
    draft = deeds.task(plain, speaker) or claims.opinion(plain, speaker)
    if draft is not None:
        return [draft]
    decided = decisions.decision(plain, speaker)
    if decided:
        return decided
    draft = deeds.done(plain, speaker)
    return [draft] if draft else []


def _clauses(plain: str, speaker: Speaker) -> list[Draft]:
    if english.HYPOTHETICAL.search(plain):
        return []
    effect, cause = routines.split_cause(plain)
    found: list[Draft] = []
    inherited = None
    for text in clauses(effect):
        mine = reading.possessive(text, speaker)
        clause = None if mine else english.parse(text, speaker, inherited=inherited)
        read = mine or (reading.read(clause) if clause else [])
        found += [msgspec.structs.replace(draft, content=_project(draft, text, speaker)) for draft in read]
        inherited = clause
        if clause and clause.others and "'s " not in clause.subject:
            speaker = msgspec.structs.replace(speaker, focus=clause.subject)
    found = _until_next(found)
    if cause and found:
        found[-1] = msgspec.structs.replace(found[-1], cause=cause)
    return found


def _until_next(found: list[Draft]) -> list[Draft]:
    """ "I used to live in Munich but moved to Berlin last month": what is over was over when the next began."""
    begun = {
        draft.slot: draft.phrases for draft in found if draft.starts and draft.phrases and draft.modality == "asserted"
    }
    return [
        msgspec.structs.replace(draft, phrases=tuple(msgspec.structs.replace(phrase, part="before") for phrase in begun[draft.slot]))
        if draft.closed and not draft.phrases and draft.slot in begun else draft
        for draft in found
    ]  # fmt: skip


def _project(draft: Draft, text: str, speaker: Speaker) -> str | None:
    """What somebody works on is told in their own words, which say more than its name."""
    return wording.third_person(text.strip(" .!"), speaker.subject) if draft.slot == "works_on" else draft.content


def _remember(what: str, speaker: Speaker, message: Message, talk: _Talk) -> list[Draft]:
    found = _assertions(what, speaker, message, talk)
    if not found and not english.HYPOTHETICAL.search(what) and MASK not in what:
        phrases, _ = dates.find(what, "en")
        note = Draft(
            subject=speaker.subject,
            slot="note",
            object=lexicon.normal(what)[:200],
            content=wording.third_person(what.strip(" ."), speaker.subject),
            phrases=phrases,
        )
        found = [note]
    return [msgspec.structs.replace(draft, salience=1.0, basis="requested") for draft in found]


def _correct(new: str, old: str, speaker: Speaker, talk: _Talk) -> list[Draft]:
    """ "I meant C, not B": the latest cell about B, said again about C."""
    wrong = lexicon.normal(re.sub(r"^(?:at|in|on|for|to|with) ", "", old))
    known = [*talk.context.facts, *talk.cells]
    earlier = next((cell for cell in reversed(known) if cell.subject == speaker.subject and cell.object == wrong), None)
    stated = _clauses(f"{new}.", speaker) if " " in new else []
    if stated:
        return [msgspec.structs.replace(draft, ends=wrong, correction=True) for draft in stated[:1]]
    shown = lexicon.bare(re.sub(r"^(?:at|in|on|for|to|with) ", "", new))
    if not shown or len(shown.split()) > 5 or len(wrong.split()) > 5:
        return []
    right = lexicon.normal(shown)
    name = wording.shown_name(speaker.subject, "en")
    if earlier is None or earlier.slot is None:
        value = lexicon.find(shown)
        slot = f"preferred_{value.classes[0]}" if value and value.kind == "tool" else ""
        return [
            Draft(
                subject=speaker.subject,
                slot=slot,
                object=right,
                shown=shown,
                ends=wrong,
                correction=True,
                content=f"{name} meant {shown}, not {lexicon.bare(old)}",
                cell_type="fact",
            )
        ]
    return [
        Draft(
            subject=speaker.subject,
            slot=earlier.slot,
            object=right,
            shown=shown,
            ends=wrong,
            correction=True,
            cell_type=earlier.cell_type,
            modality=earlier.modality,
            polarity=earlier.polarity,
        )
    ]


def _agree(message: Message, answer: Sentence, talk: _Talk) -> None:
    """A plain "yes" to what the assistant asked: a cell that quotes both."""
    asked, question = talk.proposals[message.session]
    said = _PROPOSAL.sub("", _TAG.sub("", expand(question.text).rstrip("? ")))
    said = re.sub(r"^(?:do|did) (you|we)\b", r"\1", said, flags=re.IGNORECASE)
    said = re.sub(r"^(are|were|have|will) (you|we)\b", r"\2 \1", said, flags=re.IGNORECASE)
    said = re.sub(r"^(?:shall|should) we\b", "we will", said, flags=re.IGNORECASE)
    said = re.sub(r"\b(?:you are)\b", "I am", said, flags=re.IGNORECASE)
    said = re.sub(r"\byour\b", "my", re.sub(r"\byou\b", "I", said, flags=re.IGNORECASE), flags=re.IGNORECASE)
    speaker = Speaker(message.subject, None, talk.people)
    for draft in decisions.decision(said, speaker) or _clauses(said, speaker):
        _keep(draft, message, answer.quote, "en", talk, Evidence(asked.event_id, question.quote))


def _keep(draft: Draft, message: Message, quote: str, tongue: str, talk: _Talk, *more: Evidence) -> None:
    """Makes the cell of a draft, and of its reason, unless it has been said in this message already."""
    cell = build(draft, message, quote, tongue, talk.context.scenes)
    if cell.slot == "works_on":
        talk.projects[message.session] = cell.object
    if message.read or len(quote) > MAX_SENTENCE_CHARS:
        return
    cell = msgspec.structs.replace(cell, evidence=(*cell.evidence, *more))
    if any(_alike(cell, other) for other in talk.cells):
        return
    causes = _causes(draft, message, quote, tongue, talk, cell.scene) if draft.cause else ()
    talk.cells.append(msgspec.structs.replace(cell, causes=causes) if causes else cell)


def _causes(draft: Draft, message: Message, quote: str, tongue: str, talk: _Talk, scene: str) -> tuple[int, ...]:
    """Keeps the reason as cells of its own, and says where they stand."""
    speaker = Speaker(message.subject, None, talk.people)
    reasons = _clauses(draft.cause, speaker)
    if not reasons and (draft.cell_type in {"risk", "decision"}):
        stated = routines.cause_of(draft.cause.strip(" .!"), speaker)
        reasons = [msgspec.structs.replace(stated, scene=scene)] if stated else []
    start = len(talk.cells)
    for reason in reasons:
        talk.cells.append(build(reason, message, quote, tongue, talk.context.scenes))
    return tuple(range(start, len(talk.cells)))


def _alike(cell: Cell, other: Cell) -> bool:
    same = (cell.subject, cell.slot, cell.object, cell.polarity, cell.modality, cell.holds_from, cell.holds_until)
    return other.evidence[0] == cell.evidence[0] and same == (
        other.subject, other.slot, other.object, other.polarity, other.modality, other.holds_from, other.holds_until,
    )  # fmt: skip
