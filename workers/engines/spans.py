"""Spans: what a date that a model writes means, in the offset of the message that it is about."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import msgspec

from mnemolog.schema.cells import Granularity
from mnemolog.schema.times import MINUTE, check, from_datetime

#: Coarser ones later.
GRANULARITIES: tuple[Granularity, ...] = ("instant", "day", "week", "month", "season", "year")

_YEAR = re.compile(r"(\d{4})")
_SEASON = re.compile(r"(\d{4})-(spring|summer|autumn|fall|winter)", re.IGNORECASE)
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
#: The first month of each season in the northern hemisphere; winter begins in December.
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}


class Span(msgspec.Struct, frozen=True):
    """[start, end) in UTC milliseconds; an instant ends where it starts."""

    start: int
    end: int
    granularity: Granularity

    @property
    def last(self) -> int:
        """The last millisecond of it."""
        return max(self.start, self.end - 1)


def read(text: str, offset_min: int) -> Span:
    """The span of a year, season, month, ISO week, day or time, as in 2026, 2026-summer, 2026-03, 2026-W11, 2026-03-09.

    What states no offset is meant in `offset_min`, minutes east of UTC. Raises ValueError for anything else.
    """
    written = text.strip()
    days = _days(written)
    if days is None:
        return _instant(written, offset_min)
    first, after, granularity = days
    return Span(_ms(first, offset_min), _ms(after, offset_min), granularity)


def _days(written: str) -> tuple[date, date, Granularity] | None:
    if found := _DAY.fullmatch(written):
        first = date(*map(int, found.groups()))
        return first, first + timedelta(days=1), "day"
    if found := _WEEK.fullmatch(written):
        first = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return first, first + timedelta(days=7), "week"
    if found := _MONTH.fullmatch(written):
        return _months(int(found[1]), int(found[2]), 1, "month")
    if found := _SEASON.fullmatch(written):
        return _months(int(found[1]), _SEASONS[found[2].casefold()], 3, "season")
    if found := _YEAR.fullmatch(written):
        return _months(int(found[1]), 1, 12, "year")
    return None


def _months(year: int, month: int, count: int, granularity: Granularity) -> tuple[date, date, Granularity]:
    years, after = divmod(month - 1 + count, 12)
    return date(year, month, 1), date(year + years, after + 1, 1), granularity


def _ms(day: date, offset_min: int) -> int:
    midnight = from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return check(midnight - offset_min * MINUTE)


def _instant(written: str, offset_min: int) -> Span:
    value = datetime.fromisoformat(written)
    stated = value.tzinfo is not None
    ms = from_datetime(value if stated else value.replace(tzinfo=UTC))
    at = check(ms if stated else ms - offset_min * MINUTE)
    return Span(at, at, "instant")
