from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mnemolog.projections.indexes.frequencies import TermFrequency
from mnemolog.projections.search.questions import understand
from mnemolog.projections.search.ranking import ARMS, WEIGHTS, Known, Turn, rank

DIMENSION = 4
NOTHING = np.zeros(DIMENSION, np.float32)


def turn(content, speaker=None, occurred_at=0, beyond=frozenset()):
    return Turn(content, speaker, occurred_at, beyond)


def ranking(query, *stretches, vectors=None, towards=NOTHING, documents=1, nodes=1000):
    question = understand(query)
    asked = zip(question.asked.terms, question.asked.words, strict=True)
    frequencies = [TermFrequency(term, word, documents) for term, word in asked]
    count = sum(map(len, stretches))
    made = np.zeros((count, DIMENSION), np.float32) if vectors is None else np.array(vectors, np.float32)
    return rank(question, frequencies, nodes, stretches, made, towards)


def test_every_arm_has_a_weight_and_the_score_is_their_sum():
    made = ranking("Tom?", [turn("Tom is here"), turn("no")])
    assert {*ARMS, "session"} == set(WEIGHTS)
    assert set(made.arms) == {*WEIGHTS, "key"}
    assert made.scores == pytest.approx(sum(made.arms.values()))


def test_a_term_around_a_turn_counts_less_the_farther_it_stands():
    lexical = ranking("tom", [turn("one"), turn("two"), turn("three"), turn("Tom"), turn("four")]).arms["lexical"]
    assert lexical[3] > 0.4
    assert lexical[3] > lexical[4] > lexical[2] > lexical[1] > lexical[0] > 0


def test_a_term_four_turns_away_or_in_another_stretch_does_not_count():
    turns = [turn("Tom"), *[turn("x")] * 4]
    lexical = ranking("tom", turns, [turn("y")]).arms["lexical"]
    assert lexical[3] > 0
    assert lexical[4] == 0
    assert lexical[5] == 0


def test_a_rarer_term_counts_more():
    question = understand("tom harbour")
    frequencies = [TermFrequency("tom", "tom", 500), TermFrequency("harbour", "harbour", 1)]
    vectors = np.zeros((2, DIMENSION), np.float32)
    made = rank(question, frequencies, 1000, [[turn("Tom")], [turn("harbour")]], vectors, NOTHING)
    assert made.scores[1] > made.scores[0]
    assert made.coverage[1] > made.coverage[0] > 0
    assert made.coverage.sum() == pytest.approx(1)


def test_the_answer_to_a_question_like_this_one_gains():
    made = ranking("Any pets?", [turn("Have you any pets?"), turn("Yes, a cat.")], [turn("The pets."), turn("Yes.")])
    first, answer, *others = made.arms["answer"]
    assert answer > 0.6 * WEIGHTS["answer"]
    assert (first, others) == (0, [0, 0])
    assert made.arms["asking"] == pytest.approx([WEIGHTS["asking"], 0, 0, 0])


def test_who_is_named_counts_as_speaker_and_hardly_as_a_word():
    made = ranking(
        "What did Ada Lovelace say of Tom?", [turn("Tom is here", "Ada Lovelace")], [turn("Ada, Ada", "Ben")]
    )
    assert made.arms["speaker"] == pytest.approx([WEIGHTS["speaker"], 0])
    assert made.arms["lexical"][1] < 0.3


def test_the_best_of_a_session_brings_the_others_nearer_and_gains_nothing_itself():
    question = understand("tom")
    frequencies = [TermFrequency("tom", "tom", 1)]
    turns = [[turn("Tom")], [turn("x")], [turn("y")], [turn("z")]]
    known = msgspec.structs.replace(Known.nothing(4), sessions=np.array([0, 0, 1, -1]))
    made = rank(question, frequencies, 1000, turns, np.zeros((4, DIMENSION), np.float32), NOTHING, known=known)
    best, beside, elsewhere, fact = made.scores
    assert made.arms["session"] == pytest.approx([0, WEIGHTS["session"] * best, 0, 0])
    assert best > beside > elsewhere == fact == 0


def test_a_name_alone_is_still_a_word():
    made = ranking("Ada", [turn("Nothing", "Ada")], [turn("Ada!", "Ben")])
    assert made.arms["lexical"][1] > made.arms["lexical"][0] == 0


def test_turns_that_tell_a_time_gain_only_where_a_time_is_asked():
    turns = [turn("Tom came yesterday"), turn("Tom came"), turn("Tom came in 2019")]
    assert ranking("When did Tom come?", turns).arms["time"] == pytest.approx([WEIGHTS["time"], 0, WEIGHTS["time"]])
    assert ranking("Did Tom come?", turns).arms["time"] == pytest.approx([0, 0, 0])


def test_the_nearer_vector_gains_with_a_part_of_its_neighbours():
    east, north, west = np.eye(DIMENSION, dtype=np.float32)[0], np.eye(DIMENSION)[1], -np.eye(DIMENSION)[0]
    made = ranking("x", [turn("a"), turn("b")], [turn("c")], vectors=[east, north, west], towards=east)
    assert made.similarity == pytest.approx([1, 0, -1])
    assert made.arms["vector"][0] > 0.8 * WEIGHTS["vector"]
    assert made.arms["vector"][0] > made.arms["vector"][1] > 0 > made.arms["vector"][2]


def test_vectors_that_hardly_differ_decide_nothing():
    almost = [[1, 0, 0, 0], [1, 0.0001, 0, 0]]
    made = ranking("x", [turn("a")], [turn("b")], vectors=almost, towards=np.array([1, 0, 0, 0], np.float32))
    assert abs(made.arms["vector"][0] - made.arms["vector"][1]) < 0.01


def test_a_term_beyond_the_end_of_a_long_text_counts_once():
    made = ranking("tom harbour", [turn("filler", beyond=frozenset({"tom"}))], [turn("filler")])
    assert made.coverage == pytest.approx([0.5, 0])


def test_a_single_character_counts_wherever_it_begins_a_term():
    made = ranking("鞋", [turn("鞋很舒服，新鞋")], [turn("今天下雨")])
    assert made.coverage == pytest.approx([1, 0])


def known(turns, **options):
    made = {
        name: np.array(value, np.intp if name in {"facts", "sources"} else np.float32)
        for name, value in options.items()
        if name != "near"
    }
    return msgspec.structs.replace(Known.nothing(turns), **made, near=options.get("near", {}))


def told(query, *stretches, **options):
    question = understand(query)
    frequencies = [TermFrequency(t, w, 1) for t, w in zip(question.asked.terms, question.asked.words, strict=True)]
    count = sum(map(len, stretches))
    vectors = np.zeros((count, DIMENSION), np.float32)
    return rank(question, frequencies, 1000, stretches, vectors, NOTHING, known=known(count, **options))


def test_a_score_does_not_change_with_the_other_candidates():
    alone = ranking("Where is the harbour?", [turn("The harbour is there.")])
    among = ranking("Where is the harbour?", [turn("The harbour is there.")], [turn("harbour " * 9)], [turn("no")])
    assert alone.scores[0] == among.scores[0]


def test_a_message_gains_by_the_fact_that_was_taken_from_it():
    bare = told("Who likes jazz?", [turn("I adore it")], [turn("Ada likes jazz")])
    made = told("Who likes jazz?", [turn("I adore it")], [turn("Ada likes jazz")], facts=[1], sources=[0])
    assert made.arms["lexical"][0] > bare.arms["lexical"][0] == 0


def test_a_fact_comes_right_before_the_message_that_it_was_taken_from():
    made = told("Who likes jazz?", [turn("I like jazz, jazz, jazz")], [turn("music")], facts=[1], sources=[0])
    assert 0 < made.scores[1] - made.scores[0] < 0.01


def test_what_a_fact_says_itself_covers_a_question_and_not_what_its_message_says():
    made = told("jazz harbour", [turn("jazz at the harbour")], [turn("jazz")], facts=[1], sources=[0])
    assert made.coverage == pytest.approx([1, 0.5])


def test_a_word_that_means_nearly_the_same_counts_for_a_part_and_covers_nothing():
    made = told("automobile", [turn("the car")], [turn("no")], near={"car": np.array([0.3], np.float32)})
    assert made.arms["lexical"][0] > made.arms["lexical"][1] == 0
    assert made.coverage[0] == 0


def test_of_equal_facts_the_surer_and_newer_one_scores_higher():
    made = told("jazz", [turn("jazz")], [turn("jazz")], [turn("jazz")], surety=[0.4, 0.9, 0.9], recency=[1, 0.2, 0.9])
    assert made.scores[2] > made.scores[1] > made.scores[0]
