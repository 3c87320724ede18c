from __future__ import annotations

import pytest

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.projections.recall import recall


@pytest.fixture
def talk(memory):
    memory.say("I prefer Python for small tools.", session="monday")
    memory.say("Do you have any pets?", session="monday", speaker="Ben")
    memory.say("Yes, a grey one called Tom.", session="monday")
    memory.say("The kettle is broken again.", session="tuesday")
    memory.say("Let us meet at the harbour.", session="tuesday", speaker="Ben")
    memory.embed()
    return memory


def test_the_best_answer_comes_first_with_its_event_and_its_arms(talk):
    best = talk.recall("Which tools in Python?")[0]
    assert best.content == "I prefer Python for small tools."
    assert best.event_ids == ("e1",)
    assert (best.type, best.session, best.role, best.speaker) == ("episodic", "monday", "user", "Ada")
    assert best.scores["lexical"] > 0.2
    assert 0.4 < best.score < 1
    assert best.scores["coverage"] == pytest.approx(1.0)
    arms = {name: value for name, value in best.scores.items() if name not in {"coverage", "similarity"}}
    assert best.score == pytest.approx(sum(arms.values()))
    assert not best.fallback


def test_the_turn_that_answers_a_question_is_found_by_the_question(talk):
    assert "Yes, a grey one called Tom." in talk.found("pets")[:2]


def test_turns_of_another_session_are_no_neighbours(talk):
    assert "The kettle is broken again." not in talk.found("Tom")


def test_results_are_in_order_of_score_and_no_more_than_asked_for(talk):
    results = talk.recall("Python tools pets harbour kettle", limit=3)
    assert len(results) == 3
    assert [r.score for r in results] == sorted((r.score for r in results), reverse=True)


def test_who_is_named_in_the_question_is_the_speaker_not_a_word(memory):
    memory.say("Hello Ben, the harbour was lovely.", session="a")
    for n in range(5):
        memory.say("Nothing much.", session=f"other{n}")
    memory.say("The harbour was lovely.", session="b", speaker="Ben")
    memory.embed()
    assert memory.recall("What did Ben say about the harbour?")[0].session == "b"


def test_a_date_in_the_question_finds_what_was_said_then(memory):
    for month in range(6):
        memory.say("We went to the theatre.", session=f"m{month}", at=memory.START + month * 31 * memory.DAY)
    memory.embed()
    assert memory.recall("theatre in April 2026")[0].session == "m2"


def test_a_date_alone_finds_what_was_said_then(memory):
    for day in range(60):
        memory.say("Nothing much.", session=f"d{day}", at=memory.START + day * memory.DAY)
    assert [r.session for r in memory.recall("What did we talk about on 3 March 2026?")] == ["d6"]
    assert memory.found("What did we talk about on 30 February 2026?") == []


def test_a_message_is_found_before_it_has_a_vector(talk):
    talk.say("The zeppelin lands at noon.")
    assert talk.found("zeppelin")[0] == "The zeppelin lands at noon."


def test_a_message_is_found_by_its_vector_alone(memory):
    memory.say("alpha beta gamma")
    memory.say("delta epsilon")
    memory.embed()
    with memory.transaction():
        fulltext.remove(memory.con, 1)
    assert memory.found("alpha beta gamma")[0] == "alpha beta gamma"


def test_a_late_message_takes_its_place_in_time(memory):
    memory.say("Which colour shall the zeppelin have?", session="s", at=1_000_000)
    memory.say("Something else entirely.", session="s", at=3_000_000)
    for n in range(4):
        memory.say("Far away.", session="s", at=10_000_000 + n)
    memory.say("Purple with stripes.", session="s", at=2_000_000)
    assert set(memory.found("zeppelin colour")[:2]) == {"Which colour shall the zeppelin have?", "Purple with stripes."}


def test_messages_of_one_moment_are_neighbours_in_order_of_seq(memory):
    memory.say("third", session="s", at=5, seq=3)
    memory.say("zeppelin?", session="s", at=5, seq=1)
    memory.say("second", session="s", at=5, seq=2)
    first, *others = memory.found("zeppelin")
    assert (first, others[-1]) == ("second", "third")


@pytest.mark.parametrize(
    "query",
    [
        "", " ", '"', "'", "AND", "NOT working", "C++", "O'Brien", "👍", "???", "(", ")", "*", "a*", "^b", "-c", "d:e",
        "NEAR(a b)", "{content}: x", "\0", "\ud800 alone", "content:python", "什么是 Python？", "鞋", "ที่", "x" * 100_000,
        " ".join(f"word{n}" for n in range(10_000)), "tools " * 10_000, "我穿的运动鞋" * 2_000,
    ],
    ids=lambda query: ascii(query)[:20],
)  # fmt: skip
def test_any_text_is_a_legal_query(talk, query):
    assert isinstance(talk.recall(query), list)


@pytest.mark.parametrize("query", ["", "?!…", "👍", "the of and what", "is it?"])
def test_a_query_that_says_nothing_finds_nothing(talk, query):
    assert talk.recall(query) == []


def test_nothing_relevant_is_an_empty_list(talk):
    assert talk.recall("quantum chromodynamics lattice") == []


def test_a_memory_without_nodes_finds_nothing(memory):
    assert memory.recall("anything") == []
    assert memory.recall("anything", fallback=True) == []


def test_instead_of_nothing_the_fallback_gives_the_most_salient_live_nodes(talk):
    talk.cell("Ada prefers Python.", salience=0.9)
    talk.cell("Ada is allergic to nuts.", salience=1.0)
    talk.cell("Ada lived in Rome.", salience=1.0, valid_until=talk.START + 1)
    results = talk.recall("quantum chromodynamics lattice", fallback=True, limit=2)
    assert [r.content for r in results] == ["Ada is allergic to nuts.", "Ada prefers Python."]
    assert all(r.fallback and r.score == 0 for r in results)


def test_the_fallback_adds_nothing_to_an_answer(talk):
    assert not any(r.fallback for r in talk.recall("Python", fallback=True))


def test_a_cell_cites_the_messages_that_it_derives_from_in_order_of_time(talk):
    talk.cell("Ada has a grey zeppelin called Tom.", evidence=["e3", "e2"], scene="pets")
    best = talk.recall("zeppelin")[0]
    assert (best.type, best.cell_type) == ("semantic", "fact")
    assert best.event_ids == ("e2", "e3")
    assert best.content == "Ada has a grey zeppelin called Tom."


@pytest.mark.parametrize(
    ("validity", "live"),
    [
        ({}, True),
        ({"valid_from": 11}, False),
        ({"valid_from": 10}, True),
        ({"valid_until": 11}, True),
        ({"valid_until": 10}, False),
        ({"fades_at": 11}, True),
        ({"fades_at": 10}, False),
    ],
)
def test_only_what_is_live_now_is_found(memory, validity, live):
    memory.cell("the zeppelin is purple", **{"valid_from": 0, **validity})
    memory.embed()
    assert bool(memory.found("zeppelin", now=10)) is live


def test_retired_cells_do_not_push_live_ones_out(memory):
    for n in range(300):
        memory.cell(f"zeppelin zeppelin {n}", valid_until=memory.START + 1)
    memory.cell("a long text in which the zeppelin stands once among a great many other words")
    memory.embed()
    expected = ["a long text in which the zeppelin stands once among a great many other words"]
    assert memory.found("zeppelin") == expected
    with memory.transaction():
        memory.con.execute("DELETE FROM fulltext")
    assert memory.found("zeppelin the great") == expected


def test_a_live_node_behind_more_retired_ones_than_the_index_gives_is_found(monkeypatch, memory):
    monkeypatch.setattr("mnemolog.projections.search.candidates.MOST_LOOKED_AT", 60)
    for _ in range(100):
        memory.cell("purple zeppelin", valid_until=memory.START + 1)
    memory.cell("purple zeppelin over the harbour")
    memory.embed()
    with memory.transaction():
        memory.con.execute("DELETE FROM fulltext")
    assert memory.found("purple zeppelin") == ["purple zeppelin over the harbour"]


def test_only_the_types_that_are_asked_for_are_found(talk):
    talk.cell("Ada prefers Python.", evidence=["e1"])
    talk.cell("To clean Python caches, run make.", node_type="procedural", cell_type="procedure")
    talk.embed()
    assert {r.type for r in talk.recall("Python")} >= {"episodic", "semantic", "procedural"}
    assert {r.type for r in talk.recall("Python", types=["semantic"])} == {"semantic"}
    assert {r.type for r in talk.recall("Python", types=["procedural", "semantic"])} == {"semantic", "procedural"}
    assert {r.type for r in talk.recall("Python", types=["episodic"])} == {"episodic"}
    assert talk.recall("Python", types=["opinion"]) == []
    assert talk.recall("Python", types=[]) == []


def test_a_word_deep_in_a_very_long_message_finds_it(talk):
    talk.say("filler words " * 50_000 + " zeppelin")
    talk.embed()
    best = talk.recall("zeppelin")[0]
    assert best.content.endswith("zeppelin")
    assert best.scores["coverage"] == pytest.approx(1.0)


def test_one_character_of_chinese_finds_every_message_that_has_it(memory):
    memory.say("我买了新鞋", session="a")
    memory.say("鞋很舒服", session="b")
    memory.say("今天下雨", session="c")
    memory.embed()
    assert set(memory.found("鞋")[:2]) == {"我买了新鞋", "鞋很舒服"}


def test_vectors_of_another_model_are_not_compared(talk, other_embedder):
    talk.embedder = other_embedder
    results = talk.recall("Python tools")
    assert results[0].content == "I prefer Python for small tools."
    assert all(r.scores["similarity"] == 0 for r in results)


def test_no_read_transaction_is_left_open(talk):
    reader = open_reader(talk.path)
    recall(reader, "Python", embedder=talk.embedder, now=talk.START)
    assert not reader.in_transaction
    with pytest.raises(AttributeError):
        recall(reader, None, embedder=talk.embedder, now=talk.START)
    assert not reader.in_transaction
    talk.say("something new")
    assert talk.con.wal_checkpoint(mode=3) == (0, 0)
    reader.close()


def test_an_open_reader_finds_what_came_after_its_last_question(talk):
    reader = open_reader(talk.path)
    options = {"embedder": talk.embedder, "now": talk.START}
    assert recall(reader, "zeppelin", **options) == []
    talk.say("The zeppelin lands at noon.")
    assert recall(reader, "zeppelin", **options)[0].content == "The zeppelin lands at noon."
    reader.close()


def test_an_open_reader_follows_a_file_that_was_replaced_in_place(tmp_path, talk, other_embedder):
    reader = open_reader(talk.path)
    options = {"now": talk.START}
    assert recall(reader, "Python tools", embedder=talk.embedder, **options)
    other = type(talk)(tmp_path / "other.db", other_embedder)
    other.say("The zeppelin lands at noon.")
    other.embed()
    with talk.con.backup("main", other.con, "main") as backup:
        backup.step()
    assert recall(reader, "Python tools", embedder=talk.embedder, **options) == []
    found = recall(reader, "zeppelin", embedder=other_embedder, **options)
    assert [r.content for r in found] == ["The zeppelin lands at noon."]
    assert found[0].scores["similarity"] > 0
    reader.close()
    other.con.close()


def test_recall_goes_on_while_an_index_is_rebuilt(talk, other_embedder):
    reader = open_reader(talk.path)
    seen = []

    def ask(done, total):
        seen.append(recall(reader, "Python tools", embedder=talk.embedder, now=talk.START)[0].event_ids)

    fulltext.rebuild(talk.con, talk.transaction, ask)
    vectors.rebuild(talk.con, other_embedder, talk.transaction, ask)
    ask(0, 0)
    reader.close()
    assert seen == [("e1",)] * 3


def test_frequent_words_are_left_out_of_the_search_of_a_large_memory(monkeypatch, memory):
    monkeypatch.setattr("mnemolog.projections.search.candidates.SMALL", 20)
    for n in range(40):
        memory.say(f"the harbour again number{n}", session=f"s{n}")
    memory.say("the harbour zeppelin", session="z")
    assert memory.found("harbour zeppelin") == ["the harbour zeppelin"]
    assert len(memory.found("harbour")) == 10
