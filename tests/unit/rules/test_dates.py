"""Time phrases, said on Monday 2026-03-09 in Berlin."""

import pytest

from mnemolog.schema.times import MINUTE
from mnemolog.workers.rules import dates

from .corpus import NOW, OFFSET_MIN, local_day


def interval(phrase: str, language: str = "en", tense: dates.Tense = "past") -> tuple[str, str, str, str]:
    found, _ = dates.find(phrase, language)
    assert len(found) == 1, found
    span = dates.resolve(found[0], language, NOW + OFFSET_MIN * MINUTE, OFFSET_MIN, tense)
    assert span is not None
    return local_day(span.start), local_day(span.end), span.granularity, span.part


@pytest.mark.parametrize(
    ("phrase", "tense", "expected"),
    [
        ("last week", "past", ("2026-03-02", "2026-03-09", "week", "at")),
        ("this week", "future", ("2026-03-09", "2026-03-16", "week", "at")),
        ("next month", "future", ("2026-04-01", "2026-05-01", "month", "at")),
        ("yesterday", "past", ("2026-03-08", "2026-03-09", "day", "at")),
        ("on Friday", "past", ("2026-03-06", "2026-03-07", "day", "at")),
        ("on Friday", "future", ("2026-03-13", "2026-03-14", "day", "at")),
        ("by Friday", "past", ("2026-03-13", "2026-03-14", "day", "by")),
        ("in 2019", "past", ("2019-01-01", "2020-01-01", "year", "at")),
        ("from 2015 to 2018", "past", ("2015-01-01", "2019-01-01", "year", "at")),
        ("since March 2020", "past", ("2020-03-01", "2020-04-01", "month", "since")),
        ("for three years", "past", ("2023-01-01", "2024-01-01", "year", "since")),
        ("two weeks ago", "past", ("2026-02-23", "2026-03-02", "week", "at")),
        ("in two weeks", "future", ("2026-03-23", "2026-03-30", "week", "at")),
        ("last summer", "past", ("2025-06-01", "2025-09-01", "season", "at")),
        ("this weekend", "future", ("2026-03-14", "2026-03-16", "day", "at")),
        ("on March 3rd, 2025", "past", ("2025-03-03", "2025-03-04", "day", "at")),
        ("until June", "future", ("2026-06-01", "2026-07-01", "month", "until")),
        ("last June", "past", ("2025-06-01", "2025-07-01", "month", "at")),
    ],
)
def test_english_phrases_become_half_open_intervals(phrase: str, tense: dates.Tense, expected: tuple[str, ...]):
    assert interval(phrase, "en", tense) == expected


@pytest.mark.parametrize(
    ("language", "phrase", "expected"),
    [
        ("de", "letzten Monat", ("2026-02-01", "2026-03-01")),
        ("de", "seit 2020", ("2020-01-01", "2021-01-01")),
        ("de", "vor zwei Wochen", ("2026-02-23", "2026-03-02")),
        ("es", "el mes pasado", ("2026-02-01", "2026-03-01")),
        ("es", "hace dos años", ("2024-01-01", "2025-01-01")),
        ("es", "la semana que viene", ("2026-03-16", "2026-03-23")),
        ("zh", "上个月", ("2026-02-01", "2026-03-01")),
        ("zh", "两年前", ("2024-01-01", "2025-01-01")),
        ("zh", "2020年3月", ("2020-03-01", "2020-04-01")),
    ],
)
def test_phrases_of_other_languages(language: str, phrase: str, expected: tuple[str, str]):
    assert interval(phrase, language)[:2] == expected


def test_a_phrase_is_taken_out_of_its_clause():
    assert dates.find("I moved to Berlin last month", "en")[1] == "I moved to Berlin"


def test_may_and_march_as_verbs_are_no_months():
    assert dates.find("it may slip and we march on", "en")[0] == ()


def test_the_day_is_the_speakers_and_not_the_one_in_greenwich():
    found, _ = dates.find("today", "en")
    late = NOW + 13 * 60 * MINUTE
    span = dates.resolve(found[0], "en", late + 8 * 60 * MINUTE, 8 * 60, "past")
    assert span is not None
    assert span.start <= late < span.end
