"""Requests to the memory in English: remember, forget, "I meant C, not B"."""

from __future__ import annotations

import re

from mnemolog.workers.rules import patterns

_REMEMBER = patterns.one("remember")
_FORGET = patterns.one("forget")
_CORRECTION = patterns.several("correction")
_NOT_TO_REMEMBER = re.compile(r"(?:when|how|the time|to|me|us|if)\b|.*\byou\b", re.IGNORECASE)
#: Of a message in any of the languages: a request to remember, wherever it stands, and not "do you remember …?".
_ASKED = re.compile(
    r"(?:^|[.!?;,:\n]\s*|\b(?:please|pls|can you|could you|will you|would you|you should|and|i want you to)\s+)"
    r"(?:remember|keep in mind|bear in mind|note|make a note|memori[sz]e|(?:do not|don['’]t) forget|for the record)\b"
    r"(?! (?:when|how|the time|me|us)\b)"
    r"|\b(?:merke? (?:dir|es dir)|denke? (?:bitte )?daran|vergiss (?:bitte )?nicht|notiere?)\b"
    r"|\b(?:recuerda|acuérdate|ten en cuenta|no (?:te )?olvides|anota|toma nota)\b"
    r"|记住|请记|记下|别忘|不要忘",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"(?:it|about it|that)$", re.IGNORECASE)


def remembered(text: str) -> str | None:
    """What "remember that …" asks to remember, or None where nothing is asked."""
    match = _REMEMBER.match(text.strip(" .!"))
    if match is None:
        return None
    what: str = (match["what"] or match["bare"]).strip()
    return None if _NOT_TO_REMEMBER.match(what) else what


def asks_to_remember(message: str) -> bool:
    """Whether a message asks anywhere to have something remembered."""
    return _ASKED.search(message) is not None


def forgotten(text: str) -> str | None:
    """What "forget that …" asks to forget, or None where nothing is asked."""
    match = _FORGET.match(text.strip(" .!?"))
    if match is None or _NOTHING.match(match["what"]):
        return None
    return re.sub(r"^(?:that|about|the fact that|what I said about) ", "", match["what"])


def corrected(text: str) -> tuple[str, str] | None:
    """(what is meant, what was said by mistake) of "I meant C, not B"; None for anything else."""
    plain = text.strip(" .!")
    match = next((found for pattern in _CORRECTION if (found := pattern.match(plain))), None)
    return (match["new"].strip(), match["old"].strip()) if match else None
