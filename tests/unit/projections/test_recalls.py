"""The recall log as it is read: by time, by query, by node, by id."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.lines.rendering import Line
from mnemolog.projections.recalls import (
    _line,
    answer_lines,
    missing,
    recall_of,
    recalls,
    recalls_of,
    salt_of,
    text_again,
)
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.recalls import Answer, AnswerLine, hashed_options, query_hash, recall_id, scene_key, text_digest
from mnemolog.schema.requests import NodesRecalled

SALT = "0" * 32


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    made = Memory(tmp_path / "a.db", salt=SALT)
    made.now = START_MS + days(30)
    return made


def answer(query: str, *told: str, at: float = 0, keep: bool = True, **fields: Any) -> Answer:
    """An answer to a question asked so many days after the beginning."""
    asked = START_MS + days(at)
    defaults: dict[str, Any] = {
        "at": asked,
        "about": asked,
        "kind": "context",
        "query": query if keep else "",
        "query_chars": len(query),
        "query_hash": query_hash(SALT, query),
        "ms": asked,
        "seq": 0,
        "lines": tuple(AnswerLine("fact", node_id) for node_id in told),
        "digest": text_digest(SALT, "answer"),
    }
    return Answer(**{**defaults, **fields})


def test_a_recall_reads_back_as_it_was_recorded(memory: Memory) -> None:
    made = answer(
        "Where?",
        "ce-1",
        options={"budget": 500, "speakers": ("Ada", "上海"), "fallback": True},
        lines=(AnswerLine("scene", "sc-1"), AnswerLine("message", "ep-1", (0, 7))),
        reinforces=True,
    )
    event_id = memory.add(NodesRecalled(answers=(answer("What?"), made)))
    found = recall_of(memory.connection, recall_id(event_id, 1))
    assert (found.event_id, found.query, found.kind) == (event_id, "Where?", "context")
    assert (found.asked_at, found.position) == (made.at, Position(made.ms, made.seq))
    assert (found.options, found.lines) == (made.options, made.lines)
    assert (found.digest, found.reinforces, found.message) == (made.digest, True, None)


def test_recalls_are_listed_newest_first_and_by_time_query_and_node(memory: Memory) -> None:
    memory.add(
        NodesRecalled(
            answers=(
                answer("Where does Ada work?", "ce-1", at=1),
                answer("Which editor?", "ce-2", "ce-1", at=3),
                answer("", at=2),
            )
        )
    )
    connection = memory.connection
    assert [found.query for found in recalls(connection)] == ["Which editor?", "", "Where does Ada work?"]
    assert [found.query for found in recalls(connection, limit=1)] == ["Which editor?"]
    assert [found.query for found in recalls(connection, since=START_MS + days(2))] == ["Which editor?", ""]
    assert [found.query for found in recalls(connection, query="ADA WORK")] == ["Where does Ada work?"]
    assert [found.query for found in recalls_of(connection, "ce-2")] == ["Which editor?"]
    assert [found.query for found in recalls_of(connection, "ce-1")] == ["Which editor?", "Where does Ada work?"]
    assert recalls(connection, query="Where", node_id="ce-2") == []
    assert recalls_of(connection, "ce-3") == []


def test_a_query_of_which_only_the_hash_was_kept_is_found_by_the_whole_of_it(memory: Memory) -> None:
    memory.add(NodesRecalled(answers=(answer("Where does Ärger live?", keep=False),)))
    (found,) = recalls(memory.connection, query="  where does\nÄRGER live?")
    assert (found.query, found.query_chars) == ("", 22)
    assert recalls(memory.connection, query="Where does") == []


def test_a_query_that_was_a_message_is_read_from_the_message(memory: Memory) -> None:
    said = memory.say("Where do I work, again?")
    memory.add(NodesRecalled(answers=(answer("Where do I work, again?", keep=False, message=said),)))
    (found,) = recalls(memory.connection, query="work, again")
    assert (found.query, found.message) == ("Where do I work, again?", episode_id(said))


def test_a_recall_is_named_by_the_beginning_of_its_id(memory: Memory) -> None:
    event_id = memory.add(NodesRecalled(answers=tuple(answer(f"Question {number}") for number in range(40))))
    whole = recall_id(event_id, 7)
    assert recall_of(memory.connection, whole).query == "Question 7"
    with pytest.raises(InvalidInput, match="begins the ids of several recalls"):
        recall_of(memory.connection, "rc-")
    for nothing in ("", "rc-zzzz", "%", "ce-1"):
        with pytest.raises(InvalidInput, match="there is no recall"):
            recall_of(memory.connection, nothing)


def test_a_clock_far_ahead_does_not_stand_before_all_later_recalls(memory: Memory) -> None:
    memory.add(NodesRecalled(answers=(answer("From the future", at=50_000),)))
    assert recalls(memory.connection)[0].asked_at == memory.now + days(1)


def test_the_order_of_recorded_recalls_does_not_matter(tmp_path: Path) -> None:
    events = {
        "e1": NodesRecalled(answers=(answer("One", "ce-1", at=1), answer("Two", "ce-2", at=2))),
        "e2": NodesRecalled(answers=(answer("Three", "ce-1", at=1),)),
        "e3": NodesRecalled(recalls=((START_MS, ("ce-1",)),)),
    }
    found = set()
    for number, order in enumerate(permutations(events)):
        memory = Memory(tmp_path / f"{number}.db", salt=SALT)
        memory.now = START_MS + days(9)
        for name in (*order, order[0]):
            memory.add(events[name], name)
        tables = [memory.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("recalls", "recalled_nodes")]
        found.add(str(tables))
    assert len(found) == 1


def test_hashes_say_nothing_without_the_salt_and_differ_by_what_they_are_of(memory: Memory) -> None:
    assert salt_of(memory.connection) == SALT
    hashes = [query_hash(SALT, "career"), text_digest(SALT, "career"), scene_key(SALT, "career")[3:]]
    assert len({*hashes, query_hash("1" * 32, "career"), query_hash(SALT, "careers")}) == 5
    given = {"types": ("semantic",), "limit": 7, "speakers": ("Ada",), "asker": "Ben", "after": "2026-03-09T00:00:00Z"}
    hidden = hashed_options(SALT, given)
    assert {name for name in given if hidden[name] == given[name]} == {"types", "limit", "after"}
    assert "Ada" not in str(hidden)
    assert "Ben" not in str(hidden)


def test_all_that_a_line_of_a_context_is_rendered_from_is_recorded(memory: Memory) -> None:
    fields = [name for name in Line.__struct_fields__ if name not in ("kind", "id")]
    whole, cut = Line("message", "ep-1"), Line("message", "ep-1", **dict.fromkeys(fields, 7))
    recorded = answer_lines(memory.connection, (whole, cut))
    assert [_line(line, {}) for line in recorded] == [whole, cut]
    assert _line(AnswerLine("fact", "ce-1"), {}) == Line("fact", "ce-1")


def test_a_scene_is_recorded_without_its_name_and_found_again(memory: Memory) -> None:
    memory.state("I keep a spare key at the office.", START_MS, "s1", scene="keys and locks")
    (line,) = answer_lines(memory.connection, (Line("scene", "keys and locks"),))
    assert line.id == scene_key(SALT, "keys and locks")
    event_id = memory.add(NodesRecalled(answers=(answer("Where?", lines=(line, AnswerLine("scene", "sc-gone"))),)))
    found = recall_of(memory.connection, recall_id(event_id, 0))
    assert missing(memory.connection, found) == ["sc-gone"]
    assert "keys and locks" in text_again(memory.connection, found)


def test_half_a_character_can_be_asked_for() -> None:
    assert query_hash(SALT, "\ud83d") != query_hash(SALT, "?")
