"""The whole corpus at once: how many cells are found, and that no trap gives one."""

import pytest

from .corpus import Row, matches, rows, say

ROWS = rows("corpus.jsonl") + rows("assorted.jsonl")
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


#: What turns any statement into one that nobody makes.
NEAR_MISSES = (
    "If {told}, that would be odd.", 'He said "{said}"', "> {said}", "`{said}`", "My boss says {told}.", "Maybe {told}.",
    "In my novel {told}.", "{bare}?", "I wish {told}.", "She asked whether {told}.", "Imagine that {told}.",
    "It is not true that {told}.", "I'm not sure if {told}.", "assistant: {said}", "tool: {said}", "I dreamt that {told}.",
    "People say {told}.", "The email says: {said}", "Unless {told}, we are fine.", "I hope {told}.", "You think {told}.",
)  # fmt: skip
OWN = [row.say for row in ROWS if row.cells and row.say.startswith(("I ", "I'", "We ", "We'", "My ", "Our "))]


@pytest.mark.parametrize("frame", NEAR_MISSES)
def test_no_statement_survives_a_frame_that_unsays_it(frame: str):
    assert len(OWN) > 80
    for said in OWN:
        bare = said.rstrip(".!")
        told = bare if bare.startswith("I") else bare[0].lower() + bare[1:]
        extraction = say(frame.format(said=said, bare=bare, told=told))
        assert extraction.cells == (), extraction.cells
