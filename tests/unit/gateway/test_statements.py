"""Statements to the memory: what is read in them, and what becomes of words that nobody understands."""

from __future__ import annotations

import pytest

from mnemolog.gateway.statements import read_cells, read_correction, what_to_forget
from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Cell, Evidence
from mnemolog.schema.quotes import is_quote_of
from mnemolog.schema.times import DAY, parse

NOW = parse("2026-03-09T10:00:00+01:00")


def remembered(text: str, speaker: str | None = "Ada") -> list[Cell]:
    return [item.cell for item in read_cells(text, "r1", speaker, NOW)]


def corrected(old: str, text: str) -> Cell:
    (wrong,) = read_cells(old, "r0", "Ada", NOW)
    (right,) = read_correction(text, "r1", wrong.cell, NOW)
    return right.cell


def test_what_is_remembered_is_believed_fully_and_worth_keeping() -> None:
    (cell,) = remembered("I live in Berlin.")
    assert (cell.subject, cell.slot, cell.object) == ("Ada", "residence", "berlin")
    assert (cell.basis, cell.salience, cell.evidence) == (
        "requested",
        1.0,
        (Evidence("r1", "I live in Berlin."),),
    )


def test_the_entities_of_what_is_remembered_have_keys() -> None:
    (item,) = read_cells("I work at Acme.", "r1", "Ada", NOW)
    assert ("acme", "organization") in {(entity.key, entity.kind) for entity in item.entities}


def test_several_statements_make_several_cells() -> None:
    assert {cell.slot for cell in remembered("I live in Berlin and work at Bolt.")} == {"residence", "employer"}


@pytest.mark.parametrize(
    "text", ["My locker is number 17.", "?", "xyzzy", "明日は雨", "What is love?", "a\nb", "x" * 8_000, "ﬁﬁ  ﬁ"]
)
def test_words_that_nobody_understands_are_kept_as_a_note_that_quotes_them(text: str) -> None:
    (cell,) = remembered(text)
    assert cell.slot == "note"
    assert len(cell.content) <= MAX_SENTENCE_CHARS
    assert is_quote_of(cell.evidence[0].quote, text)


def test_a_note_names_who_speaks() -> None:
    assert remembered("My locker is number 17.")[0].content.startswith("Ada's locker")
    assert remembered("My locker is number 17.", None)[0].subject == "user"


@pytest.mark.parametrize("text", ["I work at Bolt.", "Bolt", "She works at Bolt."])
def test_a_correction_is_about_the_same_subject_and_slot(text: str) -> None:
    cell = corrected("I work at Acme.", text)
    assert (cell.subject, cell.slot, cell.object, cell.content) == ("Ada", "employer", "bolt", "Ada works at Bolt.")
    assert (cell.correction, cell.ends, cell.basis) == (True, "acme", "requested")
    assert is_quote_of(cell.evidence[0].quote, text)


def test_a_correction_keeps_the_times_of_what_was_wrong_unless_it_states_its_own() -> None:
    past = corrected("In 2019 I worked at Initech.", "Initrode")
    assert past.holds_from == parse("2019-01-01T00:00:00Z")
    assert past.holds_until == parse("2020-01-01T00:00:00Z")
    stated = corrected("In 2019 I worked at Initech.", "In 2018 I worked at Initech.")
    assert stated.holds_until is not None
    assert stated.holds_until <= parse("2019-01-01T00:00:00Z") + DAY


def test_a_correction_that_is_no_value_is_taken_in_its_own_words() -> None:
    cell = corrected("I work at Acme.", "I never worked there")
    assert (cell.slot, cell.content, cell.subject) == ("note", "Ada never worked there", "Ada")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("that I like jazz", "I like jazz"), ("about my trip to Rome", "my trip to Rome"), ("jazz", "jazz"), ("it", "it")],
)
def test_what_is_to_be_forgotten_is_taken_without_the_words_of_asking(text: str, meant: str) -> None:
    assert what_to_forget(text) == meant
