"""The corpus: sentences of one speaker (Ada, Monday 2026-03-09 at 10:00 in Berlin) with the cells that they should give."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from mnemolog.schema.cells import Candidate, Cell
from mnemolog.schema.times import MINUTE, parse
from mnemolog.workers.rules import Context, Extraction, Message, extract

HERE = Path(__file__).parent
OFFSET_MIN = 60
NOW = parse("2026-03-09T10:00:00+01:00")
WEEK = 7 * 24 * 60 * MINUTE

_EXPECTED = re.compile(
    r"(?P<planned>~)?(?P<against>-)?(?:(?P<subject>[\w' -]+):)?(?P<slot>\w+)=(?P<object>.*?)"
    r"(?: from (?P<start>[\d-]+))?(?: until (?P<end>[\d-]+))?(?: due (?P<due>[\d-]+))?"
)


class Row(msgspec.Struct, frozen=True):
    """A sentence and its cells, written `~-subject:slot=object from … until … due …` (planned, against)."""

    domain: str
    say: str
    cells: list[str]


class Pair(msgspec.Struct, frozen=True):
    """Two statements, the second a week later, and what the second does to the first: supersedes, same or compatible."""

    first: str
    then: str
    verdict: str


def rows(name: str) -> list[Row]:
    return [msgspec.json.decode(line, type=Row) for line in (HERE / name).read_text("utf-8").splitlines() if line]


def pairs(name: str) -> list[Pair]:
    return [msgspec.json.decode(line, type=Pair) for line in (HERE / name).read_text("utf-8").splitlines() if line]


def say(*said: str, speaker: str = "Ada", at: int = NOW, context: Context | None = None) -> Extraction:
    """What the engine makes of messages; "assistant: …", "Ben: …" change who speaks."""
    return extract([message(text, speaker, at + number * MINUTE, number) for number, text in enumerate(said)], context)


def message(text: str, speaker: str = "Ada", at: int = NOW, number: int = 0) -> Message:
    match = re.match(r"(assistant|system|tool|Ben): (.*)", text, re.DOTALL)
    who, role = speaker, "user"
    if match:
        text = match[2]
        who, role = ("Ben", "user") if match[1] == "Ben" else (None, match[1])
    return Message(
        event_id=f"e{number}-{at}", role=role, content=text, speaker=who, occurred_at=at, utc_offset_min=OFFSET_MIN
    )


def local_day(ms: int) -> str:
    """The date at the speaker's place."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms, minutes=OFFSET_MIN)).strftime("%Y-%m-%d")


def matches(expected: str, cell: Cell) -> bool:
    """Whether a cell says what a row expects: subject, slot, object, polarity, modality and every date that is given."""
    want = _EXPECTED.fullmatch(expected)
    assert want, expected
    dates = ((want["start"], cell.holds_from), (want["end"], cell.holds_until), (want["due"], cell.due))
    return (
        (want["subject"] or cell.subject).casefold() == cell.subject.casefold()
        and (want["subject"] is not None or cell.subject == "Ada" or cell.slot in {"risk", "requirement"})
        and want["slot"] == (cell.slot or "")
        and want["object"].casefold() == cell.object
        and (cell.polarity < 0) == bool(want["against"])
        and (cell.modality == "planned") == bool(want["planned"])
        and all(day is None or (ms is not None and local_day(ms) == day) for day, ms in dates)
    )


def candidate(name: str, cell: Cell, at: int) -> Candidate:
    """A cell as the fold knows it: valid from its stated start, else its end if it is closed, else when it was said."""
    since = cell.holds_from if cell.holds_from is not None else min(at, cell.holds_until or at)
    return Candidate(id=name, cell=cell, valid_from=since, occurred_at=at)
