"""Dates: finds the time phrases of a clause and resolves them against the message's own time.

A phrase becomes a half-open interval [start, end) of whole days, ISO weeks, months, seasons or years at the
speaker's place, in UTC milliseconds. dateparser says which day a phrase means, and how coarse it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from mnemolog.projections.moments.dates import Days, Tense, days, whole
from mnemolog.schema.cells import Granularity
from mnemolog.schema.times import MINUTE, from_datetime

Part = Literal["at", "since", "until", "by", "before"]

_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
_DAY = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_SEASON = r"(?:spring|summer|autumn|fall|winter)"
_NUMBER = r"(?:\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|a couple of|a few|several)"
_UNIT = r"(?:day|week|month|year)s?"
_YEAR = r"(?:19|20)\d\d"
_REL = r"(?:last|this|next|past|coming|previous|this past|this coming)"
_POINTS_EN = (
    r"(?:the )?day (?:before yesterday|after tomorrow)",
    r"(?:yesterday|today|tonight|tomorrow)(?: (?:morning|afternoon|evening|night))?",
    rf"(?:the )?{_REL} (?:week|weekend|month|year|night|{_DAY}|{_MONTH}|{_SEASON})",
    r"the weekend",
    rf"{_NUMBER} {_UNIT} ago",
    rf"in {_NUMBER} {_UNIT}(?:' time)?",
    r"\d{4}-\d\d-\d\d",
    rf"(?-i:{_MONTH})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,? {_YEAR})?",
    rf"(?:the )?\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?(?-i:{_MONTH})\b(?:,? {_YEAR})?",
    rf"(?:early |late |mid[- ])?(?-i:{_MONTH}) (?:of )?{_YEAR}",
    rf"(?:the )?{_SEASON} (?:of )?{_YEAR}",
    rf"(?:the )?(?:end|beginning|start|middle) of (?:the |this |next |last )?(?:week|month|year|{_MONTH})",
)
#: These need a preposition before them.
_BARE_EN = (_YEAR, rf"(?-i:{_MONTH})", _DAY, rf"(?:the )?{_SEASON}", r"(?:the )?\d{1,2}(?:st|nd|rd|th)")
_PREP = (
    r"(?P<prep>since|starting(?: from| on| in)?|beginning(?: on| in)?|as of|from|until|till|through|by|before|after"
    r"|due(?: on| by| in)?|no later than|at|in|on|during|over|back in|around|sometime|for|all)"
)
_RANGE_EN = re.compile(
    rf"\b(?:from|between) (?P<a>(?:(?-i:{_MONTH}) )?{_YEAR}|(?-i:{_MONTH})) (?:to|until|till|and|through) "
    rf"(?P<b>(?:(?-i:{_MONTH}) )?{_YEAR}|(?-i:{_MONTH}))\b",
    re.IGNORECASE,
)
_POINT_EN = re.compile(
    rf"(?:\b{_PREP} )?\b(?P<point>{'|'.join(_POINTS_EN)})\b(?! old)"
    rf"|\b{_PREP.replace('<prep>', '<prep2>')} (?P<bare>{'|'.join(_BARE_EN)})\b(?!-)",
    re.IGNORECASE,
)
_SPELL_EN = re.compile(
    rf"\b(?:for|over|in) (?:the )?(?:past |last |about |almost |nearly |over |more than )*(?P<spell>{_NUMBER} {_UNIT})"
    r"(?: now)?\b(?! ago)",
    re.IGNORECASE,
)
_POINT_DE = re.compile(
    r"\b(?:(?P<prep>seit|ab|bis(?: zum)?|vor|am|im|in|zum) )?(?:der |dem |den )?(?P<point>"
    r"vorgestern|gestern|heute|morgen|übermorgen"
    r"|(?:letzte[nrs]?|vorige[nrs]?|nächste[nrs]?|kommende[nrs]?|diese[nrs]?) (?:Woche|Monat|Jahr|Wochenende"
    r"|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag)"
    r"|(?:\d{1,2}|einem|einer|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn) "
    r"(?:Tage?n?|Wochen?|Monate?n?|Jahre?n?)"
    r"|(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag)"
    r"|(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)(?: \d{4})?"
    r"|(?:Jahr )?(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_POINT_ES = re.compile(
    r"\b(?:(?P<prep>desde|hasta|para|antes de|hace|en|el|dentro de) )?(?:el |la )?(?P<point>"
    r"anteayer|ayer|hoy|mañana|pasado mañana"
    r"|(?:semana|mes|año) (?:pasad[oa]|que viene|próxim[oa])|(?:próxim[oa]|est[ea]) (?:semana|mes|año)"
    r"|(?:lunes|martes|miércoles|jueves|viernes|sábado|domingo)(?: pasado| que viene)?"
    r"|(?:\d{1,2}|una?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez) (?:días?|semanas?|mes(?:es)?|años?)"
    r"|(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)(?: de \d{4})?"
    r"|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_POINT_ZH = re.compile(
    r"(?P<prep>从|自|到|在)?(?P<point>前天|昨天|今天|明天|后天|上上?个?星期|上周|这周|本周|下周|下个?星期|上个?月|这个月"
    r"|本月|下个?月|前年|去年|今年|明年|(?:\d{1,2}|[一二两三四五六七八九十])(?:天|周|个星期|个月|年)(?:前|后)"
    r"|\d{4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月(?:\d{1,2}[日号])?)(?P<after>以来|开始|之前|以前|起)?"
)
_POINTS = {"de": _POINT_DE, "es": _POINT_ES, "zh": _POINT_ZH}
_SINCE = frozenset({"since", "from", "as of", "after", "seit", "ab", "desde", "从", "自"})
_UNTIL = frozenset({"until", "till", "through", "bis", "bis zum", "hasta", "到"})
_BY = frozenset({"by", "before", "no later than", "para", "antes de"})
_COUNTS = {
    **dict.fromkeys(("a", "an", "one", "einem", "einer", "un", "una", "一"), "1"),
    **dict.fromkeys(("two", "a couple of", "zwei", "dos", "二", "两"), "2"),
    **dict.fromkeys(("three", "a few", "several", "drei", "tres", "三"), "3"),
    **dict.fromkeys(("four", "vier", "cuatro", "四"), "4"),
    **dict.fromkeys(("five", "fünf", "cinco", "五"), "5"),
    **dict.fromkeys(("six", "sechs", "seis", "六"), "6"),
    **dict.fromkeys(("seven", "sieben", "siete", "七"), "7"),
    **dict.fromkeys(("eight", "acht", "ocho", "八"), "8"),
    **dict.fromkeys(("nine", "neun", "nueve", "九"), "9"),
    **dict.fromkeys(("ten", "zehn", "diez", "十"), "10"),
    "twelve": "12",
}
_COUNT = re.compile(r"^(?:in )?(" + "|".join(sorted(_COUNTS, key=len, reverse=True)) + r")(?=[ 天周个年])")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_FUTURE = re.compile(r"^(?:next|coming|this coming|in \d)")
_PAST = re.compile(r"^(?:last|past|previous|this past)|ago$")
_SAME = (
    (re.compile(r"^the "), ""),
    (re.compile(r"^(?:this coming|coming|this) (?=\w+day$)"), ""),
    (re.compile(r"^(?:this past|past|previous) "), "last "),
    (re.compile(r"^coming "), "next "),
    (re.compile(r"(?:early|late|mid[- ]) ?"), ""),
    (re.compile(r" (?:morning|afternoon|evening|night)$"), ""),
    (re.compile(r"^last night$|^last$"), "yesterday"),
    (re.compile(r"^tonight$"), "today"),
    (re.compile(r"' time$"), ""),
    (re.compile(rf"^(?:last|next|this) (?={_MONTH}\b)", re.IGNORECASE), ""),
    (re.compile(r"^(?:end|beginning|start|middle) of (?:the )?(?=week|month|year)"), "this "),
    (re.compile(r"^(?:end|beginning|start|middle) of (?:the )?"), ""),
    (re.compile(r"^(?:el|la) "), ""),
    (re.compile(r"^jahr "), ""),
    (re.compile(r"本"), "这"),
    (re.compile(r"[号]"), "日"),
    (re.compile(r"^这周$"), "this week"),
    (re.compile(r"^这个月$"), "this month"),
    (re.compile(r"^diese woche$|^esta semana$"), "this week"),
    (re.compile(r"^diesen monat$|^este mes$"), "this month"),
    (re.compile(r"^dieses jahr$|^este año$"), "this year"),
    (re.compile(r"^(?:nächste[nrs]?|kommende[nrs]?) (?=\w+tag$|mittwoch)"), "NEXT "),
    (re.compile(r"^semana que viene$|^próxima semana$"), "next week"),
    (re.compile(r"^(?:mes que viene|próximo mes)$"), "next month"),
    (re.compile(r"^(?:año que viene|próximo año)$"), "next year"),
    (re.compile(r"^semana pasada$"), "last week"),
    (re.compile(r"^mes pasado$"), "last month"),
    (re.compile(r"^año pasado$"), "last year"),
)


#: The last day that every month has.
_IN_EVERY_MONTH = 28


class Phrase(msgspec.Struct, frozen=True):
    """A time phrase as it stands: the point in words, the part it plays, and its end where it is a range."""

    point: str
    part: Part
    end: str | None = None


class Span(msgspec.Struct, frozen=True):
    """[start, end) in UTC milliseconds, with the part that it plays in its clause."""

    start: int
    end: int
    granularity: Granularity
    part: Part = "at"


def find(text: str, language: str) -> tuple[tuple[Phrase, ...], str]:
    """The time phrases of a clause, and the clause without them."""
    phrases: list[Phrase] = []

    def keep(match: re.Match[str]) -> str:
        phrases.append(_phrase(match))
        return " "

    if language == "en":
        for pattern in (_RANGE_EN, _POINT_EN, _SPELL_EN):
            text = pattern.sub(keep, text)
    else:
        text = _POINTS[language].sub(keep, text)
    if not phrases:
        return (), text
    return tuple(phrases), re.sub(r"\s+", "" if language == "zh" else " ", text).strip(" ,，")


def _phrase(match: re.Match[str]) -> Phrase:
    groups = match.groupdict()
    if groups.get("a"):
        return Phrase(groups["a"], "at", groups["b"])
    if groups.get("spell"):
        return Phrase(groups["spell"] + " ago", "since" if not match[0].lower().startswith("in ") else "at")
    point = groups.get("point") or groups["bare"]
    word = (groups.get("prep") or groups.get("prep2") or "").casefold()
    if word in {"vor", "hace"}:
        return Phrase(f"{word} {point}", "at")
    if word == "dentro de":
        return Phrase(f"en {point}", "at")
    if groups.get("after") in {"以来", "开始", "起"} or word in _SINCE or word.startswith(("starting", "beginning")):
        return Phrase(point, "since")
    return Phrase(point, "until" if word in _UNTIL else "by" if word in _BY or word.startswith("due") else "at")


def resolve(phrase: Phrase, language: str, local_ms: int, offset_min: int, tense: Tense) -> Span | None:
    """The interval that a phrase means in a message said at `local_ms` of the speaker's wall clock."""
    today = datetime.fromtimestamp(local_ms / 1000, tz=UTC).date().isoformat()
    found = _days(phrase.point, language, today, tense if phrase.part != "by" else "future")
    if found is None:
        return None
    first, last, granularity = found
    if phrase.end is not None:
        ending = _days(phrase.end, language, today, tense)
        if ending is None or ending[1] <= first:
            return None
        last = ending[1]
    return Span(_utc(first, offset_min), _utc(last, offset_min), granularity, phrase.part)


def _utc(day: datetime, offset_min: int) -> int:
    return from_datetime(day) - offset_min * MINUTE


@lru_cache(maxsize=4096)
def _days(point: str, language: str, today: str, tense: Tense) -> Days | None:
    """(first day, day after the last, granularity) at the speaker's place, as if in UTC."""
    base = datetime.fromisoformat(today).replace(tzinfo=UTC)
    words = _plain(point)
    stated = point.casefold()
    tense = "future" if _FUTURE.search(stated) else "past" if _PAST.search(stated) else tense
    year = re.fullmatch(r"(\d{4})年?", words)
    if year:
        return whole(base.replace(year=int(year[1]), month=1, day=1), "year")
    if "weekend" in words:
        return _weekend(words, base, tense)
    if any(season in words for season in _SEASONS):
        return _season(words, base, tense)
    if re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)", words):
        return _day_of_month(int(words[:-2]), base, tense)
    if words.startswith("NEXT "):
        words, tense = words[5:], "future"
    asked = "en" if words.startswith(("this ", "next ", "last ")) else language
    return days(words, asked, base, tense)


def _plain(point: str) -> str:
    """The phrase in the words that dateparser knows, numbers in digits."""
    words = re.sub(r"\s+", " ", point.strip()).casefold()
    for pattern, other in _SAME:
        words = pattern.sub(other, words)
    for prefix in ("vor ", "hace ", "en ", "in "):
        if words.startswith(prefix):
            return prefix + _COUNT.sub(lambda match: _COUNTS[match[1]], words[len(prefix) :])
    return _COUNT.sub(lambda match: _COUNTS[match[1]], words)


def _weekend(words: str, base: datetime, tense: Tense) -> Days:
    weeks = 1 if words.startswith("next") else -1 if words.startswith("last") or tense == "past" else 0
    saturday = base + timedelta(days=5 - base.weekday(), weeks=weeks)
    return saturday, saturday + timedelta(days=2), "day"


def _season(words: str, base: datetime, tense: Tense) -> Days:
    month = next(month for season, month in _SEASONS.items() if season in words)
    stated = re.search(r"\d{4}", words)
    year = int(stated[0]) if stated else base.year
    start = base.replace(year=year, month=month, day=1)
    if not stated and (words.startswith("last") or (tense == "past" and not words.startswith("next"))):
        year -= start + timedelta(days=31) > base
    elif not stated:
        year += start + timedelta(days=90) < base
    start = base.replace(year=year, month=month, day=1)
    return start, (start + timedelta(days=95)).replace(day=1), "season"


def _day_of_month(number: int, base: datetime, tense: Tense) -> Days | None:
    if not 1 <= number <= _IN_EVERY_MONTH:
        return None
    day = base.replace(day=number)
    if tense == "future" and day < base:
        day = (base.replace(day=1) + timedelta(days=32)).replace(day=number)
    if tense == "past" and day > base:
        day = (base.replace(day=1) - timedelta(days=1)).replace(day=number)
    return whole(day, "day")


def show(span_start: int, span_end: int, granularity: str, offset_min: int) -> str:
    """An interval in words: `2019`, `2026-02`, `2026-03-16`, or `2026-03-16 to 2026-03-22`."""
    first = datetime.fromtimestamp((span_start + offset_min * MINUTE) / 1000, tz=UTC)
    last = datetime.fromtimestamp((span_end + offset_min * MINUTE) / 1000, tz=UTC) - timedelta(milliseconds=1)
    if granularity == "year":
        return str(first.year) if first.year == last.year else f"{first.year} to {last.year}"
    if granularity == "month":
        return (
            f"{first:%Y-%m}"
            if (first.year, first.month) == (last.year, last.month)
            else f"{first:%Y-%m} to {last:%Y-%m}"
        )
    if first.date() == last.date() or granularity == "instant":
        return f"{first:%Y-%m-%d}"
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
