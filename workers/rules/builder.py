"""The builder: makes a cell of a draft: dates, wording, scene, entities, evidence."""

from __future__ import annotations

import re

import msgspec

from mnemolog.projections.moments.dates import Tense
from mnemolog.schema.cells import MAX_ENTITIES, MAX_SENTENCE_CHARS, Cell, EntityKind, Evidence, Granularity, Mention
from mnemolog.schema.slots import slot_of
from mnemolog.workers.rules import dates, lexicon, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.messages import Message
from mnemolog.workers.rules.scenes import scene_of

_KINDS: dict[str, EntityKind] = {
    "residence": "place", "location": "place", "travel": "place", "birthplace": "place", "employer": "organization",
    "school": "organization", "partner": "person", "works_on": "project", "name": "person",
}  # fmt: skip
_COARSE: tuple[Granularity, ...] = ("instant", "day", "week", "month", "season", "year")
_EVERYWHERE = frozenset({"tool", "place"})
#: What goes on after the time at which it is planned to begin.
_LASTING = frozenset({"residence", "employer", "diet", "job_title"})

_END_OF = re.compile(r"(?:the )?end of", re.IGNORECASE)


class SaidDate(msgspec.Struct, frozen=True):
    """A date as it was said, which day that is, and how it is told ("since", "in", …)."""

    words: str
    day: str
    how: str


class Times(msgspec.Struct, frozen=True):
    """When a draft holds, in UTC milliseconds."""

    start: int | None = None
    end: int | None = None
    granularity: Granularity | None = None
    due: int | None = None
    said: tuple[SaidDate, ...] = ()


def build(draft: Draft, message: Message, quote: str, language: str, known_scenes: tuple[str, ...]) -> Cell:
    """The cell of a draft, quoting the sentence it was read in."""
    when = times(draft, message, language)
    content = _content(draft, when, language)
    slot = slot_of(draft.slot)
    return Cell(
        content=content,
        cell_type=draft.cell_type or slot.cell_type,
        subject=draft.subject,
        evidence=(Evidence(message.event_id, quote),),
        scene=draft.scene or scene_of(draft.slot, draft.object, content, draft.subject, known_scenes),
        salience=draft.salience or slot.salience,
        slot=draft.slot or None,
        object=draft.object,
        polarity=1 if draft.polarity > 0 else -1,
        modality=draft.modality,
        holds_from=when.start,
        holds_until=when.end,
        granularity=when.granularity,
        due=when.due,
        stated_by=message.subject,
        basis=draft.basis or ("first_person" if draft.subject == message.subject else "others"),
        entities=mentions(draft, quote),
        ends=draft.ends,
        change=draft.change,
        addition=draft.addition,
        correction=draft.correction,
        plural=draft.plural,
        scope=draft.scope,
    )


def _content(draft: Draft, when: Times, language: str) -> str:
    """The sentence of a cell: its own words or its slot's, what it is limited to, and its dates."""
    content = draft.content or wording.phrase(language, draft.subject, draft.slot, draft.shown, _form(draft))
    if draft.scope and draft.scope not in content:
        content += " " + draft.scope.replace(" my ", " their ").replace(" our ", " their ")
    for said in when.said:
        if said.words in content:
            content = content.replace(said.words, said.day)
        elif said.day not in content:
            content = wording.dated(language, content, said.how, said.day)
    return wording.stop(content, language)[:MAX_SENTENCE_CHARS]


def _form(draft: Draft) -> str:
    if draft.modality == "planned":
        return "planned" if draft.polarity > 0 else "planned_against"
    if draft.closed or draft.event:
        return "past"
    if draft.polarity > 0:
        return "present"
    return "no_longer" if draft.ends else "negative"


def times(draft: Draft, message: Message, language: str) -> Times:
    """[start, end) and due date of a draft's time phrases, relative to the message's own time."""
    ahead = draft.modality == "planned" or draft.cell_type in {"task", "risk"} or draft.slot in {"location", "decision"}
    tense: Tense = "future" if ahead and not draft.closed else "past"
    found = Times()
    for phrase in draft.phrases:
        if draft.closed and phrase.part == "since":
            continue  # "I worked there for five years" does not say which
        # What holds "until April" ends in an April to come.
        towards: Tense = "future" if phrase.part == "until" and not draft.closed else tense
        span = dates.resolve(phrase, language, message.local_ms, message.utc_offset_min, towards)
        if span is not None:
            found = _with_span(found, phrase, span, draft, message)
    if draft.closed and found.end is None:
        return msgspec.structs.replace(found, end=message.occurred_at, granularity=found.granularity or "instant")
    return found


def _with_span(found: Times, phrase: dates.Phrase, span: dates.Span, draft: Draft, message: Message) -> Times:
    """The times of a draft with one more phrase taken in."""
    day = dates.show(span.start, span.end, span.granularity, message.utc_offset_min)
    first = day.split(" to ", 1)[0]
    begins = draft.starts and draft.modality == "asserted"
    if span.part == "by" or draft.cell_type == "task":
        placed, how = msgspec.structs.replace(found, due=span.end - 1), "due"
    elif span.part in {"until", "before"}:
        # "until Friday" includes the day, "until June" does not include the month, "until the end of June" does.
        whole = span.granularity in {"day", "week"} or _END_OF.match(phrase.point) is not None
        inclusive = span.part == "until" and whole
        placed, how = msgspec.structs.replace(found, end=span.end if inclusive else span.start), "until"
        day = day if inclusive else first
    elif span.part == "since" or begins:
        placed, how = msgspec.structs.replace(found, start=min(span.start, message.occurred_at)), "since"
        day = first
    else:
        placed, how = _during(found, span, draft, message), "in"
    if placed.end is not None and placed.start is not None and placed.end <= placed.start:
        placed = msgspec.structs.replace(placed, end=None)
    coarse = max((found.granularity or "instant", span.granularity), key=_COARSE.index)
    said = (*found.said, SaidDate(phrase.point, day, how))
    return msgspec.structs.replace(placed, granularity=coarse, said=said)


def _during(found: Times, span: dates.Span, draft: Draft, message: Message) -> Times:
    """The interval of a phrase that says when: a plan is due at its end, a state goes on unless it is over by then."""
    lasting = draft.slot in _LASTING or draft.slot.startswith("preferred_")
    if draft.modality == "planned":
        return msgspec.structs.replace(found, start=span.start, end=None if lasting else span.end, due=span.end - 1)
    over = draft.closed or draft.event or draft.slot in {"location", "state"} or draft.polarity < 0
    ends = over or span.end > message.occurred_at
    return msgspec.structs.replace(found, start=span.start, end=span.end if ends else None)


def mentions(draft: Draft, quote: str) -> tuple[Mention, ...]:
    """The entities of a draft: its object by the slot's kind, known tools and places, named persons."""
    found = list(draft.mentions)
    value = lexicon.find(draft.object)
    kind = _KINDS.get(draft.slot)
    if kind and draft.shown:
        found.append(Mention(value.name if value and value.kind == kind else draft.shown, kind))
    elif value is not None:
        found.append(Mention(value.name, value.kind))
    found += [
        Mention(item.name, item.kind) for item in lexicon.inside(quote, kinds=_EVERYWHERE) if item.name != draft.subject
    ]
    if draft.basis == "others" and draft.subject[:1].isupper() and "'s " not in draft.subject:
        found.append(Mention(draft.subject, "person"))
    unique = {mention.name.casefold(): mention for mention in reversed(found)}
    return tuple(reversed(unique.values()))[:MAX_ENTITIES]
