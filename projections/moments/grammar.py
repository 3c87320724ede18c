"""The patterns by which a language tells times, made of the words in `words.toml`."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

_VOCABULARY: dict[str, dict[str, Any]] = tomllib.loads(
    resources.files("mnemolog.projections.moments").joinpath("words.toml").read_text(encoding="utf-8")
)
_WORD = re.compile(r"[^\W_]+")
_YEAR = r"(?:19|20)[0-9]{2}(?![0-9])"
_DAY = r"[0-9]{1,2}(?:st|nd|rd|th|er|\.|º|°)?"
_NOTHING = "(?!)"
_NAMED_UNITS = ("week", "month", "year")
_PARTS = frozenset({"morning", "afternoon", "evening", "night"})


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """A language's patterns; `names` and the tables tell in English what a form means."""

    names: dict[str, str]
    which: dict[str, str]
    shares: dict[str, str]
    bounds: dict[str, str]
    numbers: dict[str, str]
    units: dict[str, str]
    amount: re.Pattern[str]
    month: re.Pattern[str]
    point: re.Pattern[str]
    phrase: re.Pattern[str]
    between: re.Pattern[str]
    join: re.Pattern[str]
    beside: re.Pattern[str]
    first: re.Pattern[str]
    last: re.Pattern[str]
    before: re.Pattern[str]
    after: tuple[re.Pattern[str], ...]
    empty: frozenset[str]
    never: re.Pattern[str]
    people: frozenset[str]
    told_after: dict[str, frozenset[str]]
    habit: re.Pattern[str]
    future: re.Pattern[str]
    past: re.Pattern[str]


def _forms(table: dict[str, str]) -> dict[str, str]:
    return {form: key for key, forms in table.items() for form in forms.split("|")}


def _any(forms: Any) -> str:
    return "(?:" + "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) + ")"


def _words(vocabulary: dict[str, Any]) -> set[str]:
    """The words without which a text in this language tells no time (a year aside)."""
    tables = ("months", "weekdays", "things", "which")
    forms = [form for table in tables for form in _forms(vocabulary[table])]
    told = "|".join([*forms, vocabulary["days"], vocabulary["marks"]])
    return {word for word in _WORD.findall(told) if len(word) > 1}


#: By language, the words that tell a time and the most frequent ones.
TELLING = {language: frozenset(_words(vocabulary)) for language, vocabulary in _VOCABULARY.items()}
COMMON = {language: frozenset(vocabulary["common"].split()) for language, vocabulary in _VOCABULARY.items()}


@lru_cache
def grammar(language: str) -> Grammar:
    """The patterns of `en`, `de`, `es`, `fr`, `it` or `pt`."""
    words = _VOCABULARY[language]
    months, which, shares = _forms(words["months"]), _forms(words["which"]), _forms(words["shares"])
    bounds, numbers, units = _forms(words["bounds"]), _forms(words["numbers"]), _forms(words["units"])
    named_units = {form: key for form, key in units.items() if key in _NAMED_UNITS}
    names = months | _forms(words["weekdays"]) | _forms(words["things"]) | named_units
    fill = {
        "{n}": f"(?:[0-9]{{1,3}}|{_any(numbers)})",
        "{unit}": _any(units),
        "{name}": _any(names),
        "{said}": words.get("said", "").strip(),
        "{thing}": words.get("thing", ""),
    }

    def pattern(text: str) -> re.Pattern[str]:
        for sign, forms in fill.items():
            text = text.replace(sign, forms)
        return re.compile(text, re.IGNORECASE)

    def clause(text: str) -> re.Pattern[str]:
        return pattern(rf"(?<![\w-])(?:{text})(?: |(?<=['])) ?(?P<text>[^?!.,;:\n]{{3,200}})")

    article, of = words["article"], words["of"]
    prep = rf"(?P<prep>{_any([*bounds, *words['at'].split('|')])})(?: |(?<='))(?:{article})?"
    share = rf"(?P<share>{_any(shares)})(?: |(?<=[-']))(?:{article})?"
    rolling = rf"(?P<rolling>(?:{words['rolling']})\b(?! (?:{of})\b))"
    point = rf"(?P<point>{_point(words, _any(months), names, _any(which))})"
    return Grammar(
        names=names,
        which=which,
        shares=shares,
        bounds=bounds,
        numbers=numbers,
        units=units,
        amount=pattern(r"(?P<n>{n})? ?\b(?P<unit>{unit})\b"),
        month=pattern(rf"\b{_any(months)}\b"),
        point=pattern(rf"(?:{article})?(?:{share})?{point}(?P<rolling>(?!))?(?!\w)"),
        phrase=pattern(rf"(?<![\w'-])(?:{rolling}|(?:{prep})?(?:{share})?{point})(?!\w|-\w)"),
        between=pattern(rf"(?<!\w)(?:{words['between']}) (?:{article})?"),
        join=pattern(rf"(?: (?:{words['joins']}) | ?[-–] ?)(?:{article})?"),
        beside=pattern(words.get("beside", _NOTHING)),
        first=pattern(words["first"]),
        last=pattern(words["last"]),
        before=clause(words["before"]),
        after=tuple(clause(words[key]) for key in ("after", "ever_since") if key in words),
        empty=frozenset(words["empty"].split()),
        never=pattern(words.get("never", _NOTHING)),
        people=frozenset(words.get("people", "").split()),
        told_after={kind: frozenset(preps.split("|")) for kind, preps in words.get("told_after", {}).items()},
        habit=pattern(words["habit"]),
        future=pattern(rf"\b(?:{words['future']})\b"),
        past=pattern(rf"\b(?:{words.get('past', _NOTHING)})\b"),
    )


def _point(words: dict[str, Any], month: str, names: dict[str, str], which: str) -> str:
    of, part = rf"(?:(?:{words['of']})(?: |(?<=')))?", _any(form for form, key in names.items() if key in _PARTS)
    date = "|".join(
        (
            rf"{_DAY} ?{of}{month}\b\.?(?:,? ?{of}{_YEAR})?",
            rf"{month}\.? (?:the )?[0-9]{{1,2}}(?:st|nd|rd|th)?(?![0-9:]|[.,][0-9])(?:,? ?{_YEAR})?",
            rf"{month}\.?,? {of}{_YEAR}",
            rf"{_YEAR}-[0-9]{{2}}(?:-[0-9]{{2}})?",
            rf"[0-9]{{1,2}}[./][0-9]{{1,2}}[./]{_YEAR}",
        )
    )
    return "|".join(
        (
            rf"(?P<date>{date})",
            rf"(?P<ago>{words['ago']})",
            rf"(?P<days>{words['days']})(?: (?:por la |à |a )?(?P<part>{part}))?",
            rf"(?P<which>{which})(?: |(?<='))(?P<named>{{name}})",
            rf"(?:{words['article']})?(?P<named_after>{{name}}) (?P<which_after>{which})",
            rf"(?P<quarter>Q[1-4]),? (?P<quarter_year>{_YEAR})",
            r"(?P<decade>(?:19|20)[0-9]0)s",
            rf"(?P<bare>{{name}})(?: (?P<bare_part>{part})\b|,? {of}(?P<bare_year>{_YEAR}))?",
            rf"(?P<year>{_YEAR})",
        )
    )
