"""The days that a date in words means, by dateparser, which knows the words of many languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from mnemolog.schema.cells import Granularity

if TYPE_CHECKING:
    from dateparser.date import DateDataParser

Tense = Literal["past", "future"]
#: (first day, day after the last, granularity), as if in UTC.
Days = tuple[datetime, datetime, Granularity]

_COARSE = frozenset({"week", "month", "year"})


@lru_cache(maxsize=4096)
def days(words: str, language: str, today: datetime, tense: Tense) -> Days | None:
    """The days that words such as `7 may 2023`, `vor 3 tagen` or `先週` mean; None where the library knows none.

    Numbers stand in digits. What names no year or week lies before `today` (midnight, UTC) or after it, by `tense`.
    """
    data = _parser(language, tense, today).get_date_data(words)
    if data is None or data.date_obj is None:
        return None
    return whole(data.date_obj.replace(tzinfo=UTC), data.period if data.period in _COARSE else "day")


def whole(day: datetime, period: str) -> Days:
    """The day, ISO week, month or year that a day lies in."""
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7), "week"
    if period == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1), "month"
    if period == "year":
        first = day.replace(month=1, day=1)
        return first, first.replace(year=first.year + 1), "year"
    return day, day + timedelta(days=1), "day"


@lru_cache(maxsize=64)
def _parser(language: str, tense: Tense, today: datetime) -> DateDataParser:
    # It takes as long to load as all the rest of a command: only who asks about a date waits for it.
    parser: DateDataParser = import_module("dateparser.date").DateDataParser(
        languages=[language],
        settings={
            "RELATIVE_BASE": today.replace(tzinfo=None),
            "PREFER_DATES_FROM": tense,
            "PREFER_DAY_OF_MONTH": "first",
            "RETURN_AS_TIMEZONE_AWARE": False,
            # Without it the library asks for the machine's own time zone.
            "TIMEZONE": "UTC",
        },
    )
    return parser
