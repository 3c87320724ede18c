from __future__ import annotations

import sys
import tracemalloc

import pytest

from mnemolog.projections.indexes.analysis import MAX_QUERY_TERMS, index_text, is_single_character, query_terms, terms


def test_english_words_become_stems_without_case_or_diacritics():
    assert terms("Running to the Cafés") == ["run", "to", "the", "cafe"]


def test_a_decomposed_letter_is_the_composed_one():
    assert terms("cafe\u0301") == terms("café") == ["cafe"]


def test_plain_ascii_is_left_as_it_is():
    assert index_text("I'm writing in Rust now.") == "I'm writing in Rust now."


def test_chinese_becomes_pairs_and_the_last_character():
    assert terms("我穿运动鞋。") == ["我穿", "穿运", "运动", "动鞋", "鞋"]


def test_thai_vowels_and_tones_stay_on_their_letter():
    assert terms("ที่นี่") == ["ที่นี่", "นี่"]


def test_halfwidth_katakana_is_katakana():
    assert terms("ﾊﾝｶｸ") == terms("ハンカク")


def test_hindi_words_stay_whole():
    assert terms("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_stop_words_ask_for_nothing():
    asked = query_terms("What is the name of it?")
    assert asked.terms == ("name",)
    assert asked.spoken == ("what", "is", "the", "name", "of", "it")


def test_a_word_asked_twice_counts_once():
    assert query_terms("run running runs").terms == ("run",)


def test_one_character_of_an_unspaced_script_is_a_term_of_its_own():
    assert query_terms("鞋").terms == ("鞋",)
    assert is_single_character("鞋")
    assert is_single_character("ที่")
    assert not is_single_character("动鞋")
    assert not is_single_character("c")


@pytest.mark.parametrize("query", ["", "   ", '"', "???", "👍", "(", "the of and", "\ud800", "\0", "的了是"])
def test_a_query_that_says_nothing_has_no_terms(query):
    assert query_terms(query).terms == ()


@pytest.mark.parametrize(
    ("query", "expected"),
    [("AND", ()), ("NOT working", ("work",)), ("C++", ("c",)), ("O'Brien", ("o", "brien")), ("a\0b\udfff", ("b",))],
)
def test_query_syntax_and_odd_characters_are_only_text(query, expected):
    assert query_terms(query).terms == expected


def test_a_query_of_ten_thousand_words_is_capped():
    assert len(query_terms(" ".join(f"word{n}" for n in range(10_000))).terms) == MAX_QUERY_TERMS


def test_a_long_run_is_cut_without_losing_a_pair():
    text = "".join(chr(0x4E00 + n) for n in range(2_500))
    pairs = [text[n : n + 2] for n in range(len(text) - 1)]
    assert index_text(text).split() == [*pairs, text[-1]]


def test_a_long_run_is_worked_off_in_little_memory():
    text = "鞋很舒服" * 175_000
    tracemalloc.start()
    prepared = index_text(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * sys.getsizeof(prepared)
