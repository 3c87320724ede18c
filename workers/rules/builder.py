"""The builder: makes a cell of a draft: dates, wording, scene, entities, evidence."""

from __future__ import annotations

from typing import Literal

import msgspec

from mnemolog.schema.cells import Cell, EntityKind, Evidence, Granularity, Mention
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
_NAMED = frozenset({"person", "place", "organization", "tool", "project"})
_ALL_KINDS = frozenset({"tool", "place"})


class Times(msgspec.Struct, frozen=True):
    """When a draft holds, in UTC milliseconds, and how that is said ("since", "in", …)."""

    start: int | None = None
    end: int | None = None
    granularity: Granularity | None = None
    due: int | None = None
    shown: tuple[tuple[str, str], ...] = ()


def build(draft: Draft, message: Message, quote: str, language: str, known_scenes: tuple[str, ...]) -> Cell:
    """The cell of a draft, quoting the sentence it was read in."""
    when = times(draft, message, language)
    content = draft.content or wording.phrase(language, draft.subject, draft.slot, draft.shown, _form(draft))
    if draft.scope and draft.scope not in content:
        content += " " + draft.scope.replace(" my ", " their ").replace(" our ", " their ")
    for how, day in when.shown:
        if day not in content:
            content = wording.dated(language, content, how, day)
    slot = slot_of(draft.slot)
    scene = draft.scene or scene_of(draft.slot, draft.object, content, draft.subject, known_scenes)
    return Cell(
        content=wording.stop(content, language)[:1000],
        cell_type=draft.cell_type or slot.cell_type,
        subject=draft.subject,
        evidence=(Evidence(message.event_id, quote),),
        scene=scene,
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
        entities=mentions(draft, content),
        ends=draft.ends,
        change=draft.change,
        addition=draft.addition,
        correction=draft.correction,
        plural=draft.plural,
        scope=draft.scope,
    )


def _form(draft: Draft) -> str:
    if draft.modality == "planned":
        return "planned" if draft.polarity > 0 else "planned_against"
    if draft.closed or draft.event:
        return "past"
    if draft.polarity > 0:
        return "present"
    return "no_longer" if draft.ends else "negative"


def times(draft: Draft, message: Message, language: str) -> Times:
    """[start, end), due date and wording of a draft's time phrases, relative to the message's own time."""
    ahead = (
        draft.modality == "planned"
        or draft.cell_type in {"task", "risk"}
        or (draft.slot == "location" and not draft.closed)
    )
    tense: Literal["past", "future"] = "future" if ahead else "past"
    found = Times()
    for phrase in draft.phrases:
        span = dates.resolve(phrase, language, message.local_ms, message.utc_offset_min, tense)
        if span is not None:
            found = _placed(found, span, draft, message)
    if draft.closed and found.end is None:
        found = msgspec.structs.replace(found, end=message.occurred_at, granularity=found.granularity or "instant")
    return found


def _placed(found: Times, span: dates.Span, draft: Draft, message: Message) -> Times:
    """The times of a draft with one more phrase taken in."""
    day = dates.show(span.start, span.end, span.granularity, message.utc_offset_min)
    start, end, due, how = found.start, found.end, found.due, "in"
    part = "by" if draft.cell_type == "task" else span.part
    if part == "by":
        due, how = span.end - 1, "due"
    elif part == "before":
        end, how = span.start, "until"
        day = day.split(" to ", 1)[0]
    elif part == "until":
        # "until Friday" includes the day, "until June" does not include the month.
        end, how = (span.end if span.granularity in {"day", "week"} else span.start), "until"
    elif part == "since" or (draft.starts and draft.modality == "asserted"):
        start, how = min(span.start, message.occurred_at), "since"
        day = day.split(" to ", 1)[0]
    else:
        start, end = span.start, span.end
    if draft.modality == "planned" and part == "at":
        due = span.end - 1
        end = (
            None
            if draft.slot in {"residence", "employer", "diet", "job_title"} or draft.slot.startswith("preferred_")
            else end
        )
    elif (
        part == "at"
        and how == "in"
        and not (draft.closed or draft.event or draft.slot == "location")
        and draft.polarity > 0
    ):
        end = end if span.end > message.occurred_at or draft.slot in {"plan", "state"} else None
    coarse = max((found.granularity or "instant", span.granularity), key=_COARSE.index)
    if end is not None and start is not None and end <= start:
        end = None
    return Times(start, end, coarse, due, (*found.shown, (how, day)))


def mentions(draft: Draft, content: str) -> tuple[Mention, ...]:
    """The entities of a draft: its object where the slot says what kind it is, known tools and places, named persons."""
    found = list(draft.mentions)
    value = lexicon.find(draft.object)
    kind = _KINDS.get(draft.slot)
    if kind and draft.shown:
        found.append(Mention(value.name if value and value.kind == kind else draft.shown, kind))
    elif value is not None:
        found.append(Mention(value.name, value.kind))
    found += [Mention(item.name, item.kind) for item in lexicon.inside(content, kinds=_ALL_KINDS)]
    if draft.basis == "others" and draft.subject[:1].isupper() and "'s " not in draft.subject:
        found.append(Mention(draft.subject, "person"))
    unique = {mention.name.casefold(): mention for mention in reversed(found)}
    return tuple(reversed(unique.values()))
