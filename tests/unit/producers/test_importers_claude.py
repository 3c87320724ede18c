"""Exports of Claude: senders, blocks, attachments, branches, and what is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unit.producers.exports import MARCH, checked, claude, claude_message, ids, messages, told, write_json, write_zip

from mnemolog.producers.importers.claude import ClaudeReader
from mnemolog.producers.importers.export_file import ExportFile


def read(tmp_path: Path, *conversations: Any, **given: Any) -> ExportFile:
    path = write_json(tmp_path / "conversations.json", list(conversations))
    return checked(path, ClaudeReader(path, **given))


def test_a_conversation_keeps_its_roles_times_and_ids(tmp_path: Path) -> None:
    file = read(
        tmp_path, claude(claude_message("u1", "human", "Hi."), claude_message("u2", "assistant", "Hello.")), me="Ada"
    )
    assert told(file) == [("user", "Ada", "Hi."), ("assistant", "Claude", "Hello.")]
    assert ids(file) == ["claude-u1", "claude-u2"]
    first, second = messages(file)
    assert (first.occurred_at, first.session, first.metadata) == (MARCH * 1000 + 123, "claude-k1", {"title": "Moving"})
    assert second.metadata == {}


def test_blocks_are_told_apart(tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "name": "web_search", "input": {"query": "x"}},
        {"type": "tool_result", "name": "web_search", "content": [{"type": "text", "text": "found"}]},
        {"type": "text", "text": "Here it is."},
    ]
    file = read(tmp_path, claude(claude_message("u", "assistant", "old text", content=blocks)))
    assert told(file) == [("tool", None, "found"), ("assistant", "Claude", "Let me look.\nHere it is.")]
    assert ids(file) == ["claude-u-0", "claude-u"]
    assert file.skipped == {"reasoning of the model": 1, "call of a tool": 1}


def test_older_exports_have_text_alone(tmp_path: Path) -> None:
    message = claude_message("u", "human", "Only text.")
    del message["content"]
    unsupported = "One.\n```\nThis block is not supported on your current device yet.\n```\nTwo."
    file = read(tmp_path, claude(message, claude_message("v", "assistant", unsupported, content=[])))
    assert [text for *_, text in told(file)] == ["Only text.", "One.\nTwo."]


def test_what_is_attached_is_not_what_the_person_said(tmp_path: Path) -> None:
    attached = {"file_name": "cv.txt", "file_type": "txt", "file_size": 9, "extracted_content": "I work at Acme."}
    file = read(
        tmp_path,
        claude(claude_message("u", "human", "Read this.", attachments=[attached], files=[{"file_name": "a.png"}])),
    )
    assert told(file) == [("tool", None, "I work at Acme."), ("user", None, "Read this.")]
    assert [said.metadata for said in messages(file)] == [
        {"from": "cv.txt"},
        {"title": "Moving", "files": ["cv.txt", "a.png"]},
    ]


def test_of_a_tree_the_current_branch_is_taken(tmp_path: Path) -> None:
    tree = [
        claude_message("a", "human", "Hello", parent_message_uuid="00000000-0000-4000-8000-000000000000"),
        claude_message("b", "assistant", "first", parent_message_uuid="a"),
        claude_message("c", "assistant", "second", parent_message_uuid="a", created_at="2026-03-09T10:05:00Z"),
    ]
    assert [text for *_, text in told(read(tmp_path, claude(*tree)))] == ["Hello", "second"]
    chosen = read(tmp_path, claude(*tree, current_leaf_message_uuid="b"))
    assert [text for *_, text in told(chosen)] == ["Hello", "first"]
    assert chosen.skipped == {"on another branch of the conversation": 1}


def test_bad_conversations_and_messages_are_named(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        {"uuid": "x"},
        claude(claude_message("u", "human", "x", created_at="yesterday"), claude_message("v", "human", "good")),
        claude(claude_message("w", "narrator", "x"), claude_message("e", "human", "")),
    )
    assert [(number, reason[:40]) for number, reason in file.findings.problems] == [
        (1, "it is not one of Claude: Object missing "[:40]),
        (2, "message u: 'yesterday' is not a time in ISO"[:40]),
    ]
    assert [text for *_, text in told(file)] == ["good"]
    assert file.skipped == {"sender 'narrator'": 1, "no text": 1}


def test_the_zip_is_read(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "claude.zip", conversations__json=[claude(claude_message("u", "human", "x"))], users__json=[]
    )
    assert ids(checked(path, ClaudeReader(path))) == ["claude-u"]
