"""Scenes: keys, topics and summaries."""

import msgspec
import pytest

from mnemolog.workers.rules import scene_key, summarise
from mnemolog.workers.rules.text import width

from .corpus import say


def test_spellings_of_one_topic_are_one_key():
    assert scene_key("Career") == scene_key("career ") == scene_key("Careers") == "career"


def test_a_key_has_at_most_five_words_and_is_never_misc():
    assert len(scene_key("the long and winding road to a better world for all").split()) <= 5
    assert scene_key("misc") == ""


@pytest.mark.parametrize(
    ("said", "scene"),
    [
        ("I work at Acme.", "career"),
        ("I'm vegan.", "food"),
        ("I live in Porto.", "home"),
        ("I prefer Rust.", "programming"),
    ],
)
def test_cells_group_by_topic(said: str, scene: str):
    assert [cell.scene for cell in say(said).cells] == [scene]


def test_the_summary_of_one_cell_is_the_cell():
    cell = say("I work at Acme.").cells[0]
    assert summarise([cell]) == cell.content


def test_a_summary_stays_under_a_hundred_words_and_takes_the_most_salient():
    cells = [
        msgspec.structs.replace(
            say("I work at Acme.").cells[0], content=f"Ada wrote down number {number} " + "very " * 9 + "well."
        )
        for number in range(40)
    ]
    first = msgspec.structs.replace(cells[-1], content="Ada is allergic to peanuts.", salience=0.9)
    summary = summarise([*cells, first])
    assert width(summary) < 100
    assert summary.startswith("Ada is allergic to peanuts.")


def test_one_endless_cell_is_cut_to_size_among_others():
    long = msgspec.structs.replace(say("I work at Acme.").cells[0], content="the " * 150)
    assert width(summarise([long, long])) < 100


def test_a_summary_is_in_the_language_of_most_cells():
    cells = say("Ich wohne in Hamburg.", "Ich mag Techno.", "I like jazz.").cells
    assert "likes" not in summarise(cells)


def test_a_scene_without_cells_has_no_summary():
    with pytest.raises(ValueError, match="no summary"):
        summarise([])
