"""Statements to the memory itself: the cells in what a person wants remembered, or says is true instead of a fact.

They are read by the rule engine, so that a request needs no model; words that it does not understand become a note.
"""

from __future__ import annotations

import re

import msgspec

from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Cell, Evidence
from mnemolog.schema.outcomes import MAX_CELLS, ExtractedCell
from mnemolog.workers.engines.entities import keyed
from mnemolog.workers.rules import Context, Message, extract, requests, scene_key
from mnemolog.workers.rules.language import detect
from mnemolog.workers.rules.lexicon import normal
from mnemolog.workers.rules.messages import NAMELESS
from mnemolog.workers.rules.scenes import scene_of
from mnemolog.workers.rules.wording import third_person

#: What a person asks to have remembered is worth that.
SALIENCE = 1.0
NOTE = "note"
_OBJECT_CHARS = 200
#: A text of at most so many words may be the value alone: `correct NODE Berlin`.
_VALUE_WORDS = 4
#: Words that a sentence has, and no value.
_SENTENCE = re.compile(
    r"(?:i|he|she|it|they|we|you|who|that|there|my|his|her|their|our|not|no|never|is|was|am|are)\b", re.IGNORECASE
)
_PRONOUN = re.compile(r"(?:he|she|they)\b", re.IGNORECASE)


def read_cells(
    text: str, event_id: str, speaker: str | None, at: int, *, offset_min: int = 0
) -> tuple[ExtractedCell, ...]:
    """The cells of a text that a person wants remembered, at least one; `at` is in UTC milliseconds.

    All are believed fully and quote the whole text, which the event `event_id` holds.
    """
    found = _read(text, event_id, speaker, at, offset_min) or [_note(text, event_id, speaker)]
    return tuple(keyed(msgspec.structs.replace(cell, salience=SALIENCE)) for cell in found[:MAX_CELLS])


def read_correction(
    text: str, event_id: str, wrong: Cell, at: int, *, offset_min: int = 0
) -> tuple[ExtractedCell, ...]:
    """The cells of what is true instead of `wrong`, at least one; as `read_cells`, about the same subject."""
    named = _PRONOUN.sub(lambda _: wrong.subject, text, count=1) if _PRONOUN.match(text) else text
    found = _read(named, event_id, wrong.subject, at, offset_min)
    fitting = [cell for cell in found if cell.slot is not None and cell.slot == wrong.slot]
    found = fitting or found or _value(text, event_id, wrong, at) or [_reworded(text, wrong)]
    return tuple(keyed(_instead(cell, text, event_id, wrong)) for cell in found[:MAX_CELLS])


def what_to_forget(text: str) -> str:
    """What is meant by "that I like jazz", "about my trip", or any other words that follow on "forget"."""
    return requests.forgotten(f"forget {text}") or text


def _read(
    text: str, event_id: str, speaker: str | None, at: int, offset_min: int, known: tuple[Cell, ...] = ()
) -> list[Cell]:
    """What the rule engine finds, believed fully."""
    message = Message(
        event_id=event_id, role="user", content=text, occurred_at=at, speaker=speaker, utc_offset_min=offset_min
    )
    evidence = (Evidence(event_id, text),)
    return [
        msgspec.structs.replace(cell, basis="requested", evidence=evidence)
        for cell in extract([message], Context(facts=known)).cells
    ]


def _note(text: str, event_id: str, speaker: str | None) -> Cell:
    subject = speaker or NAMELESS
    content = _content(text, subject)
    return Cell(
        content=content,
        cell_type="fact",
        subject=subject,
        evidence=(Evidence(event_id, text),),
        scene=scene_of(NOTE, "", content, subject, ()),
        slot=NOTE,
        object=normal(text)[:_OBJECT_CHARS],
        stated_by=speaker,
        basis="requested",
    )


def _content(text: str, subject: str) -> str:
    """The text as others would say it of its subject, as long as a cell may be."""
    line = " ".join(text.split())
    said = third_person(line, subject) if detect(line) == "en" else line
    return said if len(said) <= MAX_SENTENCE_CHARS else said[: MAX_SENTENCE_CHARS - 2] + " …"


def _value(text: str, event_id: str, wrong: Cell, at: int) -> list[Cell]:
    """A text that is only the right value, read as said about the wrong one."""
    if not _is_value(text) or not wrong.object or wrong.slot is None:
        return []
    said = f"I meant {text.strip(' .!')}, not {wrong.object}."
    found = _read(said, event_id, wrong.subject, at, 0, known=(wrong,))
    return [cell for cell in found if cell.slot == wrong.slot]


def _is_value(text: str) -> bool:
    words = text.split()
    return len(words) <= _VALUE_WORDS and not any(_SENTENCE.match(word) for word in words)


def _reworded(text: str, wrong: Cell) -> Cell:
    """The wrong cell with other words: what is known of them is that they are true instead."""
    return msgspec.structs.replace(
        wrong,
        content=_content(text, wrong.subject),
        object=normal(text)[:_OBJECT_CHARS],
        slot=wrong.slot if _is_value(text) else NOTE,
        polarity=1,
        entities=(),
        causes=(),
    )


def _instead(cell: Cell, text: str, event_id: str, wrong: Cell) -> Cell:
    """The cell as what takes the place of the wrong one: its times too, unless it states its own."""
    stated = cell.holds_from is not None or cell.holds_until is not None
    times = cell if stated else wrong
    return msgspec.structs.replace(
        cell,
        subject=wrong.subject,
        evidence=(Evidence(event_id, text),),
        scene=wrong.scene if cell.slot == wrong.slot else scene_key(cell.scene) or wrong.scene,
        salience=max(cell.salience, wrong.salience),
        basis="requested",
        correction=True,
        ends=wrong.object or None,
        holds_from=times.holds_from,
        holds_until=times.holds_until,
        granularity=times.granularity,
        due=cell.due if cell.due is not None else wrong.due,
    )
