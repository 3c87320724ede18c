from __future__ import annotations

import pytest


@pytest.fixture
def talk(memory):
    memory.say("The favourite tea is oolong.", session="a", speaker="Ben")
    memory.say("The favourite tea is sencha.", session="b", speaker="Ada")
    memory.embed()
    return memory


@pytest.mark.parametrize(
    "question",
    [
        "What is my favourite tea?",
        "Which tea do I call favourite?",
        "Was ist mein favourite tea?",
        "我的 favourite tea?",
    ],
)
def test_i_and_my_mean_who_asks(talk, question):
    assert talk.recall(question, asker="Ada")[0].speaker == "Ada"
    assert talk.recall(question, asker="ben")[0].speaker == "Ben"


def test_without_an_asker_the_only_user_asks(memory):
    memory.say("The favourite tea is oolong.", session="a", speaker="Ada")
    memory.say("The favourite tea is sencha.", session="b", speaker="Robot", role="assistant")
    memory.embed()
    assert memory.recall("my favourite tea")[0].speaker == "Ada"


def test_of_two_users_none_is_taken_for_the_one_who_asks(talk):
    assert not any(result.scores["speaker"] for result in talk.recall("my favourite tea"))


def test_a_question_without_i_is_the_same_whoever_asks(talk):
    assert talk.recall("favourite tea") == talk.recall("favourite tea", asker="Ada")


def test_a_relative_time_is_told_from_the_time_of_asking(memory):
    for day in range(40):
        memory.say("We went to the theatre.", session=f"d{day}", at=memory.START + day * memory.DAY, speaker=f"S{day}")
    memory.embed()
    now = memory.START + 40 * memory.DAY
    best = memory.recall("What theatre was it yesterday?", now=now, limit=1)[0]
    assert now - best.occurred_at <= 2 * memory.DAY


def test_first_and_last_are_found_by_their_place_in_time(memory):
    for day in range(30):
        at = memory.START + day * memory.DAY
        memory.say("We met at the harbour.", session=f"d{day}", at=at, speaker=f"S{day}")
    memory.embed()
    assert memory.recall("When did we first meet at the harbour?", limit=1)[0].session == "d0"
    assert memory.recall("When did we last meet at the harbour?", limit=1)[0].session == "d29"


def test_a_question_that_tells_no_time_is_not_moved_by_any(memory):
    memory.say("We met at the harbour.", at=memory.START)
    memory.embed()
    (found,) = memory.recall("Whom did we meet at the harbour?")
    assert (found.scores["date"], found.scores["order"]) == (0, 0)


def test_what_was_before_an_event_is_found_by_its_time(memory):
    for day in range(10):
        memory.say("A parrot lived with me.", session=f"d{day}", at=memory.START + day * memory.DAY, speaker=f"S{day}")
    memory.say("Today I moved to Lisbon.", session="move", at=memory.START + 5 * memory.DAY + 1, speaker="Ada")
    memory.embed()
    moved = memory.START + 5 * memory.DAY + 1
    before = memory.recall("Which parrot lived with me before I moved to Lisbon?", limit=3)
    after = memory.recall("Which parrot lived with me after I moved to Lisbon?", limit=3)
    assert all(result.occurred_at < moved for result in before if "parrot" in result.content)
    assert all(result.occurred_at > moved for result in after if "parrot" in result.content)


def test_messages_in_the_same_words_are_one_result_that_names_the_others(memory):
    ids = [
        memory.say(text, session=f"s{text}")
        for text in ("I like green tea.", "Well, I like green tea!", "i like green TEA")
    ]
    memory.say("I like green tea.", session="other", speaker="Ben")
    memory.say("I do not like green tea.", session="no")
    memory.embed()
    found = memory.recall("green tea")
    assert len(found) == 3
    same = next(result for result in found if result.same_as)
    assert set(same.event_ids) == set(ids)
    assert len(same.same_as) == 2


def test_a_message_that_its_fact_repeats_is_folded_into_the_fact(tmp_path, memory, wordllama):
    told = type(memory)(tmp_path / "told.db", wordllama)
    told.say("I like green tea.")
    fact = told.cell("Ada likes green tea.", evidence=["e1"])
    told.embed()
    (found,) = told.recall("green tea")
    told.con.close()
    assert (found.node_id, found.event_ids, len(found.same_as)) == (fact, ("e1",), 1)


def test_of_facts_in_the_same_words_the_newer_one_is_told(memory):
    old = memory.cell("Ada lives in Rome.", valid_from=memory.START)
    new = memory.cell("Ada lives in Rome.", valid_from=memory.START + 300 * memory.DAY)
    memory.embed()
    (found,) = memory.recall("Who lives in Rome?", now=memory.START + 301 * memory.DAY)
    assert (found.node_id, found.same_as) == (new, (old,))


def test_the_answer_is_empty_unless_the_best_has_the_least_score(talk):
    best = talk.recall("favourite tea")[0].score
    assert talk.recall("favourite tea", min_score=best - 0.01)
    assert talk.recall("favourite tea", min_score=best + 0.01) == []
