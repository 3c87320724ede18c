"""Pages of scenes at a time: what `scenes_at` tells, some at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.scene_pages import scene_page
from mnemolog.projections.scenes import scenes_at
from mnemolog.schema.errors import InvalidInput

TIMES = [START_MS + days(day) for day in (-1, 0, 0.5, 3, 5, 40, 75, 400, 4_000)]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Facts of three scenes: one fades soon, one is superseded, one lasts."""
    found = Memory(tmp_path / "a.db")
    for day, content, scene, kind in (
        (0, "Ada lives in Rome.", "home", "fact"),
        (1, "Ada will paint the door.", "home", "task"),
        (2, "Ada likes tea.", "food", "preference"),
        (3, "Ada thinks that soup is dull.", "food", "opinion"),
        (4, "Ada has a cat.", "pets", "fact"),
    ):
        found.now = START_MS + days(day)
        found.state(content, found.now, f"s{day}", scene=scene, cell_type=kind)
    found.now = START_MS + days(5)
    newer = found.state("Ada lives in Oslo.", found.now, "later", scene="home")
    older = found.get("SELECT node_id FROM nodes WHERE content = 'Ada lives in Rome.' AND cell_type = 'fact'")
    found.judge((older, newer, "supersedes"))
    return found


@pytest.mark.parametrize("at", TIMES)
def test_pages_tell_the_scenes_of_any_time(memory: Memory, at: int) -> None:
    assert list(scene_page(memory.connection, at).scenes) == scenes_at(memory.connection, at)


def test_pages_go_on_where_they_ended(memory: Memory) -> None:
    at = memory.now
    found, after = [], None
    while True:
        page = scene_page(memory.connection, at, limit=2, after=after)
        found += page.scenes
        if (after := page.after) is None:
            break
    assert found == scenes_at(memory.connection, at)
    assert len(found) == 3


def test_one_scene_is_told_where_it_is_named(memory: Memory) -> None:
    assert [one.scene for one in scene_page(memory.connection, memory.now, scene="food").scenes] == ["food"]
    assert scene_page(memory.connection, memory.now, scene="nothing").scenes == ()


def test_a_scene_that_is_not_there_is_no_cursor(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="no topic 'nothing'"):
        scene_page(memory.connection, memory.now, after="nothing")
