"""Verb frames: what a predicate says about its subject, read from a table (`data/frames_*.txt`).

A row is `slot :: kind :: sort of object :: classes :: pattern`; the first row that fits wins. Its group `o` is the
object, `old` what the object takes the place of. Kinds: `state` holds while it is said, `start` begins a state, `end`
ends one, `against` is a state of the opposite polarity, `event` happened at its time;
`past` and `planned` say it by the verb itself. A slot in ⟨⟩ depends on the
class of the object. Classes are those of which the object must be one; `+` any known one or a name, `-x` not x.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, cast

import msgspec

from mnemolog.workers.rules import lexicon

Kind = Literal["state", "start", "end", "against", "event", "past", "planned"]
Sort = Literal["place", "org", "thing", "name", "job", "known", "deed", "any", "free"]

_GROUPS = {
    "TOOL": "programming_language editor database operating_system browser shell framework cloud message_queue "
    "version_control note_app chat_app project_tracker design_tool build_tool",
    "PASTIME": "sport hobby instrument music",
    "INGESTED": "food drink cuisine",
}
_MACROS = {
    "<O>": "(?P<o>.+)",
    "<OLD>": "(?P<old>[^,]+?)",
    "<LIST>": "(?:a|an|some|two|three|four|my|our|the|another|his|her)",
}

#: Tools and languages, of which people prefer one of a class at a time.
TOOLS = frozenset(_GROUPS["TOOL"].split())


class Frame(msgspec.Struct, frozen=True):
    """One row of the table."""

    slot: str
    kind: Kind
    sort: Sort
    classes: frozenset[str]
    pattern: re.Pattern[str]


def _row(line: str) -> Frame:
    slot, kind, sort, classes, pattern = line.split(" :: ", 4)
    for group, members in _GROUPS.items():
        classes = classes.replace(group, members)
    for macro, meaning in _MACROS.items():
        pattern = pattern.replace(macro, meaning)
    wanted = frozenset(classes.split()) - {"-"}
    return Frame(slot, cast("Kind", kind), cast("Sort", sort), wanted, re.compile(pattern))


@cache
def table(language: str) -> tuple[Frame, ...]:
    """The frames of a language, in the order in which they are tried."""
    return tuple(_row(line) for line in lexicon.lines(f"frames_{language}.txt"))


@cache
def by_verb(verb: str) -> tuple[Frame, ...]:
    """The English frames whose pattern can begin with this verb (base form)."""
    return tuple(frame for frame in table("en") if _may_begin(frame.pattern.pattern, verb))


def _may_begin(pattern: str, verb: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(verb)}(?![a-z])", pattern) is not None


def simple(slot: str, sort: Sort) -> Frame:
    """A frame that only says of which sort an object must be."""
    return Frame(slot, "state", sort, frozenset(), re.compile(""))
