"""Scenes at another time: the recorded summary where it tells what was live then, else the facts of that time."""

from __future__ import annotations

from pathlib import Path

from support.folding import ENGINE, START_MS, Memory, days

from mnemolog.projections.scenes import holds, scenes, scenes_at
from mnemolog.schema.outcomes import SceneConsolidated
from mnemolog.workers.fold.scenes import seen_hash


def told(path: Path) -> Memory:
    """A scene of two facts that was summed up, of which one began on day 0 and the other on day 10."""
    memory = Memory(path)
    memory.now = START_MS + days(20)
    first = memory.state("Ada lives in Rome.", START_MS, "a")
    second = memory.state("Ada has a cat.", START_MS + days(10), "b", salience=0.9)
    key, generation, _ = memory.due("consolidate")[0]
    memory.add(
        SceneConsolidated(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            scene="life",
            summary="Ada lives in Rome with a cat.",
            cells=(first, second),
            seen=seen_hash([first, second]),
        )
    )
    return memory


def test_a_summary_is_told_of_a_time_when_the_same_facts_were_live(tmp_path: Path) -> None:
    memory = told(tmp_path / "a.db")
    at = START_MS + days(11)
    (scene,) = scenes_at(memory.connection, at)
    assert (scene.summary, scene.cells, scene.updated_at) == ("Ada lives in Rome with a cat.", 2, START_MS + days(10))
    assert holds(memory.connection, "life", at)
    assert scene.summary == scenes(memory.connection)[0].summary


def test_the_facts_stand_in_where_others_were_live(tmp_path: Path) -> None:
    memory = told(tmp_path / "a.db")
    at = START_MS + days(5)
    (scene,) = scenes_at(memory.connection, at)
    assert (scene.summary, scene.cells) == ("Ada lives in Rome.", 1)
    assert not holds(memory.connection, "life", at)
    memory.state("Ada plays chess.", START_MS + days(12), "c")
    (scene,) = scenes_at(memory.connection, START_MS + days(11))
    assert (scene.summary, scene.stale) == ("Ada has a cat. Ada lives in Rome.", True)


def test_there_was_no_scene_before_its_first_fact(tmp_path: Path) -> None:
    memory = told(tmp_path / "a.db")
    assert scenes_at(memory.connection, START_MS - 1) == []
