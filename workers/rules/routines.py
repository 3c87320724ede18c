"""Routines and risks in English: procedures, what may go wrong, and the reason that is given."""

from __future__ import annotations

import re

from mnemolog.workers.rules import dates, deeds, lexicon, patterns, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker

_PROCEDURE = patterns.one("procedure")
_PROCEDURE_LAST = patterns.one("procedure_last")
_MAIN = patterns.one("main")
_RISKS = patterns.several("risks")
_NO_RISK = patterns.one("no_risk")
_BECAUSE = patterns.one("because")
_BECAUSE_OF = patterns.one("because_of")
_REASON = patterns.one("reason")
_UNCERTAIN = patterns.one("uncertain")
_SPELL = re.compile(r"\b(?:years?|months?|weeks?|days?|hours?|a while|that|this)$")
_NO_BASE_FORM = re.compile(r"(?:s|ed|ing|ly|m|not)$")
_STATIVE = lexicon.words("stative")
#: Verbs whose past looks like their base form: "I set it up" is what one does.
_ALIKE = frozenset({"set", "put", "cut", "hit", "let", "read", "quit"})
_NOBODY = frozenset({"you", "he", "she", "it", "they", "that", "this", "who", "what", "there", "one"})
_OURS = frozenset({"i", "we"})


def procedure(text: str, speaker: Speaker) -> Draft | None:
    """What one does whenever something is so: "When the build fails I clear the cache."."""
    parts = _condition_and_main(text)
    if parts is None or _UNCERTAIN.search(text):
        return None
    word, condition, main = parts
    rule = main.casefold().startswith("always ")
    if not (rule or _is_habit(word, condition)) or _is_past(condition) or _is_past(main):
        return None
    act = _MAIN.match(main)
    if act is None or not _is_act(act, main):
        return None
    return Draft(
        subject=speaker.subject,
        slot="procedure",
        object=deeds.key(condition),
        content=wording.third_person(text, speaker.subject),
        plural=act["who"] == "we",
    )


def _condition_and_main(text: str) -> tuple[str, str, str] | None:
    """(when, if, to …; the condition or aim; what is done)."""
    match = _PROCEDURE.match(text)
    if match and match["aim"]:
        return "to", "to " + match["aim"], match["aimed"]
    match = match or _PROCEDURE_LAST.match(text)
    return (match["word"].casefold(), match["condition"], match["main"]) if match else None


def _is_habit(word: str, condition: str) -> bool:
    """Whether a condition comes again and again, and is about the work rather than about somebody's wishes."""
    first = condition.split(" ", 1)[0].casefold()
    about_people = first in {"you", "he", "she", "they", "possible", "necessary"} or (first == "i" and word == "if")
    once = _SPELL.search(condition) or dates.find(f"{word} {condition}", "en")[0]
    return not about_people and not once and not first.endswith("ing")


def _is_act(act: re.Match[str], main: str) -> bool:
    """Whether something is done: a verb in its base form with something after it, said of us or asked of anybody."""
    word = act["verb"]
    verb = lexicon.verb(word)
    mine = act["who"] is not None
    base = verb.form == "base" if verb else mine and _NO_BASE_FORM.search(word) is None
    advice = not mine and "always" not in main.casefold() and word in {"let", "look"}
    return base and word not in _STATIVE and not advice and bool(act["rest"].strip())


def _is_past(text: str) -> bool:
    found = (lexicon.verb(word) for word in re.findall(r"[a-z]+", text))
    return any(verb and verb.form in {"past", "past_or_participle"} and verb.base not in _ALIKE for verb in found)


def split_cause(text: str) -> tuple[str, str]:
    """(effect, the clause that gives the reason; empty if there is none)."""
    match = _BECAUSE.search(text)
    return (text[: match.start()], match["cause"]) if match else (text, "")


def risk(text: str, speaker: Speaker) -> Draft | None:
    """What may go wrong: "The release may slip because the vendor is late."."""
    effect, cause = split_cause(text)
    for match in (found for pattern in _RISKS if (found := pattern.match(effect))):
        who = lexicon.bare(match.groupdict().get("who") or "")
        if who.casefold() in _NOBODY or _NO_RISK.search(who):
            continue
        mine = not who or who.casefold() in _OURS
        phrases, what = dates.find(_BECAUSE_OF.sub("", match["what"]), "en")
        harm = re.sub(r"^is |\bif .*|\b(?:might|may|could) ", "", what)
        return Draft(
            subject=speaker.subject if mine else who,
            slot="risk",
            object=deeds.key(harm if mine else f"{who} {harm}"),
            content=wording.third_person(text, speaker.subject),
            cell_type="risk",
            basis="first_person",
            plural=who.casefold() == "we",
            phrases=phrases,
            cause=cause,
        )
    return None


def cause_of(cause: str, speaker: Speaker) -> Draft | None:
    """The reason of a risk or a decision as a statement of its own: "the vendor is late"."""
    match = _REASON.match(cause)
    who = lexicon.bare(match["who"]) if match else ""
    if match is None or who.casefold() in _NOBODY | _OURS:
        return None
    return Draft(
        subject=who,
        slot="state",
        object=deeds.key(match["what"]),
        shown=match["what"],
        content=wording.third_person(cause, speaker.subject),
        basis="first_person",
        polarity=-1 if re.search(r"\b(?:not|no longer)\b", cause) else 1,
    )
