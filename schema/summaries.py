"""The bound on a scene's summary: under 100 words, whatever an engine returns."""

from __future__ import annotations

import re

MOST_WORDS = 99

# A word is a run without spaces; scripts written without spaces count by the character.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+"
)


def bounded(text: str) -> str:
    """The text on one line, cut after 99 words."""
    line = " ".join(text.split())
    words = list(_WORD.finditer(line))
    if len(words) <= MOST_WORDS:
        return line
    return line[: words[MOST_WORDS - 2].end()].rstrip(" ,;:") + " …"
