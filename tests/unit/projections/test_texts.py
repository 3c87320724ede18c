from __future__ import annotations

import numpy as np

from mnemolog.projections.indexes.frequencies import TermFrequency
from mnemolog.projections.search import texts
from mnemolog.projections.search.near_words import near_words
from mnemolog.projections.search.texts import Joined, Lexicon, lexicon


def test_numbers_of_words_stand_for_the_same_words_in_all_texts():
    words = Lexicon()
    first, second = words.spoken(["A car, a bicycle", "the bicycle"])
    assert second.words[1] == first.words[3]
    assert words.word(int(first.words[1])) == "car"
    assert words.word_numbers(["car", "train"]) == [1, -1]


def test_a_full_lexicon_makes_room_for_another(monkeypatch):
    monkeypatch.setattr(texts, "_MOST_WORDS", 2)
    before = lexicon()
    before.spoken(["more words than two"])
    after = lexicon()
    assert after is not before
    assert before.word(0) == "more"


def test_only_so_many_texts_are_remembered(monkeypatch):
    monkeypatch.setattr(texts, "_MOST_TEXTS", 2)
    words = Lexicon()
    made = words.analysed(["one", "two", "three"])
    again = words.analysed(["three", "one"])
    assert again[0] is made[2]
    assert again[1] is not made[0]


def test_weights_of_words_are_summed_by_text():
    row = np.array([1, 0.5], np.float32)
    joined = Joined.of([np.array([3, 4, 3]), np.array([], np.int64), np.array([4])])
    assert joined.weighted({3: row, 9: row, -1: row}, 2).tolist() == [[2, 1], [0, 0], [0, 0]]


def test_pairs_count_within_a_text_only():
    joined = Joined.of([np.array([1, 2, 1]), np.array([2, 3])])
    assert joined.followed([(1, 2)]).tolist() == [1, 0]


def test_texts_say_the_same_whatever_their_fillers_and_not_where_they_deny():
    one, two, three = Lexicon().spoken(["I like tea.", "Well, I really like TEA!", "I do not like tea."])
    assert one.said == two.said != three.said


def test_words_that_mean_nearly_the_same_are_found_and_forms_of_the_word_are_not(wordllama):
    words = Lexicon()
    said = Joined.of([text.words for text in words.spoken(["a car", "two automobiles", "the weather"])])
    near = near_words(words, said, [TermFrequency("automobil", "automobile", 1)], wordllama)
    assert set(near) == {"car"}
    assert 0.1 < near["car"][0] < 0.3


def test_an_embedder_that_is_asked_over_a_network_is_not_asked_word_by_word(embedder):
    words = Lexicon()
    said = Joined.of([text.words for text in words.spoken(["a car"])])
    assert near_words(words, said, [TermFrequency("car", "car", 1)], embedder) == {}
