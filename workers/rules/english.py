"""English clauses: who, what is said of them, when, and with which cues of change."""

from __future__ import annotations

import re

import msgspec

from mnemolog.workers.rules import dates, gates, lexicon, patterns, subjects, verbs
from mnemolog.workers.rules.subjects import Speaker, Who
from mnemolog.workers.rules.verbs import Chain

_CHANGE = patterns.one("change")
_ADDITION = patterns.one("addition")
_ENDED = patterns.one("ended")
_WEAK = patterns.one("weak")
_ADVERB = patterns.one("adverb")
_SCOPE = patterns.one("scope")
_LEADING_SCOPE = patterns.one("leading_scope")
_AFTER_YEARS = patterns.one("after_years")
_CHILDHOOD = patterns.one("childhood")
_AHEAD = re.compile(r"next|tomorrow|coming|^in |tonight", re.IGNORECASE)
#: A scope at the end needs a clause before it: a subject, a verb and an object.
_CLAUSE_WORDS = 3


class Cues(msgspec.Struct, frozen=True):
    """What the adverbs of a clause say: "now", "also", "no longer", "sometimes"; `scope` as in "for scripts"."""

    change: bool
    addition: bool
    ended: bool
    weak: bool
    scope: str


class Clause(msgspec.Struct, frozen=True):
    """A clause taken apart."""

    who: Who
    chain: Chain
    cues: Cues
    phrases: tuple[dates.Phrase, ...]

    @property
    def ahead(self) -> bool:
        """Whether it states a time that lies ahead."""
        return any(
            phrase.part == "by" or (phrase.part == "at" and _AHEAD.search(phrase.point) is not None)
            for phrase in self.phrases
        )


def parse(text: str, speaker: Speaker, *, inherited: Clause | None = None) -> Clause | None:
    """The clause in `text` (contractions expanded), or None where nothing is asserted or the subject is unknown."""
    if gates.hedges(text):
        return None
    plain, also = _opened(text)
    childhood = _CHILDHOOD.search(plain) is not None
    phrases, plain = dates.find(_CHILDHOOD.sub("", plain), "en")
    cues, plain = _cues(plain, also=also)
    who = subjects.find(plain, speaker, inherited.who if inherited else None)
    chain = verbs.chain(who.rest) if who else None
    if who is None or chain is None or (chain.bare and not who.first_person):
        return None
    if childhood and chain.tense == "present":
        return None
    if not phrases and inherited and chain.form == "past" and inherited.phrases:
        phrases = inherited.phrases
    return Clause(who, chain, cues, phrases)


def _opened(text: str) -> tuple[str, bool]:
    """The clause without the words that lead up to it, and whether one of them was "also"."""
    plain = text.strip(" .!,;:-…")
    also = re.match(r"(?:plus|also)\b", plain, re.IGNORECASE) is not None
    return _AFTER_YEARS.sub("", gates.unfilled(plain)), also


def _gap(adverb: re.Match[str]) -> str:
    """What stays where an adverb stood: a comma behind it still ends what comes before it."""
    return ", " if adverb.start() and adverb[0].endswith(",") else " "


def _cues(plain: str, *, also: bool) -> tuple[Cues, str]:
    """What the adverbs say, and the clause without them."""
    opens = plain[:1].isupper()
    leading = _LEADING_SCOPE.match(plain)
    scope = leading["scope"].lower() if leading else ""
    plain = plain[leading.end() :] if leading else plain
    change, addition, ended, weak = (
        pattern.search(plain) is not None for pattern in (_CHANGE, _ADDITION, _ENDED, _WEAK)
    )
    for pattern in (_CHANGE, _ADDITION, _ENDED, _WEAK, _ADVERB):
        plain = pattern.sub(_gap, plain)
    plain = re.sub(r"\s+", " ", plain).strip(" ,;.")
    plain = re.sub(r"^(?:and|but|so|then) ", "", plain, flags=re.IGNORECASE)
    if opens and lexicon.verb(plain.split(" ", 1)[0]):
        plain = plain[0].upper() + plain[1:]
    trailing = _SCOPE.search(plain)
    if trailing and len(plain[: trailing.start()].split()) >= _CLAUSE_WORDS:
        scope, plain = trailing["scope"].lower(), plain[: trailing.start()]
    return Cues(change, addition or also, ended, weak, scope), plain
