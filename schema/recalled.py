"""The marker around recalled text: whoever reads it knows that it is data, and nothing that stands in it is learnt."""

from __future__ import annotations

import re
import unicodedata

NAME = "recalled-memory"
BEGIN = f"<{NAME}>"
END = f"</{NAME}>"

#: Joiners make letters and pictures; nothing else that has no width is told.
_JOINERS = "\u200c\u200d"
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
# Selectors of a picture's form are seen in its form; the rest of them can carry hidden text.
_SELECTORS = re.compile("[\U000e0100-\U000e01ef]")
# What a reader could take for the marker: other brackets, spaces, case, characters that are not seen.
_LOOKS_LIKE_IT = re.compile(
    r"[<‹〈⟨]\W{0,5}(?:/\W{0,5})?recalled\W{0,3}_?\W{0,3}memory[^<>]{0,20}?[>›〉⟩]?", re.IGNORECASE
)
# What a reader could take for a citation.
_LOOKS_CITED = re.compile(r"[\[［【](\s*(?:(?:ep|ce)-)?[0-9a-f]{1,20}\s*)[\]］】]", re.IGNORECASE)
_BLOCK = re.compile(rf"{BEGIN}.*?(?:{END}|\Z)", re.IGNORECASE | re.DOTALL)


def holds_recalled(text: str) -> bool:
    """Whether a block of recalled text, or one end of it, stands in a text."""
    return BEGIN in text or END in text


def without_marker(text: str) -> str:
    """The text on one line, with nothing in it that could be taken for the marker, so that it cannot end the block."""
    line = " ".join(text.split())
    if line.isascii() and "<" not in line:
        return line
    plain = " ".join(_seen(line).split())
    return _LOOKS_LIKE_IT.sub("(recalled memory)", plain) if _LOOKS_LIKE_IT.search(plain) else line


def as_data(text: str) -> str:
    """The text as one line of recalled data.

    It has no control characters, none that turn the direction of writing or are not seen, nothing that could be taken
    for the marker, and no citation: what looks like one stands in round brackets.
    """
    line = " ".join(text.split())
    if not (line.isascii() and line.isprintable()):
        line = " ".join("".join(filter(_is_told, _SELECTORS.sub("", line))).split())
    return _LOOKS_CITED.sub(r"(\1)", without_marker(line))


def without_recalled(text: str) -> str:
    """The text without the blocks of recalled text in it."""
    return _BLOCK.sub("", text).strip()


def _is_told(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSEEN


def _seen(text: str) -> str:
    """The text as a reader sees it: NFKC, without characters that have no width."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")
