"""Wording: the sentence that a cell says, in the language of its message, with names and dates."""

from __future__ import annotations

import re
from functools import cache

from mnemolog.workers.rules import lexicon

_ORDER = ("present", "negative", "no_longer", "past", "planned", "planned_against")
_SHOWN_NAME = {"en": "The user", "de": "Die Person", "es": "La persona", "zh": "用户"}
_DATED = {
    "en": {"since": "since {d}", "until": "until {d}", "in": "({d})", "due": "by {d}"},
    "de": {"since": "seit {d}", "until": "bis {d}", "in": "({d})", "due": "bis {d}"},
    "es": {"since": "desde {d}", "until": "hasta {d}", "in": "({d})", "due": "para {d}"},
    "zh": {"since": "（自 {d} 起）", "until": "（到 {d} 为止）", "in": "（{d}）", "due": "（{d} 之前）"},
}
#: The sentence where the job that ended is not named.
_LEFT = {
    "en": "{n} no longer has their job",
    "de": "{n} hat die Stelle nicht mehr",
    "es": "{n} ya no tiene su trabajo",
    "zh": "{n}离职了",
}
_FIRST_PERSON = (
    (r"\bI am\b", "{n} is"),
    (r"\bI was\b", "{n} was"),
    (r"\bam\b", "is"),
    (r"\bI have\b", "{n} has"),
    (r"\bI do not\b", "{n} does not"),
    (r"\b(?:we|us)\b", "{n} and others"),
    (r"\bWe\b", "{n} and others"),
    (r"\b(?:my|our|mine|ours)\b", "{n}'s"),
    (r"\b(?:My|Our)\b", "{n}'s"),
    (r"\b(?:myself|ourselves)\b", "themselves"),
    (r"\bme\b", "{n}"),
)
_AGREES = frozenset(
    [
        "can",
        "could",
        "will",
        "would",
        "must",
        "should",
        "may",
        "might",
        "shall",
        "am",
        "is",
        "was",
        "were",
        "are",
        "had",
        "did",
        "who",
        "and",
        "or",
        "will",
        "not",
        "never",
    ]
)


@cache
def _phrases(language: str) -> dict[str, dict[str, str]]:
    rows = (line.split(" | ") for line in lexicon.lines(f"phrases_{language}.txt"))
    return {slot: dict(zip(_ORDER, forms, strict=False)) for slot, *forms in rows}


def shown_name(subject: str, language: str) -> str:
    """How a subject is called in a sentence: its own name, or "the user" where nobody gave one."""
    return _SHOWN_NAME[language] if subject == "user" else subject


def phrase(language: str, subject: str, slot: str, shown: str, form: str) -> str:
    """The sentence of a slot's form, without a full stop: "Ada no longer lives in Munich"."""
    if not shown:
        return _LEFT[language].format(n=shown_name(subject, language))
    family = next((prefix for prefix in ("preferred_", "chosen_") if slot.startswith(prefix)), slot)
    table = _phrases(language)
    known = table.get(family, {})
    if form not in known:
        language, known = "en", _phrases("en").get(family, {})
    fallback = (
        f"{slot.replace('_', ' ')} is not" if form in {"negative", "no_longer"} else f"{slot.replace('_', ' ')} is"
    )
    words = known.get(form, known.get("present", fallback + " {o}"))
    said = (
        words.format(o=shown, c=slot.removeprefix(family).replace("_", " "))
        if family != slot
        else words.format(o=shown, c="")
    )
    said = re.sub(r"\ba (?=[aeio])", "an ", said) if language == "en" else said
    said = (
        re.sub(r"\ban? (?=(?:an?|the|my|two|three|\w+s) )", "", said)
        if form == "present" and slot in {"pet", "owns"}
        else said
    )
    return f"{shown_name(subject, language)}{'' if language == 'zh' else ' '}{said}"


def dated(language: str, sentence: str, how: str, day: str) -> str:
    """A sentence with its date: "Ada lives in Berlin since 2026-02"."""
    gap = "" if language == "zh" else " "
    return f"{sentence}{gap}{_DATED[language][how].format(d=day)}"


def stop(sentence: str, language: str) -> str:
    """A sentence with its full stop."""
    return sentence.rstrip(" .。!！") + ("。" if language == "zh" else ".")


def third_person(text: str, subject: str) -> str:
    """English said in the first person, told about `subject`: "I clear the cache" becomes "Ada clears the cache"."""
    name = shown_name(subject, "en")
    for pattern, other in _FIRST_PERSON:
        text = re.sub(pattern, other.format(n=name), text)

    def agree(match: re.Match[str]) -> str:
        word = match[2]
        verb = lexicon.verb(word)
        plain = verb.form == "base" if verb else not re.search(r"(?:s|ed|ing|ly)$", word)
        told = lexicon.third_person(word) if plain and word not in _AGREES else word
        return f"{name} {match[1] or ''}{told}"

    text = re.sub(r"\bI ((?:always|usually|just|also|often|still|never|first|then|really) )?(\w+)", agree, text)
    text = re.sub(r"\bI\b", name, text)
    return text[:1].upper() + text[1:]
