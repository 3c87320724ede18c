"""The check that a quote really stands in its message, whatever its spaces, quotation marks and dashes look like."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mnemolog.schema.cells import MIN_QUOTE_CHARS

_UNIFIED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """The text after NFKC and casefolding, with collapsed spaces and one form of quotation marks and dashes."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold().translate(_UNIFIED)).strip()


#: The cells of a window quote the same few messages, and a long one takes a second.
_plain_message = lru_cache(maxsize=8)(plain)


def is_quote_of(quote: str, message: str) -> bool:
    """Whether a quote is evidence: a part of the message of at least 8 characters, or the whole message."""
    wanted, whole = plain(quote), _plain_message(message)
    return bool(wanted) and (wanted == whole or (len(wanted) >= MIN_QUOTE_CHARS and wanted in whole))
