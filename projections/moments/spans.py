"""The span of time that a phrase of a question means: which days, or which part of a day.

All is reckoned in datetimes of the asker's wall clock, written as if in UTC, half-open. Seasons are those of the
northern hemisphere, by whole months.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from mnemolog.projections.moments.dates import Tense, days, whole

Span = tuple[datetime, datetime]
Which = Literal["last", "this", "next", "at"]

#: The ends of a span that has none.
BEGIN = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
#: From and until which hour of the day; past 24 it is the next day's.
_HOURS = {"morning": (5, 12), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(7)}
_SHARES = {"early": (0, 3), "mid": (1, 3), "late": (2, 3), "half1": (0, 2), "half2": (1, 2)}
_THURSDAY = 3
_DECADE = 10
_LAST_WEEK = 5


class Found(msgspec.Struct, frozen=True):
    """A span, and from and until which character of the text its words stand."""

    place: int
    end: int
    span: Span


def midnight(now: datetime) -> datetime:
    """The beginning of a day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def named(thing: str, which: Which, now: datetime, tense: Tense = "past") -> Span | None:
    """The last, this or next week, May, Monday, summer, Christmas or evening.

    `at` is the one that is meant where the question does not say which, by its tense.
    """
    today = midnight(now)
    if thing in _HOURS:
        return part_of_day(today - timedelta(days=which == "last") + timedelta(days=which == "next"), thing)
    if thing in {"week", "month", "year"}:
        found = days(f"{'this' if which == 'at' else which} {thing}", "en", today, tense)
        return None if found is None else found[:2]
    if thing == "day":
        return today, today + timedelta(days=1)
    if thing == "decade":
        return whole(today.replace(year=today.year - _DECADE), "day")[0], today + timedelta(days=1)
    return _chosen(sorted(_instances(thing, today)), which, today, tense)


def _chosen(spans: list[Span], which: Which, today: datetime, tense: Tense) -> Span | None:
    if which == "this":
        return min(spans, key=lambda span: abs(span[0] + (span[1] - span[0]) / 2 - today), default=None)
    if which == "next" or (which == "at" and tense == "future"):
        return min((span for span in spans if span[0] > today), default=None)
    # A Monday or a weekend that has begun is called today; a summer that has begun is meant already.
    long_ones = which == "at" and spans and spans[0][1] - spans[0][0] > timedelta(days=2)
    return max((span for span in spans if (span[0] if long_ones else span[1]) <= today), default=None)


def _instances(thing: str, today: datetime) -> Iterable[Span]:
    if thing in WEEKDAYS or thing == "weekend":
        first = today - timedelta(days=today.weekday()) + timedelta(days=5 if thing == "weekend" else _weekday(thing))
        length = timedelta(days=2 if thing == "weekend" else 1)
        return [(day, day + length) for day in (first + timedelta(weeks=weeks) for weeks in (-1, 0, 1))]
    return [_in_year(thing, today.replace(month=1, day=1, year=today.year + years)) for years in (-2, -1, 0, 1)]


def _weekday(thing: str) -> int:
    return WEEKDAYS.index(thing)


def in_year(thing: str, year: int) -> Span:
    """A month, season or holiday of a year. A winter begins in its year's December."""
    return _in_year(thing, datetime(year, 1, 1, tzinfo=UTC))


def _in_year(thing: str, year: datetime) -> Span:
    if thing in MONTHS:
        return whole(year.replace(month=1 + MONTHS.index(thing)), "month")[:2]
    if thing in _SEASONS:
        first = year.replace(month=_SEASONS[thing])
        return first, (first + timedelta(days=95)).replace(day=1)
    first, length = _HOLIDAYS[thing](year)
    return first, first + timedelta(days=length)


def date(day: int, month: str, year: int | None, now: datetime, tense: Tense) -> Span | None:
    """A day of a month; without a year, the last or the next such day, by the tense of the question."""
    # Asked in English: with the names of other languages dateparser takes days of two digits for years, or nothing.
    found = days(f"{day} {month}" if year is None else f"{day} {month} {year}", "en", midnight(now), tense)
    return found and found[:2]


def _easter(year: datetime) -> datetime:
    """Easter Sunday by the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8)."""
    golden = year.year % 19
    century, rest = divmod(year.year, 100)
    shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - shift + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return year.replace(month=month, day=day + 1)


def _thanksgiving(year: datetime) -> datetime:
    """The fourth Thursday of November, as in the United States."""
    first = year.replace(month=11)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 21)


_HOLIDAYS: dict[str, Callable[[datetime], tuple[datetime, int]]] = {
    "christmas": lambda year: (year.replace(month=12, day=24), 3),
    "easter": lambda year: (_easter(year) - timedelta(days=2), 4),
    "new year": lambda year: (year.replace(month=12, day=31), 2),
    "halloween": lambda year: (year.replace(month=10, day=31), 1),
    "thanksgiving": lambda year: (_thanksgiving(year), 4),
    "valentine": lambda year: (year.replace(month=2, day=14), 1),
}


def part_of_day(day: datetime, part: str) -> Span:
    """The morning, afternoon, evening or night of a day; the night ends on the next morning."""
    first, last = _HOURS[part]
    return day + timedelta(hours=first), day + timedelta(hours=last)


def _month(number: int) -> datetime:
    """The first day of a month, counted from that of the year 0."""
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def day_of(week: Span, first: int, length: int = 1) -> Span:
    """So many days of a week, the first of which is Monday (0) to Sunday (6)."""
    start = week[0] + timedelta(days=first)
    return start, start + timedelta(days=length)


def within(number: int, unit: str, now: datetime) -> Span:
    """The last so many days, months …, today included; of hours and minutes exactly until now."""
    if unit in {"minute", "hour"}:
        return now - number * _UNITS[unit], now + timedelta(milliseconds=1)
    end = midnight(now) + timedelta(days=1)
    if unit in _UNITS:
        return end - number * _UNITS[unit], end
    first = _month(12 * end.year + end.month - 1 - number * (12 if unit == "year" else 1))
    return min(first + timedelta(days=end.day - 1), whole(first, "month")[1]), end


def years(first: int, number: int = 1) -> Span:
    """So many calendar years."""
    return datetime(first, 1, 1, tzinfo=UTC), datetime(first + number, 1, 1, tzinfo=UTC)


def quarter(year: int, number: int) -> Span:
    """A quarter (1 to 4) of a year."""
    first = datetime(year, 3 * number - 2, 1, tzinfo=UTC)
    return first, (first + timedelta(days=95)).replace(day=1)


def moment_ago(number: int, unit: str, now: datetime) -> Span:
    """Around so many minutes or hours ago."""
    return now - (number + 1) * _UNITS[unit], now - (number - 1) * _UNITS[unit]


def share(span: Span, of: str) -> Span:
    """A third of a span (`early`, `mid`, `late`), its `half1` or `half2`, its `week1` … `week5`, or its `evening`.

    The fifth week is the last one.
    """
    if of in _HOURS:
        return part_of_day(span[0], of)
    if of.startswith("week"):
        number = int(of[-1])
        start = span[1] - timedelta(days=7) if number == _LAST_WEEK else span[0] + timedelta(days=7 * (number - 1))
        return start, start + timedelta(days=7)
    place, parts = _SHARES[of]
    if span == years(span[0].year):
        january, months = 12 * span[0].year, 12 // parts
        return _month(january + months * place), _month(january + months * (place + 1))
    length = span[1] - span[0]
    first, last = (span[0] + length * step / parts for step in (place, place + 1))
    return (midnight(first), midnight(last)) if length >= timedelta(days=parts) else (first, last)
