"""Times: integer UTC milliseconds everywhere; naive times are refused at the door."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mnemolog.schema.errors import InvalidTime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Years 1 to 9999, the range of ISO 8601 dates that can be shown again.
MIN_MS = -62_135_596_800_000
MAX_MS = 253_402_300_799_999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>0\d|1[0-4]):(?P<minutes>[0-5]\d)")


def from_datetime(value: datetime) -> int:
    """Milliseconds since 1970 (UTC) of an aware datetime. Raises InvalidTime for a naive one."""
    if value.tzinfo is None or value.utcoffset() is None:
        told = value.isoformat()
        raise InvalidTime(f"the time {told} has no offset: add 'Z' for UTC or an offset such as '+01:00' ({told}Z)")
    return (value - _EPOCH) // timedelta(milliseconds=1)


def check(ms: int) -> int:
    """The same milliseconds, if they lie in the years 1 to 9999. Raises InvalidTime otherwise."""
    if not MIN_MS <= ms <= MAX_MS:
        raise InvalidTime(f"the time {ms} (milliseconds) lies outside the years 1 to 9999")
    return ms


def parse(text: str) -> int:
    """Milliseconds (UTC) of an ISO 8601 time with an offset, or of integer milliseconds given as text.

    Raises InvalidTime for anything else, a time without an offset included.
    """
    return parse_with_offset(text)[0]


def parse_with_offset(text: str) -> tuple[int, int]:
    """(milliseconds in UTC, minutes east of UTC that the text states). Raises InvalidTime as `parse` does."""
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped):
        return check(int(stripped)), 0
    try:
        value = datetime.fromisoformat(stripped)
    except ValueError:
        raise InvalidTime(
            f"{text!r} is not a time: give ISO 8601 with an offset, such as 2026-03-09T10:00:00+01:00, "
            "or integer milliseconds"
        ) from None
    ms = from_datetime(value)
    offset = value.utcoffset() or timedelta(0)
    return check(ms), int(offset.total_seconds() // 60)


def utc_offset_min(zone: str, at: int) -> int:
    """Minutes east of UTC of a time zone (`Europe/Berlin`, or an offset such as `+01:00`) at a time (milliseconds).

    Raises InvalidTime for a zone that is not known.
    """
    fixed = _OFFSET.fullmatch(zone.strip())
    if fixed:
        minutes = int(fixed["hours"]) * 60 + int(fixed["minutes"])
        return -minutes if fixed["sign"] == "-" else minutes
    try:
        offset = (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError):
        raise InvalidTime(
            f"{zone!r} is no time zone: give a name such as Europe/Berlin, or an offset such as +01:00"
        ) from None
    return int((offset or timedelta(0)).total_seconds() // 60)


def show(ms: int) -> str:
    """ISO 8601 in UTC, to the second, or to the millisecond where there are some."""
    value = _EPOCH + timedelta(milliseconds=ms)
    return value.isoformat(timespec="milliseconds" if ms % SECOND else "seconds").replace("+00:00", "Z")
