"""Forms in which commands tell what they found: memory text as a terminal may have it, and on a line."""

from __future__ import annotations

import unicodedata

from mnemolog.gateway.memory.objects import as_object
from mnemolog.projections.checkup.checkup import told as counted
from mnemolog.schema import times

__all__ = ["as_object", "counted", "day", "short", "shown"]

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


def short(text: str, most: int = SHORT_CHARS) -> str:
    """Memory text on one line that a terminal shows as it is, cut where it is long."""
    line = " ".join(shown(text[: 4 * most]).split())
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1] + "…"


def day(when: str | None, utc_offset_min: int = 0) -> str:
    """The day of a time of an answer, by a calendar so many minutes east of UTC; at the ends of time, by UTC's."""
    if when is None:
        return ""
    local = times.parse(when) + utc_offset_min * times.MINUTE
    return times.show(local)[:10] if times.MIN_MS <= local <= times.MAX_MS else when[:10]
