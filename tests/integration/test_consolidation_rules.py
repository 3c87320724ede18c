"""What the rules make of talk: facts that change, scenes, edges of every kind, and answers that only edges find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from support.folding import START_MS, days
from support.telling import Telling

from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import Result, recall
from mnemolog.projections.scenes import scenes
from mnemolog.schema.cells import CellType
from mnemolog.schema.recalled import BEGIN, END
from mnemolog.workers.rebuilding.rebuild import index_vectors

embedder = WordLlamaEmbedder()
#: Half a year of somebody's talk.
STORY = (
    (0, "I work at Acme."),
    (0, "My sister Mia works at Fernweh."),
    (1, "Mia lives in Oslo."),
    (2, "I prefer Python."),
    (3, "I have to send the invoice by Friday."),
    (4, "I'm flying to Rome next week."),
    (5, "When the build fails I clear the cache."),
    (6, "I think Rust is hard."),
    (7, "The release may slip because the vendor is late."),
    (8, "I don't drink coffee because I have insomnia."),
    (9, "We'll use Postgres instead of MySQL."),
    (30, "I started at Globex."),
)


def read(folder: Path) -> Telling:
    telling = Telling(folder / "space.db")
    for day, text in STORY:
        telling.hear(text, day)
    telling.hear("Nice to meet you.", 31, session="smalltalk")
    telling.hear("And a good evening.", 31.1, session="smalltalk")
    telling.work_off()
    index_vectors(telling.memory.connection, embedder, None, lambda _: None)
    return telling


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with read(tmp_path_factory.mktemp("told")) as telling:
        yield telling


def ask(telling: Telling, query: str, **options: Any) -> list[Result]:
    now = START_MS + days(telling.today)
    return recall(telling.memory.connection, query, embedder=embedder, now=now, **options)


def column(telling: Telling, sql: str) -> set[str]:
    return {value for (value,) in telling.memory.rows(sql)}


# ---- what there is -------------------------------------------------------------------------------------------------


def test_every_type_of_node_cell_and_edge_occurs(told: Telling) -> None:
    assert column(told, "SELECT type FROM nodes") == {"episodic", "semantic", "procedural", "opinion"}
    assert column(told, "SELECT cell_type FROM nodes WHERE cell_type IS NOT NULL") == set(get_args(CellType))
    assert column(told, "SELECT kind FROM edges") == {"temporal", "causal", "derived_from", "supersedes", "entity"}


def test_nothing_is_refused_of_what_the_rules_find(told: Telling) -> None:
    assert told.memory.rows("SELECT * FROM refusals") == []
    assert told.memory.rows("SELECT * FROM jobs WHERE state != 'done'") == []


def test_three_sentences_about_a_project_are_facts_in_one_or_two_scenes_with_summaries(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        for number, text in enumerate(
            [
                "We are building an agent that remembers projects long term.",
                "It should organize conversations into topics automatically.",
                "This memory system should support future reasoning.",
            ]
        ):
            telling.hear(text, number / 1_000, session="project")
        telling.work_off()
        assert len(telling.known()) >= 3
        found = scenes(telling.memory.connection)
        assert 1 <= len(found) <= 2
        assert all(scene.summary and len(scene.summary.split()) < 100 and not scene.stale for scene in found)


def test_a_correction_in_a_session_of_its_own_is_read_with_what_was_said_before(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I started at Bosch.", 0)
        telling.hear("I moved to Rome.", 0.5, speaker="Ben")
        telling.hear("I meant Siemens, not Bosch.", 1)
        telling.work_off()
        (live,) = [fact for fact in telling.known(at=500) if fact.subject == "Ada" and fact.status == "live"]
        assert (live.slot, live.object, live.content) == ("employer", "siemens", "Ada works at Siemens.")


# ---- what an edge leads to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "kind", "answer"),
    [
        ("Why don't I drink coffee?", "causal", "Ada has the condition insomnia."),
        ("Who works at Fernweh?", "entity", "Mia lives in Oslo."),
    ],
)
def test_an_edge_leads_from_a_hit_to_what_the_question_asks_for(
    told: Telling, query: str, kind: str, answer: str, tmp_path: Path
) -> None:
    hits = {result.content: result for result in ask(told, query, limit=5)}
    assert hits[answer].scores["linked"] > 0
    with read(tmp_path) as apart:
        apart.memory.connection.execute("DELETE FROM edges WHERE kind = ?", (kind,))
        without = {result.content: result.score for result in ask(apart, query, limit=5)}
        assert without.get(answer, 0) < hits[answer].score


def test_edges_are_followed_only_where_the_question_asks_for_them(told: Telling) -> None:
    results = ask(told, "Do I drink coffee, and is Fernweh large?", limit=20)
    assert results
    assert {result.scores["linked"] for result in results} == {0}


def test_an_edge_leads_to_nothing_that_was_forgotten(tmp_path: Path) -> None:
    with read(tmp_path) as telling:
        telling.forget("Mia lives in Oslo.")
        assert [result for result in ask(telling, "Who works at Fernweh?") if "Oslo" in result.content] == []


def test_what_is_no_longer_so_comes_after_what_is(told: Telling) -> None:
    results = ask(told, "Where do I work?")
    contents = [result.content for result in results]
    assert contents.index("Ada works at Globex.") < contents.index("I work at Acme.")
    assert "Ada works at Acme." not in contents
    new = next(result for result in results if result.content == "Ada works at Globex.")
    assert [told.memory.get("SELECT content FROM nodes WHERE node_id = ?", old) for old in new.supersedes] == [
        "Ada works at Acme."
    ]


def test_as_of_a_past_day_the_old_fact_is_the_live_one(told: Telling) -> None:
    past = START_MS + days(10)
    results = recall(told.memory.connection, "Where do I work?", embedder=embedder, now=past)
    contents = [result.content for result in results]
    assert "Ada works at Acme." in contents
    assert "Ada works at Globex." not in contents
    assert all(result.scores["outdated"] == 0 for result in results)


# ---- what is not learnt from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I prefer Python.", {"role": "system"}),
        ("I prefer Python.", {"role": "tool"}),
        ("I prefer Python.", {"source_type": "recall"}),
        ("You live in Hamburg, right?", {"role": "assistant", "speaker": None}),
        (f"{BEGIN}\n- Ada lives in Rome.\n{END} I live in Paris.", {}),
        ("I live in Paris. " + BEGIN, {}),
    ],
)
def test_what_nobody_said_for_themselves_is_not_learnt(text: str, said: dict[str, Any], tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear(text, 0, **said)
        telling.work_off()
        assert telling.known() == []
