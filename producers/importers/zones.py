"""Times of exports in the time zone of the person they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from mnemolog.producers.messages import Time
from mnemolog.schema import times
from mnemolog.schema.errors import InvalidTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_seconds(seconds: float, zone: str | None) -> Time:
    """The time of seconds since 1970, with the offset that the zone had then. Raises InvalidTime."""
    if not abs(seconds) < times.MAX_MS / 1000:
        raise InvalidTime(f"{seconds} (seconds since 1970) lies outside the years 1 to 9999")
    ms = times.check(round(seconds * 1000))
    return ms if zone is None else _at_offset(ms, times.utc_offset_min(zone, ms))


def from_text(text: str, zone: str | None) -> Time:
    """The time of ISO 8601; one without an offset is meant in the zone. Raises InvalidTime where there is none."""
    try:
        stated = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidTime(f"{text[:60]!r} is not a time in ISO 8601") from None
    if stated.tzinfo is None:
        return local(stated, zone)
    return stated if zone is None else from_seconds(stated.timestamp(), zone)


def local(naive: datetime, zone: str | None) -> datetime:
    """A time by the clocks of a zone. One that clocks showed twice is the first, one that they left out the next hour.

    Raises InvalidTime without a zone, or for an unknown one.
    """
    if zone is None:
        raise InvalidTime(
            "times without an offset: say with --time-zone where they were written (Europe/Berlin, +01:00)"
        )
    ms = (naive.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    before = times.utc_offset_min(zone, ms - 24 * times.HOUR)
    offset = before if _holds(zone, ms, before) else times.utc_offset_min(zone, ms - before * times.MINUTE)
    return naive.replace(tzinfo=timezone(timedelta(minutes=offset)))


def _holds(zone: str, local_ms: int, offset: int) -> bool:
    return times.utc_offset_min(zone, local_ms - offset * times.MINUTE) == offset


def _at_offset(ms: int, offset_min: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(timezone(timedelta(minutes=offset_min)))
