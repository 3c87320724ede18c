"""Forms in which commands tell what they found: structs as JSON objects with readable times, memory text on a line."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from mnemolog.schema.ids import Position
from mnemolog.schema.times import MAX_MS, MIN_MS, show

#: Fields that hold UTC milliseconds.
_TIMES = frozenset(
    (
        *("at", "about", "asked_at", "changed_at", "due", "fades_at", "occurred_at", "recorded_at", "since", "until"),
        *("updated_at", "valid_from", "valid_until", "first_at", "last_at"),
    )
)
SHORT_CHARS = 200
#: Controls, what turns the direction of writing or is not seen, lone surrogates.
_UNSEEN = ("Cc", "Cf", "Cs")


def shown(text: str) -> str:
    """Memory text as a terminal may have it: what would steer the terminal, or hide, is written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        _escaped(character) if unicodedata.category(character) in _UNSEEN else character for character in text
    )


def _escaped(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def as_object(value: Any, name: str = "") -> Any:
    """A struct for JSON: its fields, times as ISO 8601 in UTC, positions as text."""
    if isinstance(value, Position):
        return str(value)
    if name in _TIMES and isinstance(value, int) and not isinstance(value, bool):
        return show(value) if MIN_MS <= value <= MAX_MS else value
    if isinstance(value, msgspec.Struct):
        return {field: as_object(getattr(value, field), field) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): as_object(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_object(item) for item in value]
    return value


def short(text: str, most: int = SHORT_CHARS) -> str:
    """Memory text on one line that a terminal shows as it is, cut where it is long."""
    line = " ".join(shown(text[: 4 * most]).split())
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1] + "…"


def day(ms: int | None) -> str:
    """The UTC day of a time."""
    return "" if ms is None else show(ms)[:10]
