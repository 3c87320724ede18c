"""Gates: what English says without asserting it: questions, hypotheticals, fiction, other people's words."""

from __future__ import annotations

import re

import msgspec

from mnemolog.workers.rules import patterns, subjects
from mnemolog.workers.rules.subjects import Speaker

_FILLER = patterns.one("filler")
_HYPOTHETICAL = patterns.one("hypothetical")
_HEDGED = patterns.one("hedged_clause")
_ASKS = patterns.one("asks")
_REPORT = patterns.one("report")
_FICTION = patterns.one("fiction")


def unfilled(text: str) -> str:
    """A sentence without the words that only lead up to it ("Well, by the way, …")."""
    return _FILLER.sub("", text)


def asks(text: str) -> bool:
    """Whether a sentence is a question by its order of words."""
    return _ASKS.match(text) is not None


def invents(message: str) -> bool:
    """Whether a message tells a story, plays a part or is not meant seriously."""
    return _FICTION.search(message) is not None


def supposes(sentence: str) -> bool:
    """Whether a sentence only supposes something ("if", "imagine", "I wish")."""
    return _HYPOTHETICAL.search(sentence) is not None


def hedges(clause: str) -> bool:
    """Whether a clause supposes something or leaves it open ("maybe", "almost", "thinking about")."""
    return supposes(clause) or _HEDGED.search(clause) is not None


def reported(text: str, speaker: Speaker) -> tuple[str, Speaker] | None:
    """(what is said, its speaker in focus) where somebody's words about themselves are reported; None if nothing is.

    The text is empty where words about anybody else are reported: they say nothing for certain.
    """
    match = _REPORT.match(unfilled(text))
    if match is None:
        return None
    who = subjects.named(match["who"] + " ")
    about_themselves = re.match(r"(?:he|she)\b", match["what"], re.IGNORECASE)
    if who is None or about_themselves is None or who["i"] or who["we"]:
        return "", speaker
    name = subjects.person(who, speaker)
    return ("", speaker) if name is None else (match["what"], msgspec.structs.replace(speaker, focus=name))
