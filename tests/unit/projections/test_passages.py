"""Passages: the part of a long text that answers, cut where a reader would cut it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.projections.lines.passages import passage

STORY = "We had rain for days. The parrot escaped through the window! Nobody saw it. Later it came back, hungry."


def cut(text: str, wanted: dict[str, float], most: int) -> str:
    found = passage(text, wanted, most)
    return text[found.start : found.end]


def test_a_short_text_is_told_whole() -> None:
    assert cut(STORY, {"parrot": 1.0}, len(STORY)) == STORY


def test_the_sentence_that_has_what_is_asked_for_is_told() -> None:
    assert cut(STORY, {"parrot": 1.0}, 45).strip() == "The parrot escaped through the window!"


def test_sentences_beside_it_are_told_while_there_is_room() -> None:
    assert cut(STORY, {"parrot": 1.0}, 60).strip() == "The parrot escaped through the window! Nobody saw it."


def test_a_rarer_term_counts_for_more() -> None:
    assert "hungry" in cut(STORY, {"parrot": 0.1, "hungri": 2.0}, 40)


def test_without_a_term_that_is_asked_for_the_part_that_says_most_is_told() -> None:
    assert cut("Oh. Hey! Well, well. The blue whale sings in cold seas.", {}, 40).strip().endswith("cold seas.")


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    text = "word " * 40 + "the parrot talks " + "word " * 40
    part = cut(text, {"parrot": 1.0}, 50)
    assert "parrot" in part
    assert set(part.split()) <= {"word", "the", "parrot", "talks"}
    assert len(part) <= 50


def test_unspaced_scripts_are_cut_between_characters_and_at_their_full_stops() -> None:
    text = "昨天下雨了。" * 20 + "鹦鹉从窗户飞走了。" + "今天天气很好。" * 20
    assert "鹦鹉" in cut(text, {"鹦鹉": 1.0}, 20)
    assert cut(text, {"鹦鹉": 1.0}, 9) == "鹦鹉从窗户飞走了。"


def test_no_letter_is_parted_from_its_marks() -> None:
    letter = "e\u0301"
    part = cut(letter * 50, {}, 21)
    assert part in letter * 50
    assert not part.startswith("\u0301")
    assert len(part) <= 21


@given(st.text(max_size=300), st.integers(1, 80))
def test_any_text_has_a_passage_that_is_not_too_long(text: str, most: int) -> None:
    found = passage(text, {"parrot": 1.0}, most)
    assert 0 <= found.start <= found.end <= len(text)
    assert found.end - found.start <= most


@given(st.lists(st.text("abcdef", min_size=1, max_size=9), min_size=1, max_size=60), st.integers(10, 60))
def test_words_are_never_cut_in_two(words: list[str], most: int) -> None:
    text = " ".join(words)
    found = passage(text, {}, most)
    assert not re.search(r"\w\|\w", text[: found.start] + "|" + text[found.start :])
    assert not re.search(r"\w\|\w", text[: found.end] + "|" + text[found.end :])


@pytest.mark.timeout(20)
def test_a_very_long_text_is_cut_in_good_time() -> None:
    assert cut("x" * 1_000_000, {"parrot": 1.0}, 100) == "x" * 100
    assert len(cut("a. " * 400_000, {"parrot": 1.0}, 100)) <= 100
