"""The forms in which commands tell what they found."""

from __future__ import annotations

import pytest

from mnemolog.gateway.cli.telling import day


@pytest.mark.parametrize(
    ("when", "utc_offset_min", "told"),
    [
        ("2026-03-15T23:00:00Z", 0, "2026-03-15"),
        ("2026-03-15T23:00:00Z", 60, "2026-03-16"),
        ("2026-03-16T02:00:00Z", -180, "2026-03-15"),
        ("9999-12-31T23:59:59Z", 60, "9999-12-31"),
        (None, 60, ""),
    ],
)
def test_a_day_is_told_by_the_calendar_of_the_place_where_it_was_said(
    when: str | None, utc_offset_min: int, told: str
) -> None:
    assert day(when, utc_offset_min) == told
