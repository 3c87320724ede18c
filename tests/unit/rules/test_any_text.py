"""Any text at all: never an error, never a cell that breaks its own constraints."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemolog.schema.cells import Cell
from mnemolog.workers.rules import extract

from .corpus import message, rows

WORDS = sorted({word for row in rows("corpus.jsonl") + rows("assorted.jsonl") for word in row.say.split()})
TALK = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), TALK, st.tuples(TALK, st.text(max_size=20), TALK).map("".join)))
def test_any_text_is_read_without_an_error_and_gives_only_valid_cells(content: str):
    said = msgspec.structs.replace(message("x"), content=content)
    for cell in extract([said]).cells:
        assert msgspec.json.decode(msgspec.json.encode(cell), type=Cell) == cell
        for evidence in cell.evidence:
            assert evidence.quote in content
            assert len(evidence.quote) >= 8 or evidence.quote == content


def test_a_very_long_message_is_no_talk():
    said = msgspec.structs.replace(message("x"), content="I live in Rome. " * 1_000)
    assert extract([said]).cells == ()
