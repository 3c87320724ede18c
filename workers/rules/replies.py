"""Replies in English: a plain "yes" to what an assistant asked, read as if its speaker had said it."""

from __future__ import annotations

import re

from mnemolog.workers.rules import patterns
from mnemolog.workers.rules.text import expand

_YES = patterns.one("yes")
_TAG = patterns.one("tag")
_PROPOSAL = patterns.one("proposal")
_TURNS = tuple(
    (re.compile(pattern, re.IGNORECASE), other)
    for pattern, other in (
        (r"^(?:do|did) (you|we)\b", r"\1"),
        (r"^(are|were|have|will) (you|we)\b", r"\2 \1"),
        (r"^(?:shall|should) we\b", "we will"),
        (r"\byou are\b", "I am"),
        (r"\byour\b", "my"),
        (r"\byou\b", "I"),
    )
)


def agrees(sentence: str) -> bool:
    """Whether a sentence is a plain yes and nothing else."""
    return _YES.match(expand(sentence)) is not None


def turned(question: str) -> str:
    """A question ("You live in Rome, right?") as the statement of the one who says yes ("I live in Rome")."""
    said = _PROPOSAL.sub("", _TAG.sub("", expand(question).rstrip("? ")))
    for pattern, other in _TURNS:
        said = pattern.sub(other, said)
    return said
