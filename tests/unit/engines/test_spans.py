from __future__ import annotations

import pytest

from mnemolog.schema.times import parse
from mnemolog.workers.engines import spans


@pytest.mark.parametrize(
    ("text", "start", "end", "granularity"),
    [
        ("2019", "2019-01-01T00:00:00+01:00", "2020-01-01T00:00:00+01:00", "year"),
        ("2026-02", "2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00", "month"),
        ("2026-12", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00", "month"),
        ("2026-W11", "2026-03-09T00:00:00+01:00", "2026-03-16T00:00:00+01:00", "week"),
        ("2026-summer", "2026-06-01T00:00:00+01:00", "2026-09-01T00:00:00+01:00", "season"),
        ("2026-Winter", "2026-12-01T00:00:00+01:00", "2027-03-01T00:00:00+01:00", "season"),
        (" 2026-03-09 ", "2026-03-09T00:00:00+01:00", "2026-03-10T00:00:00+01:00", "day"),
        ("2026-03-09T12:30", "2026-03-09T12:30:00+01:00", "2026-03-09T12:30:00+01:00", "instant"),
        ("2026-03-09T12:30Z", "2026-03-09T12:30:00Z", "2026-03-09T12:30:00Z", "instant"),
    ],
)
def test_a_date_means_what_it_states_in_the_messages_offset(text, start, end, granularity):
    assert spans.read(text, 60) == spans.Span(parse(start), parse(end), granularity)


def test_the_last_millisecond_of_a_day_is_when_something_due_on_it_is_over():
    assert spans.read("2026-03-13", 60).last == parse("2026-03-13T23:59:59.999+01:00")
    assert spans.read("2026-03-13T12:00Z", 60).last == parse("2026-03-13T12:00:00Z")


@pytest.mark.parametrize("text", ["", "soon", "2026-13", "2026-02-30", "2026-W60", "9999", "0000-01-01", "next week"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError):
        spans.read(text, 0)
