"""Verb chains of English: tense, negation and modality of what stands before the verb, and the predicate after it."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from mnemolog.workers.rules import lexicon, patterns
from mnemolog.workers.rules.lexicon import Verb

Tense = Literal["present", "past", "perfect", "future", "progressive", "used"]

_AUXILIARY = patterns.one("auxiliary")
_BE = frozenset({"am", "is", "are", "was", "were", "been", "be", "being"})
_HEDGE = frozenset({"would", "could", "might", "may", "should", "shall", "hope to", "hoping to"})
_WANTED = frozenset({"want to", "wants to"})
_PLANNED = _WANTED | {
    "will",
    "going to",
    "plan to",
    "plans to",
    "planning to",
    "planning on",
    "intend to",
    "intends to",
}
_OBLIGED = frozenset({"must", "have to", "has to", "need to", "needs to"})
_MAYBE_MAIN = frozenset({"have", "has", "had", "do", "does", "did"})
#: "get" that is only another passive.
_PASSIVE = re.compile(r"^get (?=(?:promoted|hired|fired|laid|diagnosed|let go)\b)")


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A verb chain. `predicate` begins with the verb's base form, or with `be`; `form` is the form it stood in."""

    predicate: str
    form: str
    tense: Tense
    negated: bool
    ability: bool
    obliged: bool
    wanted: bool

    @property
    def bare(self) -> bool:
        """Whether it has no auxiliary and no ending: the wrong form for "she"."""
        return self.form == "base" and self.tense == "present" and not self.predicate.startswith("be ")


def chain(rest: str) -> Chain | None:
    """The chain with which the words after a subject begin; None where it only says what might be."""
    words, rest = _auxiliaries(rest)
    used = frozenset(words)
    if used & _HEDGE or not rest:
        return None
    first = rest.split(" ", 1)[0]
    verb = lexicon.verb(first)
    last = next((word for word in reversed(words) if word not in {"not", "never"}), "")
    if last in _BE and not (verb and verb.form == "ing"):
        form, predicate = "base", "be " + rest
    elif verb:
        form, predicate = verb.form, _PASSIVE.sub("be ", verb.base + rest[len(first) :])
    else:
        form, predicate = "base", rest
    return Chain(
        predicate=predicate,
        form="past" if form == "past_or_participle" else form,
        tense=_tense(used, form, verb),
        negated=bool(used & {"not", "never"}),
        ability="can" in used,
        obliged=bool(used & _OBLIGED),
        wanted=bool(used & _WANTED),
    )


def _auxiliaries(rest: str) -> tuple[list[str], str]:
    """The auxiliaries and negations at the start, and what follows them."""
    words: list[str] = []
    while match := _AUXILIARY.match(rest):
        after = rest[match.end() :]
        main = match["word"] in _MAYBE_MAIN and not _verbal(after)
        if main or (match["word"] == "going to" and after[:1].isupper()):
            break
        words.append(match["word"])
        rest = after
    return words, rest


def _verbal(rest: str) -> bool:
    """Whether a verb follows, so that have or do is an auxiliary."""
    rest = re.sub(r"^(?:(?:not|never)\s+)+", "", rest)
    return (
        rest.startswith("been ")
        or _AUXILIARY.match(rest) is not None
        or lexicon.verb(rest.split(" ", 1)[0]) is not None
    )


def _tense(used: frozenset[str], form: str, verb: Verb | None) -> Tense:
    said: tuple[tuple[object, Tense], ...] = (
        ("used to" in used, "used"),
        (used & {"had", "had to"}, "past"),
        (used & _PLANNED or "decided to" in used, "future"),
        (used & {"have", "has"}, "perfect"),
        (used & {"was", "were", "did"}, "past"),
        (verb and form == "ing", "progressive"),
        (form in {"past", "past_or_participle"}, "past"),
    )
    return next((tense for holds, tense in said if holds), "present")
