from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mnemolog.projections.search.questions import Date, date_match, understand
from mnemolog.schema.times import from_datetime


@pytest.mark.parametrize(
    ("query", "dates"),
    [
        ("What happened in May 2023?", (Date(2023, 5),)),
        ("on 7 July, 2023", (Date(2023, 7, 7),)),
        ("on July 7th 2023", (Date(2023, 7, 7),)),
        ("since 2023-07-07", (Date(2023, 7, 7),)),
        ("in 2023-07", (Date(2023, 7),)),
        ("what did I do in 2019", (Date(2019),)),
        ("in March", (Date(None, 3),)),
        ("between 3 March and 5 April", (Date(None, 3, 3), Date(None, 4, 5))),
        ("who may march today?", ()),
        ("how many of the 12 eggs", ()),
    ],
)
def test_dates_are_understood_as_far_as_they_are_named(query, dates):
    assert understand(query).dates == dates


@pytest.mark.parametrize(
    ("query", "is_when"),
    [
        ("When did Ada move?", True),
        ("What day is it?", True),
        ("How long has she lived here?", True),
        ("什么时候去的北京？", True),
        ("What did Ada say?", False),
        ("the whenever problem", False),
    ],
)
def test_questions_for_a_time_are_recognised(query, is_when):
    assert understand(query).is_when is is_when


@pytest.mark.parametrize(
    ("date", "fit"),
    [
        (Date(2023, 7, 7), 1.0),
        (Date(2023, 7), 1.0),
        (Date(None, 7, 7), 1.0),
        (Date(2023, 7, 8), 2 / 3),
        (Date(2023, 8, 7), 1 / 3),
        (Date(2022, 7, 7), 0.0),
        (Date(None, 8, 7), 0.0),
    ],
)
def test_a_day_fits_only_in_its_month_and_a_month_only_in_its_year(date, fit):
    assert date_match((date,), from_datetime(datetime(2023, 7, 7, 23, 59, tzinfo=UTC))) == pytest.approx(fit)


def test_the_best_of_several_dates_counts():
    time = from_datetime(datetime(2023, 7, 7, tzinfo=UTC))
    assert date_match((Date(2022), Date(2023)), time) == 1.0
    assert date_match((), time) == 0.0


def test_a_span_lasts_from_the_first_moment_to_the_one_after_the_last():
    start, end = Date(2024, 2).span()
    assert start == from_datetime(datetime(2024, 2, 1, tzinfo=UTC))
    assert end == from_datetime(datetime(2024, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("date", [Date(2023), Date(None, 5), Date(2023, 2, 30), Date(2023, 13), Date(1900, 0)])
def test_what_is_no_month_or_day_of_a_year_has_no_span(date):
    assert date.span() is None


@pytest.mark.parametrize("query", ["2023-13", "2023-00-00", "on 31 February 2023"])
def test_dates_that_do_not_exist_are_no_errors_and_have_no_span(query):
    (date,) = understand(query).dates
    assert date.span() is None
    assert date_match((date,), 0) < 1
