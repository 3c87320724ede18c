"""Times: what is accepted, what is refused, and how it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.schema.errors import InvalidTime
from mnemolog.schema.times import MAX_MS, MIN_MS, check, from_datetime, parse, parse_with_offset, show, utc_offset_min

# date -u -d 2026-03-09T10:00:00Z +%s
MARCH = 1_773_050_400_000


@pytest.mark.parametrize(
    ("text", "ms", "offset"),
    [
        ("2026-03-09T10:00:00Z", MARCH, 0),
        ("2026-03-09T10:00:00+00:00", MARCH, 0),
        ("2026-03-09T11:00:00+01:00", MARCH, 60),
        ("2026-03-09T04:30:00-05:30", MARCH, -330),
        ("2026-03-09 10:00:00Z", MARCH, 0),
        ("20260309T100000Z", MARCH, 0),
        ("2026-03-09T10:00Z", MARCH, 0),
        ("  2026-03-09T10:00:00Z\n", MARCH, 0),
        ("2026-03-09T10:00:00.123Z", MARCH + 123, 0),
        ("2026-03-09T10:00:00.123999Z", MARCH + 123, 0),
        ("2026-03-09T10:00:00+23:59", MARCH - 86_340_000, 1439),
        ("1969-12-31T23:59:59.999Z", -1, 0),
        (str(MARCH), MARCH, 0),
        ("-1", -1, 0),
        ("0", 0, 0),
        ("0001-01-01T00:00:00Z", MIN_MS, 0),
        ("9999-12-31T23:59:59.999Z", MAX_MS, 0),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, ms: int, offset: int) -> None:
    assert parse_with_offset(text) == (ms, offset)
    assert parse(text) == ms


@pytest.mark.parametrize("text", ["2026-03-09T10:00:00", "2026-03-09", "2026-W11-1", "2026-03-09T10:00"])
def test_a_time_without_an_offset_is_refused_and_told_to_add_one(text: str) -> None:
    with pytest.raises(InvalidTime, match="has no offset: add 'Z'"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01T00:00:00Z", "1e12", "1.5", "24:00Z", "½", "１２", "\x00"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidTime, match="2026-03-09T10:00:00"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", str(MIN_MS - 1), str(MAX_MS + 1), "9" * 15],
)
def test_a_time_outside_the_years_1_to_9999_is_refused(text: str) -> None:
    with pytest.raises(InvalidTime, match="years 1 to 9999"):
        parse(text)


@pytest.mark.parametrize("ms", [MIN_MS, -1, 0, MAX_MS])
def test_a_time_in_range_is_itself(ms: int) -> None:
    assert check(ms) == ms


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(InvalidTime, match="has no offset"):
        from_datetime(datetime(2026, 3, 9, 10))  # noqa: DTZ001


def test_a_datetime_is_cut_to_the_millisecond_also_before_1970() -> None:
    assert from_datetime(datetime(1970, 1, 1, microsecond=1999, tzinfo=UTC)) == 1
    assert from_datetime(datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)) == -1


@given(st.integers(MIN_MS, MAX_MS))
def test_a_shown_time_reads_back_to_the_millisecond(ms: int) -> None:
    assert parse(show(ms)) == ms


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_every_offset_names_the_same_moment(moment: datetime, offset: int) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=offset)))
    assert parse_with_offset(there.isoformat()) == (from_datetime(there), offset)
    assert from_datetime(there) == from_datetime(moment.replace(tzinfo=UTC))


def test_milliseconds_are_shown_only_where_there_are_some() -> None:
    assert show(MARCH) == "2026-03-09T10:00:00Z"
    assert show(MARCH + 7) == "2026-03-09T10:00:00.007Z"


@pytest.mark.parametrize(
    ("zone", "at", "minutes"),
    [
        ("UTC", "2026-07-01T00:00:00Z", 0),
        ("Europe/Berlin", "2026-01-01T00:00:00Z", 60),
        ("Europe/Berlin", "2026-07-01T00:00:00Z", 120),
        ("Asia/Kolkata", "2026-07-01T00:00:00Z", 330),
        ("+01:00", "2026-07-01T00:00:00Z", 60),
        ("-03:30", "2026-07-01T00:00:00Z", -210),
    ],
)
def test_a_time_zone_has_an_offset_at_a_time(zone, at, minutes):
    assert utc_offset_min(zone, parse(at)) == minutes


@pytest.mark.parametrize("zone", ["Mars", "", "+25:00", "../etc/passwd", "Europe"])
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(InvalidTime, match="no time zone"):
        utc_offset_min(zone, 0)
