"""Routines and risks in English: procedures, what may go wrong, and the reason that is given."""

from __future__ import annotations

import re

from mnemolog.workers.rules import dates, deeds, lexicon, patterns, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.english import Speaker

_PROCEDURE = patterns.one("procedure")
_PROCEDURE_LAST = patterns.one("procedure_last")
_MAIN = patterns.one("main")
_STATIVE = frozenset(
    ["be", "have", "like", "love", "hate", "feel", "want", "think", "live", "prefer", "know", "see", "hear", "need", "get", "understand", "hope", "wish", "enjoy", "say", "tell", "move", "become", "keep", "make", "stay", "try", "trust", "listen", "come", "die", "agree", "let", "believe", "remember", "forget", "look", "seem", "wonder", "find", "guess", "own"]
)
_RISKS = patterns.several("risks")
_BECAUSE = patterns.one("because")
_BECAUSE_OF = patterns.one("because_of")


def procedure(text: str, speaker: Speaker) -> Draft | None:
    """ "When the build fails I clear the cache.\""""
    match = _PROCEDURE.match(text)
    if match and match["aim"]:
        condition, main, word = "to " + match["aim"], match["aimed"], "to"
    elif match or (match := _PROCEDURE_LAST.match(text)):
        condition, main, word = match["condition"], match["main"], match["word"].casefold()
    else:
        return None
    first = condition.split(" ", 1)[0].casefold()
    if first in {"you", "he", "she", "they", "i", "possible", "necessary"} and (word == "if" or first != "i"):
        return None
    if (
        _is_past(condition)
        or re.search(
            r"\b(?:would|will|could|might|may|going to|was|were|had|did|wish|[A-Z]\w+ said)\b|\bcan (?!not)", text
        )
        or condition.split(" ", 1)[0].endswith("ing")
    ):
        return None
    act = _MAIN.match(main)
    verb = lexicon.verb(act["verb"]) if act else None
    plausible = act is not None and (
        verb.form == "base" if verb else bool(act["who"]) and not re.search(r"(?:s|ed|ing|m|not)$", act["verb"])
    )
    if (
        act is None
        or not plausible
        or act["verb"] in _STATIVE
        or (not act["who"] and "always" not in main.casefold() and act["verb"] in {"let", "look"})
    ):
        return None
    if (
        act["verb"].endswith("ly")
        or _is_past(main)
        or re.search(r"\b(?:years?|months?|weeks?|days?|hours?|a while|that|this)$", condition)
    ):
        return None
    if dates.find(f"{word} {condition}", "en")[0] or not act["rest"].strip():
        return None
    return Draft(
        subject=speaker.subject,
        slot="procedure",
        object=deeds.key(condition),
        content=wording.third_person(text, speaker.subject),
        plural=act["who"] == "we",
    )


def _is_past(text: str) -> bool:
    return any(
        (verb := lexicon.verb(word)) is not None
        and verb.form in {"past", "past_or_participle"}
        and verb.base not in {"set", "put", "cut", "hit", "let", "read", "quit"}
        for word in re.findall(r"[a-z]+", text)
    )


def split_cause(text: str) -> tuple[str, str]:
    """(effect, the clause that gives the reason; empty if there is none)."""
    match = _BECAUSE.search(text)
    return (text[: match.start()], match["cause"]) if match else (text, "")


def risk(text: str, speaker: Speaker) -> Draft | None:
    """ "The release may slip because the vendor is late.\""""
    effect, cause = split_cause(text)
    for pattern in _RISKS:
        match = pattern.match(effect)
        if match is None:
            continue
        groups = match.groupdict()
        who = lexicon.bare(groups.get("who") or "")
        if who.casefold() in {
            "you",
            "he",
            "she",
            "it",
            "they",
            "that",
            "this",
            "who",
            "what",
            "there",
            "one",
        } or who.startswith(("I ", "you ", "if ", "we ")):
            continue
        mine = not who or who.casefold() in {"i", "we"}
        phrases, what = dates.find(_BECAUSE_OF.sub("", match["what"]), "en")
        return Draft(
            subject=speaker.subject if mine else who, slot="risk", object=deeds.key((who + " " if not mine else "") + re.sub(r"^is |\bif .*|\b(?:might|may|could) ", "", what)), cause=cause,
            content=wording.third_person(text, speaker.subject), phrases=phrases, cell_type="risk", basis="first_person", plural=who.casefold() == "we",
        )  # fmt: skip
    return None


def cause_of(cause: str, speaker: Speaker) -> Draft | None:
    """The reason of a risk or a decision as a statement of its own: "the vendor is late"."""
    match = re.match(
        r"(?P<who>(?:the |our |my |this |that )?[\w' -]{1,40}?) (?P<verb>is|are|was|were|has|have|keeps?|does|do|takes?|needs?|lacks?|can not|[a-z]+s)\b (?P<what>.+)",
        cause,
    )
    if match is None:
        return None
    who = lexicon.bare(match["who"])
    if who.casefold() in {"i", "we", "it", "he", "she", "they", "you", "that", "this", "there"}:
        return None
    polarity = -1 if re.search(r"\b(?:not|no longer)\b", cause) else 1
    stated = wording.third_person(cause, speaker.subject)
    return Draft(
        subject=who,
        slot="state",
        object=deeds.key(match["what"]),
        shown=match["what"],
        content=stated,
        basis="first_person",
        polarity=polarity,
    )
