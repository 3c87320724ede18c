"""Entities: what is known of a name, in any spelling, and which names look like one that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.entities import EntityStory, entity
from mnemolog.projections.names import UnknownName, names
from mnemolog.schema.cells import Mention
from mnemolog.schema.requests import FactsForgotten

SOON = START_MS + days(50)
ACME = Mention("Acme", "organization")
MIA = Mention("Mia", "person")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def learn(memory: Memory, content: str, *entities: Mention, **fields) -> str:
    memory.now += days(1)
    return memory.state(content, memory.now, f"s{memory.now}", entities=entities, **fields)


def story(memory: Memory, name: str, **options) -> EntityStory:
    return entity(memory.connection, name, SOON, **options)


def contents(told) -> list[str]:
    return [one.content for one in told]


def test_a_profile_unites_the_entity_the_subject_and_the_speaker_of_a_name(memory: Memory) -> None:
    learn(memory, "I work at Acme.", ACME)
    learn(memory, "ada leads the choir.", Mention("ada", "person"), subject="Choir")
    profile = story(memory, "ADA").profile
    assert (profile.name, profile.kinds, profile.spellings) == ("Ada", ("person",), ("Ada", "ada"))
    assert (profile.about, profile.mentioned, profile.spoken) == (1, 1, 2)
    assert profile.entity_ids == ("person:ada",)


def test_facts_are_those_about_a_name_and_those_that_name_it(memory: Memory) -> None:
    learn(memory, "I work at Acme.", ACME)
    learn(memory, "Acme sells anvils.", ACME, subject="Acme")
    learn(memory, "I like tea.")
    found = story(memory, "acme")
    assert contents(found.about) == ["Acme sells anvils."]
    assert contents(found.mentions) == ["I work at Acme."]
    assert contents(story(memory, "Ada").about) == ["I work at Acme.", "I like tea."]


def test_what_changed_is_told_and_only_what_is_live_counts_as_a_fact(memory: Memory) -> None:
    old = learn(memory, "I work at Acme.", ACME, slot="employer", object="acme")
    new = learn(memory, "I work at Bolt.", slot="employer", object="bolt")
    memory.judge((old, new, "supersedes", "changed"))
    found = story(memory, "Ada")
    assert contents(found.about) == ["I work at Bolt."]
    (change,) = found.changed
    assert (change.replaced.content, change.content, change.since) == (
        *("I work at Acme.", "I work at Bolt."),
        START_MS + days(2),
    )
    assert contents(story(memory, "Ada", everything=True).about) == ["I work at Acme.", "I work at Bolt."]
    assert entity(memory.connection, "Ada", START_MS + days(1)).changed == ()


def test_the_timeline_has_messages_that_name_it_and_its_facts_oldest_first(memory: Memory) -> None:
    memory.say("Acme is hiring, they say.", at=START_MS, session="talk", speaker="Ben")
    memory.say("I had lunch at the acme of the hill: nothing to do with it.", at=START_MS + days(9), session="talk")
    memory.say("Somebody else is hiring.", at=START_MS, session="talk")
    learn(memory, "I work at Acme.", ACME)
    found = story(memory, "Acme").timeline
    assert [(moment.kind, moment.speaker) for moment in found[:3]] == [
        ("message", "Ben"),
        ("fact", "Ada"),
        ("message", "Ada"),
    ]
    assert [moment.at for moment in found] == sorted(moment.at for moment in found)
    assert story(memory, "Acme", limit=1).timeline == found[-1:]


def test_who_stands_beside_it_is_told_by_how_often(memory: Memory) -> None:
    learn(memory, "Mia works at Acme.", ACME, MIA, subject="Mia")
    learn(memory, "Mia and Acme went to Berlin.", ACME, MIA, Mention("Berlin", "place"), subject="Mia")
    related = [(one.name, one.kind, one.facts) for one in story(memory, "Acme").related]
    assert related == [("Mia", "person", 2), ("Berlin", "place", 1)]


def test_what_was_forgotten_is_told_only_when_all_is_asked_for(memory: Memory) -> None:
    node_id = learn(memory, "I owe Acme money.", ACME)
    memory.add(FactsForgotten(node_ids=(node_id,)))
    found = story(memory, "Acme")
    assert (found.mentions, found.timeline, found.related) == ((), (), ())
    assert [one.status for one in story(memory, "Acme", everything=True).mentions] == ["forgotten"]


@pytest.mark.parametrize(("name", "near"), [("Acmee", "Acme"), ("Adah", "Ada"), ("mia", None)])
def test_an_unknown_name_suggests_those_that_look_like_it(memory: Memory, name: str, near: str | None) -> None:
    learn(memory, "I work at Acme.", ACME)
    with pytest.raises(UnknownName) as raised:
        story(memory, name)
    assert raised.value.near[:1] == ((near,) if near else ())


@pytest.mark.parametrize("name", ["上海", "O'Brien", "C++", 'a "quoted" name', "AND"])
def test_any_name_is_found(memory: Memory, name: str) -> None:
    learn(memory, f"I know {name} well.", Mention(name, "concept"))
    found = story(memory, name)
    assert contents(found.mentions) == [f"I know {name} well."]
    assert {moment.kind for moment in found.timeline} == {"fact", "message"}


@pytest.mark.parametrize("name", ["", "***", "👍", "x" * 5_000])
def test_no_name_at_all_is_an_unknown_one(memory: Memory, name: str) -> None:
    learn(memory, "I work at Acme.", ACME)
    with pytest.raises(UnknownName):
        story(memory, name)


def test_names_are_listed_with_the_most_told_of_first(memory: Memory) -> None:
    learn(memory, "I work at Acme.", ACME)
    learn(memory, "Mia likes Acme.", ACME, MIA, subject="Mia")
    assert [(one.name, one.about, one.mentioned, one.spoken) for one in names(memory.connection)] == [
        ("Ada", 1, 0, 2),
        ("Acme", 0, 2, 0),
        ("Mia", 1, 1, 0),
    ]
