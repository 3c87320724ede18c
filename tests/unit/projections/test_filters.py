from __future__ import annotations

import pytest

from mnemolog.projections.search.filters import Filters, user_speakers


@pytest.fixture
def talk(memory):
    for n in range(80):
        memory.say(f"The harbour was lovely {n}.", session=f"Day {n}", speaker="Ben", at=memory.START + n * memory.DAY)
    memory.say("The harbour?", session="Ｌast  Day", speaker="Ada Lovelace", at=memory.START + 100 * memory.DAY)
    memory.cell("Ada loves the harbour.", evidence=["e81"], scene="Seaside", valid_from=memory.START + 90 * memory.DAY)
    with memory.transaction():
        memory.con.execute("INSERT INTO scenes VALUES ('Seaside', '', 1, 0, 0)")
        memory.con.execute("INSERT INTO entities VALUES ('place:harbour', 'place', 'harbour')")
        memory.con.execute("INSERT INTO entity_aliases VALUES ('the port', 'place:harbour')")
        memory.con.execute("INSERT INTO edges VALUES ('entity', 'cell-82', 'place:harbour', 0, NULL, 1)")
    memory.embed()
    return memory


def passing(talk, limit=5, **filters):
    return {result.content for result in talk.recall("lovely harbour", limit=limit, filters=Filters(**filters))}


LAST = {"The harbour?", "Ada loves the harbour."}


def test_a_filtered_search_finds_the_best_of_what_passes_however_much_is_better(talk):
    assert "The harbour?" not in passing(talk)
    assert "The harbour?" in passing(talk, speakers=("Ada Lovelace",))


@pytest.mark.parametrize(
    "filters",
    [
        {"speakers": ("ada lovelace",)},
        {"sessions": ("last day",)},
        {"scenes": ("SEASIDE",)},
        {"entities": ("Harbour",)},
        {"entities": ("The Port",)},
        {"speakers": ("ada lovelace", "nobody"), "scenes": ("seaside",)},
    ],
    ids=str,
)
def test_names_are_matched_in_any_spelling_and_a_fact_is_of_its_messages(talk, filters):
    assert passing(talk, **filters) <= LAST
    found = talk.recall("lovely harbour", filters=Filters(**filters))
    assert {node for result in found for node in (result.node_id, *result.same_as)} >= {"cell-82"}


def test_times_are_half_open_and_of_facts_their_own(talk):
    day = talk.DAY
    assert passing(talk, after=talk.START, before=talk.START + day) == {"The harbour was lovely 0."}
    assert passing(talk, after=talk.START + 90 * day, before=talk.START + 100 * day) == {"Ada loves the harbour."}


@pytest.mark.parametrize("kind", ["sessions", "speakers", "scenes", "entities"])
def test_a_name_that_nothing_has_lets_nothing_through(talk, kind):
    assert passing(talk, **{kind: ("nowhere to be found",)}) == set()


def test_what_stands_beside_a_result_need_not_pass_and_is_none(talk):
    talk.say("Yes, lovely.", session="Day 3", speaker="Cleo", at=talk.START + 3 * talk.DAY + 1)
    assert passing(talk, speakers=("Cleo",)) == {"Yes, lovely."}


def test_who_speaks_as_a_user_is_listed_once(talk):
    talk.say("Hello.", speaker="Robot", role="assistant")
    assert user_speakers(talk.con, 5) == ["Ada Lovelace", "Ben"]
    assert user_speakers(talk.con, 1) == ["Ada Lovelace"]
