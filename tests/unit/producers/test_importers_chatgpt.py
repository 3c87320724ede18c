"""Exports of ChatGPT: the branch on the screen, roles, times, parts of many kinds, and what is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.producers.exports import MARCH, chatgpt, checked, ids, messages, node, told, write_json, write_zip

from mnemolog.producers.importers.chatgpt import ChatGptReader
from mnemolog.producers.importers.export_file import ExportFile


def read(tmp_path: Path, *conversations: Any, **given: Any) -> ExportFile:
    path = write_json(tmp_path / "conversations.json", list(conversations))
    return checked(path, ChatGptReader(path, **given))


def test_a_conversation_keeps_its_roles_times_order_and_ids(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        chatgpt(
            node("a", "root", "system", "You are terse."),
            node("b", "a", "user", "I moved to Berlin.", create_time=MARCH + 1.5),
            node("c", "b", "assistant", "Nice.", create_time=MARCH + 2, metadata={"model_slug": "gpt-4o"}),
        ),
        me="Ada",
    )
    assert told(file) == [
        ("system", None, "You are terse."),
        ("user", "Ada", "I moved to Berlin."),
        ("assistant", "ChatGPT", "Nice."),
    ]
    assert ids(file) == ["chatgpt-m-a", "chatgpt-m-b", "chatgpt-m-c"]
    first, second, third = messages(file)
    assert [said.occurred_at for said in (first, second, third)] == [MARCH * 1000 + n for n in (250, 1500, 2000)]
    assert {said.session for said in (first, second, third)} == {"chatgpt-c1"}
    assert [said.line for said in (first, second, third)] == [0, 1, 2]
    assert (first.metadata, third.metadata) == ({"title": "Moving"}, {"model": "gpt-4o"})
    assert {said.source_type for said in (first, second, third)} == {"import"}


def test_only_the_branch_that_was_on_the_screen_is_taken(tmp_path: Path) -> None:
    nodes = (
        node("a", "root", text="Hello"),
        node("b", "a", "assistant", "first answer"),
        node("c", "a", "assistant", "second answer"),
        node("d", "b", text="thanks"),
    )
    assert [text for *_, text in told(read(tmp_path, chatgpt(*nodes, current="c")))] == ["Hello", "second answer"]
    assert read(tmp_path, chatgpt(*nodes, current="c")).skipped == {"on another branch of the conversation": 2}
    assert [text for *_, text in told(read(tmp_path, chatgpt(*nodes, current="d")))] == [
        "Hello",
        "first answer",
        "thanks",
    ]


def test_without_a_current_node_the_newest_leaf_ends_the_branch(tmp_path: Path) -> None:
    older, newer = (
        node("b", "a", text="older", create_time=MARCH + 5),
        node("c", "a", text="newer", create_time=MARCH + 9),
    )
    conversation = chatgpt(node("a", "root", text="Hello"), newer, older) | {"current_node": None}
    assert [text for *_, text in told(read(tmp_path, conversation))] == ["Hello", "newer"]


def test_a_tree_that_bites_its_tail_ends(tmp_path: Path) -> None:
    assert len(told(read(tmp_path, chatgpt(node("a", "b", text="x"), node("b", "a", text="y"))))) == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "text", "parts": ["one", "", "two"]}, "one\ntwo"),
        (
            {
                "content_type": "multimodal_text",
                "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}, "What is it?"],
            },
            "[image]\nWhat is it?",
        ),
        (
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "audio_transcription", "text": "I said this aloud.", "direction": "in"},
                    {"content_type": "real_time_user_audio_video_asset_pointer", "frames_asset_pointers": []},
                ],
            },
            "I said this aloud.\n[audio]",
        ),
        ({"content_type": "tether_quote", "title": "A page", "text": "quoted", "url": "https://x"}, "A page\nquoted"),
        ({"content_type": "a_kind_of_the_future", "text": "readable all the same"}, "readable all the same"),
        (
            {"content_type": "text", "parts": ["It rains.\ue200cite\ue202turn0search1\ue201 Often."]},
            "It rains. Often.",
        ),
    ],
)
def test_parts_of_every_kind_become_words(tmp_path: Path, content: dict[str, Any], text: str) -> None:
    assert [said for *_, said in told(read(tmp_path, chatgpt(node("a", "root", content=content))))] == [text]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"content": {"content_type": "text", "parts": [""]}}, "no text"),
        ({"content": {"content_type": "thoughts", "thoughts": [{"content": "hm"}]}}, "reasoning of the model"),
        ({"content": {"content_type": "reasoning_recap", "content": "Thought for 3 s"}}, "reasoning of the model"),
        ({"content": {"content_type": "user_editable_context", "user_profile": "p"}}, "custom instructions"),
        ({"metadata": {"is_visually_hidden_from_conversation": True}}, "hidden in the conversation"),
        ({"author": {"role": "assistant"}, "recipient": "python"}, "call of a tool"),
        ({"author": {"role": "critic"}}, "role 'critic'"),
    ],
)
def test_what_nobody_said_is_passed_over_with_its_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    file = read(tmp_path, chatgpt(node("a", "root", text="said"), node("b", "a", "user", "x", **changes)))
    assert [text for *_, text in told(file)] == ["said"]
    assert file.skipped == {reason: 1}
    assert file.findings.problems == []


def test_what_a_tool_returned_is_of_the_tool(tmp_path: Path) -> None:
    output = node(
        "a",
        "root",
        author={"role": "tool", "name": "python"},
        content={"content_type": "execution_output", "text": "4"},
    )
    assert told(read(tmp_path, chatgpt(output))) == [("tool", "python", "4")]


def test_a_message_without_a_time_has_that_of_the_one_before(tmp_path: Path) -> None:
    nodes = (
        node("a", "root", text="x", create_time=None),
        node("b", "a", text="y"),
        node("c", "b", text="z", create_time=None),
    )
    times = [said.occurred_at for said in messages(read(tmp_path, chatgpt(*nodes)))]
    assert times == [MARCH * 1000 - 1500, MARCH * 1000 + 250, MARCH * 1000 + 250]


def test_a_time_zone_gives_messages_their_offset(tmp_path: Path) -> None:
    (said,) = messages(read(tmp_path, chatgpt(node("a", "root", text="x")), zone="Asia/Tokyo"))
    assert (said.occurred_at, said.utc_offset_min) == (MARCH * 1000 + 250, 540)


def test_bad_conversations_and_messages_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        {"title": "no mapping"},
        chatgpt(node("a", "root", text="x\0y"), node("b", "a", text="good"), node("c", "b", text="z", author="me")),
        chatgpt(node("a", "root", text="timeless", create_time=None), create_time=None),
        chatgpt(node("n", "root", text="too late", create_time=1e300)),
        chatgpt(node("g", "root", text="fine")),
    )
    assert [number for number, _ in file.findings.problems] == [1, 2, 2, 3, 4]
    reasons = [reason for _, reason in file.findings.problems]
    assert "mapping" in reasons[0]
    assert reasons[1].startswith("message m-c: it is not one of ChatGPT") or "NUL" in reasons[1]
    assert reasons[3].startswith("message m-a: neither it nor its conversation has a time")
    assert [text for *_, text in told(file)] == ["good", "fine"]


def test_a_file_that_is_cut_off_says_after_which_conversation(tmp_path: Path) -> None:
    whole = write_json(
        tmp_path / "whole.json", [chatgpt(node(f"n{n}", "root", text="x"), id=f"c{n}") for n in range(5)]
    )
    cut = tmp_path / "conversations.json"
    cut.write_bytes(whole.read_bytes()[:-200])
    file = checked(cut, ChatGptReader(cut))
    assert [number for number, _ in file.findings.problems] == [5]
    assert "damaged JSON" in file.findings.problems[0][1]
    assert file.findings.good == 4


def test_a_zip_is_read_whole_or_in_numbered_pieces(tmp_path: Path) -> None:
    one, two = ([chatgpt(node(key, "root", text=key), id=key, conversation_id=key)] for key in ("one", "two"))
    whole = write_zip(
        tmp_path / "whole.zip", conversations__json=[*one, *two], user__json={"id": "u"}, chat__html="<html>"
    )
    pieces = tmp_path / "pieces.zip"
    write_zip(pieces, **{"conversations-000__json": one, "conversations-001__json": two})
    assert ids(checked(whole, ChatGptReader(whole))) == ids(checked(pieces, ChatGptReader(pieces)))
    assert ids(checked(pieces, ChatGptReader(pieces))) == ["chatgpt-m-one", "chatgpt-m-two"]


def test_an_export_that_tells_a_message_twice_tells_it_once_more_without_harm(tmp_path: Path) -> None:
    same = chatgpt(node("a", "root", text="x"))
    file = read(tmp_path, same, same)
    assert file.findings.problems == []
    assert len(set(ids(file))) == 1
