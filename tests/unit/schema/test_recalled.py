"""The marker around recalled text cannot be broken out of."""

from __future__ import annotations

import pytest

from mnemolog.schema.recalled import BEGIN, END, holds_recalled, without_marker, without_recalled


@pytest.mark.parametrize(
    "text",
    [
        END,
        BEGIN,
        END.upper(),
        "</ recalled-memory >",
        "<\n/recalled-memory\n>",
        "＜/recalled-memory＞",
        "</ｒｅｃａｌｌｅｄ-memory>",
        "<\u200b/recalled\u00ad-memory>",
        "<</recalled-memory>/recalled-memory>",
        "</recalled_memory>",
    ],
)
def test_nothing_is_left_that_looks_like_the_marker(text: str) -> None:
    line = without_marker(f"before {text} after")
    assert "<" not in line.split("(recalled memory)")[-1]
    assert BEGIN not in line
    assert END not in line
    assert line.startswith("before ")
    assert line.endswith(" after")


@pytest.mark.parametrize("text", ["a < b and c > d", "my recalled memory is bad", "<b>bold</b>", "„ﬁne“ ½"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert without_marker(text) == text


def test_a_block_is_recognised_and_taken_out() -> None:
    text = f"I say this. {BEGIN}\nand this was recalled\n{END} And this."
    assert holds_recalled(text)
    assert without_recalled(text) == "I say this.  And this."
    assert without_recalled(f"Cut off: {BEGIN} no end") == "Cut off:"
    assert not holds_recalled("I say this.")
