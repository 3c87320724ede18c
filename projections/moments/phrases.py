"""The spans of time that the phrases of a question mean, in languages that put spaces between words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec

from mnemolog.projections.moments import spans
from mnemolog.projections.moments.dates import Tense, days
from mnemolog.projections.moments.grammar import COMMON, Grammar
from mnemolog.projections.moments.spans import BEGIN, END, MONTHS, WEEKDAYS, Found, Span

_YEAR = re.compile(r"(?:19|20)[0-9]{2}(?![0-9])")
_ENDS = re.compile(r"\s*(?:$|[?!.,;:)\]\"”–-]|[A-Z])")
_NEXT_WORD = re.compile(r"\s*([^\W_]+)")
_NUMBER = re.compile(r"[0-9]{1,2}(?:st|nd|rd|th)?(?![\w:.])")
_DIGITS = re.compile(r"[0-9]+")
_PARTS_OF_DAY = frozenset({"morning", "afternoon", "evening", "night"})
_UNITS = frozenset({"week", "month", "year", "decade"})
_VERBS_TOO = frozenset({"may", "march", "mar"})
_SHORT = frozenset({"jan", "mar", "jun", "sep", "dec"})


class Asked(msgspec.Struct, frozen=True):
    """A question being read: its text, the words of its language, and when it is asked, on the asker's clock."""

    text: str
    language: str
    words: Grammar
    now: datetime
    tense: Tense


def joined(found: list[Found]) -> list[Found]:
    """The spans, with an open end and an open beginning that overlap made one."""
    since = [one for one in found if one.span[1] == END]
    until = [one for one in found if one.span[0] == BEGIN]
    if len(since) != 1 or len(until) != 1 or since[0].span[0] >= until[0].span[1]:
        return found
    both = Found(
        min(since[0].place, until[0].place), max(since[0].end, until[0].end), (since[0].span[0], until[0].span[1])
    )
    return [both, *(one for one in found if one not in {since[0], until[0]})]


def found_in(asked: Asked) -> Iterator[Found]:
    """The spans that a question tells."""
    text = asked.words.never.sub(blanked, asked.text)
    for finder in (_ranges, _beside, _phrases):
        for found in finder(asked, text):
            yield found
            text = text[: found.place] + " " * (found.end - found.place) + text[found.end :]


def blanked(match: re.Match[str]) -> str:
    """Spaces in place of a match, so that what follows keeps its place."""
    return " " * len(match[0])


def _ranges(asked: Asked, text: str) -> list[Found]:
    found = [_range(asked, text, begin) for begin in asked.words.between.finditer(text)]
    return [one for one in found if one is not None]


def _range(asked: Asked, text: str, begin: re.Match[str]) -> Found | None:
    words = asked.words
    first = words.point.match(text, begin.end()) or _NUMBER.match(text, begin.end())
    join = first and words.join.match(text, first.end())
    second = join and (words.point.match(text, join.end()) or _NUMBER.match(text, join.end()))
    if not first or not second:
        return None
    a, b = first[0], second[0]
    month = words.month.search(a) or words.month.search(b)
    if month and a.isdigit():
        a = f"{a} {month[0]}"
    if month and b.isdigit():
        b = f"{month[0]} {b}"
    year = _YEAR.search(text[second.end() : second.end() + 6].lstrip(", "))
    end = second.end()
    if year and b.startswith(month[0] if month else "\0") and not _YEAR.search(b):
        b, end = f"{b} {year[0]}", second.end() + text[second.end() :].index(year[0]) + 4
    stated = _YEAR.search(b)
    if stated and not _YEAR.search(a):
        a = f"{a} {stated[0]}"
    last = _read(asked, b, asked.now)
    if last is None:
        return None
    start = _read(asked, a, last[1] if stated else last[0])
    if start is None or start[0] >= last[1]:
        return None
    return Found(begin.start(), end, (start[0], last[1]))


def _read(asked: Asked, words: str, now: datetime) -> Span | None:
    match = asked.words.point.fullmatch(words)
    return None if match is None else _span(asked, match, now)


def _beside(asked: Asked, text: str) -> list[Found]:
    found = [_near(asked, text, match) for match in asked.words.beside.finditer(text)]
    return [one for one in found if one is not None]


def _near(asked: Asked, text: str, match: re.Match[str]) -> Found | None:
    """The week before 3 August 2023; two weeks after it; the Sunday before it."""
    words = asked.words
    anchor = words.point.match(text, match.end())
    date = _span(asked, anchor, asked.now) if anchor and anchor["date"] else None
    if anchor is None or date is None:
        return None
    what, ahead = match["what"].casefold(), match["side"].casefold() in {"after", "following"}
    span: Span | None
    if what not in words.units:
        span = spans.named(words.names[what], "next" if ahead else "last", date[0])
    elif match["n"] and not match["all"]:
        number = words.numbers.get(match["n"].casefold(), match["n"])
        unit = words.units[what]
        found = days(f"in {number} {unit}" if ahead else f"{number} {unit} ago", "en", date[0], "past")
        span = found and found[:2]
    else:
        number = words.numbers.get((match["n"] or "1").casefold(), match["n"] or "1")
        within = spans.within(int(number), words.units[what], date[0] - timedelta(days=1))
        span = (date[1], date[1] + (within[1] - within[0])) if ahead else within
    return None if span is None else Found(match.start(), anchor.end(), span)


def _phrases(asked: Asked, text: str) -> list[Found]:
    found = []
    for match in asked.words.phrase.finditer(text):
        span = _span(asked, match, asked.now) if _is_told(asked, match) else None
        if span is not None:
            found.append(Found(match.start(), match.end(), _bounded(asked, match, span)))
    return found


def _bounded(asked: Asked, match: re.Match[str], span: Span) -> Span:
    match asked.words.bounds.get((match["prep"] or "").casefold()):
        case "since" if match["ago"] is None or asked.language == "en":
            return span[0], END
        case "after":
            return span[1], END
        case "until":
            return BEGIN, span[1]
        case "before":
            return BEGIN, span[0]
        case _:
            return span


def _is_told(asked: Asked, match: re.Match[str]) -> bool:
    """Whether a name or a number tells a time where it stands: `in May` does, `may I` does not."""
    prep = (match["prep"] or "").casefold()
    introduced = bool(prep or match["share"])
    if match["date"]:
        month = asked.words.month.search(match["date"])
        if month is None:
            return introduced or match["date"].count("-") != 1
        clear = introduced or _YEAR.search(match["date"]) is not None
        return clear or (month[0] not in _VERBS_TOO and _ends(asked, match))
    if match["which"]:
        return not (asked.words.which[match["which"].casefold()] == "this" and match["named"] in _VERBS_TOO)
    if match["bare"] and match["bare_year"]:
        return True
    if match["bare"] or match["year"] or match["decade"]:
        return introduced and _name_is_told(asked, match, prep)
    return True


def _name_is_told(asked: Asked, match: re.Match[str], prep: str) -> bool:
    words = asked.words
    name = (match["bare"] or "").casefold()
    thing = words.names.get(name, "year")
    kind = "name" if name in words.people else _kind(thing)
    if match["bare"] and (thing in _UNITS or thing in _PARTS_OF_DAY or name in _SHORT):
        return bool(match["share"]) and thing in _UNITS
    if kind in {"weekday", "other"} and words.habit.search(asked.text):
        return False
    if not words.told_after:
        return True
    clear = bool(match["share"]) or kind not in words.told_after or prep in words.told_after[kind]
    return clear and _ends(asked, match)


def _kind(thing: str) -> str:
    if thing == "year":
        return "year"
    return "month" if thing in MONTHS else "weekday" if thing in WEEKDAYS else "other"


def _ends(asked: Asked, match: re.Match[str]) -> bool:
    """Whether no noun or verb follows of which the words before it could be a part or the doer."""
    if _ENDS.match(asked.text, match.end()):
        return True
    word = _NEXT_WORD.match(asked.text, match.end())
    return word is not None and word[1].casefold() in COMMON[asked.language]


def _span(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    """What a point means, seen from `now`; None where it means nothing, or nothing in the years 1 to 9999."""
    try:
        span = _whole(asked, match, now)
        if span is None or match["share"] is None:
            return span
        return spans.share(span, asked.words.shares[match["share"].casefold()])
    except (ValueError, OverflowError):
        return None


def _whole(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    read = next((read for group, read in _READ.items() if match[group]), _named)
    return read(asked, match, now)


def _date(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    written = match["date"]
    month = asked.words.month.search(written)
    if month is None:
        # With points between them the day comes first, also in English.
        found = days(written, "de" if "." in written else asked.language, spans.midnight(now), asked.tense)
        return found and found[:2]
    name = asked.words.names[month[0].casefold()]
    stated = _YEAR.search(written)
    year = int(stated[0]) if stated else None
    day = _DIGITS.search(_YEAR.sub("", written))
    if day is None:
        return None if year is None else spans.in_year(name, year)
    return spans.date(int(day[0]), name, year, now, asked.tense)


def _rolling(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    number, unit = _amount(asked.words, match["rolling"])
    return spans.within(number, unit, now)


def _named(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    words = asked.words
    if match["bare"]:
        thing = words.names[match["bare"].casefold()]
        if match["bare_year"]:
            known = thing not in _UNITS | _PARTS_OF_DAY | {*WEEKDAYS, "weekend"}
            return spans.in_year(thing, int(match["bare_year"])) if known else None
        which: spans.Which = "this" if thing in _UNITS else "at"
    else:
        thing = words.names[(match["named"] or match["named_after"]).casefold()]
        which = words.which[(match["which"] or match["which_after"]).casefold()]  # type: ignore[assignment]
    span = spans.named(thing, which, now, asked.tense)
    if span is not None and match["bare_part"]:
        return spans.part_of_day(span[0], words.names[match["bare_part"].casefold()])
    return span


def _day(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    word = match["days"].casefold()
    if word == "tonight":
        return spans.named("night", "this", now)
    span = _days(word, asked, spans.midnight(now))
    if span is None or match["part"] is None:
        return span
    return spans.part_of_day(span[0], asked.words.names[match["part"].casefold()])


def _days(words: str, asked: Asked, today: datetime) -> Span | None:
    found = days(" ".join(words.split()), asked.language, today, asked.tense)
    return None if found is None else found[:2]


def _ago(asked: Asked, match: re.Match[str], now: datetime) -> Span | None:
    number, unit = _amount(asked.words, match["ago"])
    if unit in {"minute", "hour"}:
        return spans.moment_ago(number, unit, now)
    found = days(f"{number} {unit} ago", "en", spans.midnight(now), "past")
    return None if found is None else found[:2]


def _amount(words: Grammar, text: str) -> tuple[int, str]:
    match = next(match for match in reversed(list(words.amount.finditer(text))) if match["unit"])
    number = (match["n"] or "1").casefold()
    return int(words.numbers.get(number, number)), words.units[match["unit"].casefold()]


_READ: dict[str, Callable[[Asked, re.Match[str], datetime], Span | None]] = {
    "date": _date,
    "ago": _ago,
    "rolling": _rolling,
    "days": _day,
    "quarter": lambda _, match, __: spans.quarter(int(match["quarter_year"]), int(match["quarter"][1])),
    "decade": lambda _, match, __: spans.years(int(match["decade"]), 10),
    "year": lambda _, match, __: spans.years(int(match["year"])),
}
