"""The whole corpus at once: how many cells are found, and that no trap gives one."""

import pytest

from .corpus import Row, matches, rows, say

ROWS = rows()
TRAPS = [row for row in ROWS if not row.cells]


def test_the_corpus_is_wide_enough():
    assert len(ROWS) >= 150
    assert len({row.domain for row in ROWS}) >= 12
    assert len(TRAPS) >= 50


def test_cells_of_the_corpus_are_found_with_f1_of_at_least_three_quarters():
    found = expected = right = 0
    for row in ROWS:
        cells = list(say(row.say).cells)
        found += len(cells)
        expected += len(row.cells)
        for want in row.cells:
            hit = next((cell for cell in cells if matches(want, cell)), None)
            if hit is not None:
                cells.remove(hit)
                right += 1
    assert 2 * right / (found + expected) >= 0.75


@pytest.mark.parametrize("row", TRAPS, ids=lambda row: row.say[:60])
def test_a_trap_makes_no_cell(row: Row):
    assert say(row.say).cells == ()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.say[:60])
def test_every_quote_stands_in_its_message(row: Row):
    for cell in say(row.say).cells:
        for event_id, quote in ((evidence.event_id, evidence.quote) for evidence in cell.evidence):
            assert event_id.startswith("e0")
            assert quote in row.say
            assert len(quote) >= 8 or quote == row.say


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.say[:60])
def test_contents_name_people_instead_of_saying_i(row: Row):
    for cell in say(row.say).cells:
        assert " I " not in f" {cell.content} "
        assert " my " not in f" {cell.content.lower()} "
        assert "yesterday" not in cell.content
