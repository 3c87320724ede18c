"""Deeds in English: what somebody has to do, and what is done."""

from __future__ import annotations

import re

from mnemolog.workers.rules import dates, lexicon, patterns, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker
from mnemolog.workers.rules.text import MASK

_OBLIGED = patterns.one("obliged")
_INVERTED = patterns.one("inverted")
_REMINDER = patterns.one("reminder")
_DUE = (patterns.one("due"), patterns.one("deadline"))
_DONE = patterns.several("done")
_NO_THING = patterns.one("no_thing")
_POINTS = re.compile(r"\b(?:that|this|it|them|you|yourself|myself|one)$")
#: What one has to do even without a date; anything else is only a manner of speaking.
_ERRANDS = lexicon.words("errands")
_IDLE = lexicon.words("idle")
_STOP = lexicon.words("deed_stop")
_GENERIC = frozenset({"done", "did", "finished", "completed", "sorted"})
_CANCELLED = frozenset({"cancelled", "canceled", "called off"})
#: Forms of "she" that are no plural of a noun.
_THIRD = frozenset({"is", "has", "does", "goes"})
_KEY_WORDS = 6
_THING_WORDS = 5


def key(text: str) -> str:
    """The normal form of a deed: verbs in their base form, nouns singular, small words left out."""
    words = [word for word in re.findall(r"[\w#+'-]+", text.casefold()) if word not in _STOP]
    return " ".join(_plain(word) for word in words[:_KEY_WORDS])


def _plain(word: str) -> str:
    verb = lexicon.verb(word)
    return verb.base if verb and (verb.form != "s" or word in _THIRD) else lexicon.singular(word)


def task(text: str, speaker: Speaker) -> Draft | None:
    """What one has to do: "Send the invoice by Friday, I must."."""
    plain = text.strip(" .!")
    due = next((found for pattern in _DUE if (found := pattern.match(plain))), None)
    if due:
        phrases, _ = dates.find(plain, "en")
        said = wording.third_person(plain, speaker.subject)
        return _task(f"finish {due['thing']}", said, speaker, phrases) if phrases else None
    match = _REMINDER.match(plain) or _INVERTED.match(plain) or _OBLIGED.match(plain)
    if match is None or MASK in match["deed"]:
        return None
    phrases, deed = dates.find(re.sub(r",? (?:though|too|also|again|really)$", "", match["deed"]), "en")
    if not _worth_it(deed, match, dated=bool(phrases)):
        return None
    told = wording.third_person(deed, speaker.subject)
    said = f"{wording.shown_name(speaker.subject, 'en')} has to {told[0].lower()}{told[1:]}"
    return _task(deed[0].lower() + deed[1:], said, speaker, phrases)


def _task(deed: str, content: str, speaker: Speaker, phrases: tuple[dates.Phrase, ...]) -> Draft:
    return Draft(
        subject=speaker.subject, slot="task", object=key(deed), cell_type="task", phrases=phrases, content=content
    )


def _worth_it(deed: str, match: re.Match[str], *, dated: bool) -> bool:
    """Whether a deed is a task: asked for, or dated, or an errand, and not only a manner of speaking."""
    if _POINTS.search(deed):
        return False
    if match.re is not _OBLIGED:
        return True
    verb = lexicon.verb(deed.split(" ", 1)[0])
    if verb is None or verb.form != "base" or verb.base in _IDLE:
        return False
    return dated or (verb.base in _ERRANDS and match["how"] not in {"should", "ought to"})


def done(text: str, speaker: Speaker) -> Draft | None:
    """What is done or called off: "Invoice sent.", "I cancelled the trip to Rome."."""
    phrases, plain = dates.find(text.strip(" .!"), "en")
    found = (match for pattern in _DONE if (match := pattern.fullmatch(plain)))
    match = next((match for match in found if _is_thing(match["thing"])), None)
    if match is None or re.search(r"\bnot\b|n't", plain):
        return None
    how = match["verb"].casefold()
    cancelled = how in _CANCELLED
    thing = key(match["thing"])
    over = thing if cancelled or how in _GENERIC else f"{_plain(how.split(' ', 1)[0])} {thing}"
    return Draft(
        subject=speaker.subject,
        slot="task",
        object=over,
        polarity=-1 if cancelled else 1,
        ends=over,
        cell_type="fact",
        content=wording.third_person(text.strip(" ."), speaker.subject),
        phrases=phrases,
        event=True,
    )


def _is_thing(words: str) -> bool:
    return _NO_THING.search(words) is None and len(words.split()) <= _THING_WORDS
