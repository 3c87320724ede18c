"""Exports for people: facts by topic, what changed, plans and what was said; without what was forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acceptance.memory import Memory

SAID = [
    ("2026-03-02T10:00:00Z", "march", "user", "I prefer Python."),
    ("2026-03-02T10:01:00Z", "march", "user", "I live in <b>Berlin</b>. # Heading"),
    ("2026-03-02T10:02:00Z", "march", "user", "I am allergic to nuts."),
    ("2026-03-02T10:03:00Z", "march", "assistant", "Noted.\n[a link](https://evil.example)"),
    ("2026-03-09T10:00:00Z", "later", "user", "I'm writing in Rust now."),
    ("2026-03-09T10:01:00Z", "later", "user", "I'm flying to Rome next week."),
]
LATER = "2026-03-10T00:00:00Z"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory that was told of a change, a plan and something to forget."""
    folder = tmp_path_factory.mktemp("export")
    memory = Memory(folder / "data")
    lines = [
        {"at": at, "session": session, "role": role, "content": content, "speaker": "Ada" if role == "user" else None}
        for at, session, role, content in SAID
    ]
    (folder / "said.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    memory.run("import", folder / "said.jsonl", "--drain")
    with memory.up():
        (fact,) = (fact for fact in memory.json("facts") if "nut" in fact["content"])
        memory.run("forget", fact["node_id"], "--yes")
    return memory


def lines(memory: Memory, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in memory.run("export", "-", "--format", "jsonl", *options).stdout.splitlines()]


def test_markdown_tells_topics_changes_plans_and_what_was_said(told: Memory) -> None:
    text = told.run("export", "-", "--format", "markdown", "--as-of", LATER).stdout
    assert text.startswith("# Memory default\n\nAs of 2026-03-10T00:00:00Z.")
    topics, rest = text.split("## Plans")
    plans, timeline = rest.split("## Timeline")
    assert "- Ada is writing in Rust" in topics or "Rust" in topics
    assert "*since 2026-03-09 · Ada in later, 2026-03-09 · ce-" in topics
    assert "Not so any more:" in topics
    assert "*superseded · 2026-03-02 to 2026-03-09, then: " in topics
    assert "Rome" in plans
    assert timeline.index("### 2026-03-02 · march") < timeline.index("### 2026-03-09 · later")
    assert "**Ada** 10:00  \nI prefer Python." in timeline
    assert r"I live in \<b\>Berlin\</b\>. \# Heading" in timeline
    assert "\n\\[a link\\](https\\://evil.example)" in timeline


def test_what_was_forgotten_is_not_told(told: Memory) -> None:
    for form in ("markdown", "jsonl"):
        assert "nut" not in told.run("export", "-", "--format", form).stdout


def test_json_lines_are_typed(told: Memory) -> None:
    found = lines(told, "--as-of", LATER)
    assert [line["kind"] for line in found[:2]] == ["memory", "scene"]
    assert {line["kind"] for line in found} == {"memory", "scene", "fact", "message"}
    assert found[0] == {**found[0], "space": "default", "as_of": LATER, "version": 1}
    facts = [line for line in found if line["kind"] == "fact"]
    assert {fact["status"] for fact in facts} == {"live", "superseded"}
    messages = [line for line in found if line["kind"] == "message"]
    assert [message["content"] for message in messages if message["session"] == "march"] == [
        content for _, session, _, content in SAID if session == "march" and "nuts" not in content
    ]
    ids = {message["event_id"] for message in messages}
    assert all(source["event_id"] in ids for fact in facts for source in fact["sources"])


def test_an_export_as_of_a_time_tells_what_was_so_then(told: Memory) -> None:
    found = lines(told, "--as-of", "2026-03-05T00:00:00Z")
    assert {line["status"] for line in found if line["kind"] == "fact"} == {"live"}
    assert {line["session"] for line in found if line["kind"] == "message"} == {"march"}
    assert not any("Rust" in json.dumps(line) for line in found)


def test_the_same_memory_and_time_give_the_same_bytes(told: Memory, tmp_path: Path) -> None:
    for form in ("markdown", "jsonl"):
        first, second = tmp_path / f"first.{form}", tmp_path / f"second.{form}"
        told.run("export", first, "--format", form, "--as-of", LATER)
        told.run("export", second, "--format", form, "--as-of", LATER)
        assert first.read_bytes() == second.read_bytes() != b""


def test_an_export_replaces_no_file_unasked(told: Memory, tmp_path: Path) -> None:
    file = tmp_path / "memory.md"
    file.write_text("mine", encoding="utf-8")
    assert "--force" in told.run("export", file, "--format", "markdown", status=2).stderr
    assert file.read_text(encoding="utf-8") == "mine"
    told.run("export", file, "--format", "markdown", "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["memory.md"]
    assert "bundle" in told.run("export", "-", status=2).stderr
