"""What a door notes of an answer: what was used, what was answered, and from which state of the file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.folding import Memory, Words

from mnemolog.gateway.memory.recording import Asked, Recording
from mnemolog.producers.recalls import RecallRecorder
from mnemolog.projections.context import context
from mnemolog.projections.recall import Result, recall
from mnemolog.projections.recalls import results_text, salt_of
from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import Answer, text_digest
from mnemolog.schema.times import DAY
from mnemolog.workers.writer.space_file import create_tables, open_for_writing


class Noted(RecallRecorder):
    """Keeps what it is told instead of sending it."""

    def __init__(self) -> None:
        super().__init__("test", lambda: None)
        self.used: list[tuple[str, ...]] = []
        self.answers: list[Answer | None] = []

    def record(self, used: Sequence[str], at: int | None = None, answer: Answer | None = None) -> None:
        self.used.append(tuple(used))
        self.answers.append(answer)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    made = Memory(tmp_path / "a.db")
    made.now = now()
    made.state("I keep a spare key at the office.", now(), "s1")
    return made


def now() -> int:
    return time.time_ns() // 1_000_000


def found(memory: Memory) -> list[Result]:
    return recall(memory.connection, "spare key at the office", embedder=Words(), now=now() + 1_000)


def test_a_recall_is_noted_with_what_it_used_and_an_answer_that_can_be_told_again(memory: Memory) -> None:
    noted, results = Noted(), found(memory)
    Recording(noted, "text").recall(memory.connection, Asked(query="Which key?", about=now()), results)
    (answer,) = noted.answers
    assert answer is not None
    assert noted.used == [tuple(one.node_id for one in results if one.type == "semantic")]
    assert {line.kind for line in answer.lines} == {"fact", "message"}
    assert answer.position == Position(*memory.get("SELECT position_ms, position_seq FROM space"))
    text = results_text(memory.connection, answer.lines)
    assert answer.digest == text_digest(salt_of(memory.connection), text)
    assert (answer.query, answer.reinforces) == ("Which key?", True)


def test_a_context_is_noted_with_the_digest_of_its_exact_text(memory: Memory) -> None:
    noted = Noted()
    told = context(memory.connection, "spare key at the office", embedder=Words(), now=now() + 1_000)
    Recording(noted, "text").context(memory.connection, Asked(query="Which key?", about=now()), told)
    (answer,) = noted.answers
    assert answer is not None
    assert noted.used == [told.facts] != [()]
    assert (answer.kind, len(answer.lines)) == ("context", len(told.lines))
    assert answer.digest == text_digest(salt_of(memory.connection), told.text)


@pytest.mark.parametrize(("days_ago", "is_use"), [(1, True), (0, False)])
def test_questions_about_another_time_use_nothing(memory: Memory, days_ago: int, is_use: bool) -> None:
    noted = Noted()
    asked = Asked(query="Which key?", about=now() - days_ago * DAY, is_use=is_use)
    Recording(noted, "text").recall(memory.connection, asked, found(memory))
    (answer,) = noted.answers
    assert answer is not None
    assert (noted.used, answer.reinforces) == ([()], False)


def test_an_answer_does_not_fail_where_it_cannot_be_noted(memory: Memory) -> None:
    noted, results = Noted(), found(memory)
    told = context(memory.connection, "spare key", embedder=Words(), now=now() + 1_000)
    memory.connection.execute("ALTER TABLE space RENAME TO spaces")
    Recording(noted, "text").recall(memory.connection, Asked(query="Which key?", about=now()), results)
    Recording(noted, "text").context(memory.connection, Asked(query="Which key?", about=now()), told)
    assert noted.answers == []
    assert not memory.connection.in_transaction


def test_without_a_log_only_what_was_used_is_noted(memory: Memory) -> None:
    noted = Noted()
    Recording(noted, "off").recall(memory.connection, Asked(query="Which key?", about=now()), found(memory))
    assert noted.answers == [None]
    assert noted.used != [()]


def test_a_file_from_before_the_first_event_answers_nothing_that_is_noted(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "empty.db")
    create_tables(connection, Words())
    noted = Noted()
    Recording(noted, "text").recall(connection, Asked(query="Which key?", about=now()), [])
    assert noted.answers == []
    connection.close()
