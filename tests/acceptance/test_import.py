"""Importing JSON lines: again, in another order, with bad lines."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from acceptance.memory import STORY, Memory
from unit.producers.exports import MARCH, chatgpt, node, write_json, write_zip

GOOD = {"session": "a", "role": "user", "content": "Good morning.", "at": "2026-03-09T08:00:00+01:00"}
BAD_LINES = {
    2: "{not json",
    3: json.dumps({**GOOD, "role": "king"}),
    4: json.dumps({name: value for name, value in GOOD.items() if name != "session"}),
    5: json.dumps({name: value for name, value in GOOD.items() if name != "at"}),
    6: json.dumps({**GOOD, "at": "2026-03-09T08:00:00"}),
    7: json.dumps({**GOOD, "content": "a\0b"}),
    8: json.dumps({**GOOD, "contnet": "a name that is no field"}),
}


def with_bad_lines(folder: Path) -> Path:
    path = folder / "chats.jsonl"
    path.write_text("\n".join([json.dumps(GOOD), *BAD_LINES.values(), json.dumps({**GOOD, "content": "Bye."})]))
    return path


def shuffled(folder: Path) -> Path:
    lines = STORY.read_text(encoding="utf-8").splitlines()
    random.Random(7).shuffle(lines)
    path = folder / "shuffled.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_importing_again_changes_nothing(memory: Memory) -> None:
    first = memory.json("import", STORY, "--drain")
    before: dict[str, Any] = memory.json("verify")
    again = memory.json("import", STORY, "--drain")
    assert (first["published"], first["already_there"]) == (16, 0)
    assert (again["published"], again["already_there"]) == (0, 16)
    assert memory.json("verify") == before
    assert memory.json("status")["nodes"] == {"episodic": 16}


def test_the_order_of_the_lines_does_not_matter(told: Memory, memory: Memory, tmp_path: Path) -> None:
    memory.run("import", shuffled(tmp_path), "--drain")
    assert memory.json("verify")["content_hash"] == told.json("verify")["content_hash"]
    assert memory.json("verify")["hash"] != told.json("verify")["hash"]


def test_an_imported_conversation_keeps_its_times_ids_and_people(told: Memory) -> None:
    (found, *_) = told.ask("When does Mei fly? 四月三日的机票")
    assert found["event_ids"] == ["t-03"]
    assert found["occurred_at"] == "2026-01-20T13:02:00Z"
    assert (found["session"], found["speaker"]) == ("旅行", "Mei")


def test_bad_lines_are_named_and_then_nothing_is_published(memory: Memory, tmp_path: Path) -> None:
    done = memory.run("import", with_bad_lines(tmp_path), status=2)
    assert [number for number in range(1, 10) if f"line {number}:" in done.stderr] == list(BAD_LINES)
    assert "'king'" in done.stderr
    assert "contnet" in done.stderr
    assert "--skip-bad" in done.stderr
    assert done.stdout == ""
    memory.run("status", status=6)


def test_bad_lines_can_be_left_out(memory: Memory, tmp_path: Path) -> None:
    done = memory.run("import", with_bad_lines(tmp_path), "--skip-bad", "--drain", "--json")
    report = json.loads(done.stdout)
    assert (report["published"], report["skipped_bad"]) == (2, len(BAD_LINES))
    assert all(f"line {number} left out" in done.stderr for number in BAD_LINES)
    assert memory.json("status")["nodes"] == {"episodic": 2}


def test_lines_without_a_time_get_the_one_that_is_given(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "undated.jsonl"
    path.write_text(json.dumps({"session": "a", "role": "user", "content": "Good morning."}))
    memory.run("import", path, "--at", "2026-03-09T08:00:00+01:00", "--drain")
    assert memory.ask("good morning")[0]["occurred_at"] == "2026-03-09T07:00:00Z"


def test_an_import_beside_a_running_writer_leaves_the_writing_to_it(memory: Memory) -> None:
    with memory.up() as up:
        memory.run("import", STORY, "--drain")
        assert memory.json("status")["lag_events"] == 0
        assert up.is_running
    assert memory.json("status")["writer"]["epoch"] == 1


# ---- exports of other programs ---------------------------------------------------------------------------------


def export(folder: Path) -> Path:
    """A zip of ChatGPT with one conversation of a day."""
    nodes = (
        node("a", "root", text="I moved to Berlin."),
        node("b", "a", "assistant", "Nice!", create_time=MARCH + 60),
        node("c", "b", text="Remind me of the visa.", create_time=MARCH + 120),
    )
    return write_zip(folder / "chatgpt.zip", conversations__json=[chatgpt(*nodes)], chat__html="<html></html>")


def test_an_export_is_told_by_its_content_and_imported_once(memory: Memory, tmp_path: Path) -> None:
    first = memory.json("import", export(tmp_path), "--me", "Ada", "--drain")
    again = memory.json("import", export(tmp_path), "--me", "Ada", "--drain")
    assert (first["published"], again["published"], again["already_there"]) == (3, 0, 3)
    (found, *_) = memory.ask("Where did Ada move?")
    assert (found["speaker"], found["session"], found["occurred_at"]) == (
        "Ada",
        "chatgpt-c1",
        "2026-03-09T10:00:00.250Z",
    )
    assert [(fact["subject"], fact["object"]) for fact in memory.json("facts")] == [("Ada", "berlin")]
    assert memory.json("verify")["problems"] == []


def test_a_dry_run_publishes_nothing_and_says_what_would_be(memory: Memory, tmp_path: Path) -> None:
    said = memory.run("import", export(tmp_path), "--me", "Ada", "--dry-run").stdout
    assert "chatgpt: 3 messages (1 assistant, 2 user) in 1 sessions, 2026-03-09 to 2026-03-09" in said
    assert "Ada: I moved to Berlin." in said
    memory.run("status", status=6)


def test_memories_of_mem0_are_believed_less_than_a_person(memory: Memory, tmp_path: Path) -> None:
    found = {"id": "x", "memory": "Lives in Rome", "user_id": "Ada", "created_at": "2026-03-10T10:00:00Z"}
    memory.run("import", write_json(tmp_path / "mem0.json", {"results": [found]}), "--drain")
    assert [(fact["content"], fact["confidence"]) for fact in memory.json("facts")] == [("Ada lives in Rome.", 0.6)]
    memory.run("import", export(tmp_path), "--me", "Ada", "--drain")
    assert "Ada lives in Berlin." in {fact["content"] for fact in memory.json("facts")}
    assert memory.json("replay", "--verify")["equal"]


def test_what_cannot_be_told_is_asked(memory: Memory, tmp_path: Path) -> None:
    chat = tmp_path / "chat.txt"
    chat.write_text("03/04/2024, 10:00 - Ada: I moved to Berlin.", encoding="utf-8")
    assert "--date-order" in memory.run("import", chat, "--time-zone", "Europe/Berlin", status=2).stderr
    assert "--time-zone" in memory.run("import", chat, "--date-order", "dmy", status=2).stderr
    memory.run("import", chat, "--date-order", "dmy", "--time-zone", "Europe/Berlin", "--drain")
    assert memory.ask("Berlin")[0]["occurred_at"] == "2024-04-03T08:00:00Z"
    diary = tmp_path / "diary.txt"
    diary.write_text("It rained.", encoding="utf-8")
    assert "--format" in memory.run("import", diary, status=2).stderr
