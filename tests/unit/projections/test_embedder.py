from __future__ import annotations

import numpy as np
import pytest

from mnemolog.projections.indexes.embedder import unit_rows


@pytest.fixture(params=["wordllama", "twin"])
def any_embedder(request, wordllama, embedder):
    return wordllama if request.param == "wordllama" else embedder


def test_vectors_have_the_stated_dimension_and_length_one(any_embedder):
    made = any_embedder.embed(["I prefer Python.", "我穿的运动鞋", "x" * 100_000])
    assert made.shape == (3, any_embedder.dimension)
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_a_text_that_says_nothing_has_a_row_of_zeros(any_embedder):
    made = any_embedder.embed(["", "  \n", "word"])
    assert made.any(axis=1).tolist() == [False, False, True]


def test_no_texts_give_no_rows(any_embedder):
    assert any_embedder.embed([]).shape == (0, any_embedder.dimension)


def test_the_same_text_has_the_same_vector_in_any_company(any_embedder):
    alone = any_embedder.embed(["I prefer Python."])[0]
    among = any_embedder.embed(["a much longer text " * 50, "I prefer Python.", ""] * 200)
    assert all(np.array_equal(row, alone) for row in among[1::3])


def test_wordllama_puts_related_words_nearer_than_unrelated_ones(wordllama):
    dog, puppy, tax = wordllama.embed(["my dog", "a puppy", "income tax"])
    assert dog @ puppy > dog @ tax + 0.2


def test_only_the_beginning_of_a_long_text_counts(wordllama):
    short, long = wordllama.embed(["word " * 512, "word " * 512 + "income tax " * 1000])
    assert np.allclose(short, long, atol=1e-5)


def test_rows_that_are_not_finite_become_zeros():
    rows = np.array([[3, 4], [np.nan, 1], [np.inf, 1], [0, 0]], np.float32)
    assert np.allclose(unit_rows(rows), [[0.6, 0.8], [0, 0], [0, 0], [0, 0]])
