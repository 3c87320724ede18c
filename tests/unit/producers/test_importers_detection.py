"""What a file is, by its content; and a clear word where that cannot be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.producers.exports import chatgpt, claude, claude_message, node, write_zip

from mnemolog.producers.importers.chatgpt import ChatGptReader
from mnemolog.producers.importers.chatlog import ChatLogReader
from mnemolog.producers.importers.depth import Depth
from mnemolog.producers.importers.detection import detect
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.schema.errors import InvalidInput

LINE = {"session": "s", "role": "user", "content": "x", "at": 1}
GPT = chatgpt(node("a", "root", text="x"))
CLAUDE = claude(claude_message("u", "human", "x"))


@pytest.mark.parametrize(
    ("document", "form"),
    [
        ([GPT], "chatgpt"),
        (GPT, "chatgpt"),
        ({"conversations": [GPT]}, "chatgpt"),
        ([CLAUDE], "claude"),
        (CLAUDE, "claude"),
        ([{"id": "1", "memory": "x"}], "mem0"),
        ({"count": 1, "results": [{"id": "1", "memory": "x"}]}, "mem0"),
        (LINE, "jsonl"),
    ],
)
def test_json_is_told_by_the_names_in_its_objects(tmp_path: Path, document: Any, form: str) -> None:
    path = tmp_path / "file"
    path.write_text("\ufeff\n" + json.dumps(document, indent=1 if form != "jsonl" else None), encoding="utf-8")
    assert detect(path) == form


@pytest.mark.parametrize(
    "text",
    [
        "14/08/2023, 09:15 - Ada: x",
        "**User:** x\n\n**Assistant:** y",
        "[09:15] ada: x",
        "{odd\n[14/08/2023, 09:15:32] A: x",
    ],
)
def test_chat_logs_are_told_by_their_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    assert detect(path) == "chatlog"


def test_zips_are_told_by_what_is_in_them(tmp_path: Path) -> None:
    assert detect(write_zip(tmp_path / "a.zip", conversations__json=[GPT], chat__html="")) == "chatgpt"
    assert detect(write_zip(tmp_path / "b.zip", conversations__json=[CLAUDE])) == "claude"
    assert detect(write_zip(tmp_path / "c.zip", _chat__txt="14/08/2023, 09:15 - Ada: x")) == "chatlog"
    with pytest.raises(InvalidInput, match=r"holds no conversations\.json"):
        detect(write_zip(tmp_path / "d.zip", other__json=[]))


@pytest.mark.parametrize(
    "text", ["Dear diary,\nit rained.", '[{"role": "user", "text": "x"}]', "{}", "[]", "[1, 2", "\x00\xff"]
)
def test_what_is_none_of_them_is_said_to_be_unsure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InvalidInput, match="--format jsonl or chatgpt or claude or mem0 or chatlog"):
        detect(path)


def test_bad_json_lines_are_json_lines_by_their_name(tmp_path: Path) -> None:
    for name, text in (("bad.jsonl", "{not json"), ("empty", " \n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert detect(tmp_path / name) == "jsonl"


def problems(path: Path) -> list[tuple[int, str]]:
    """What is wrong with an export of ChatGPT, the zip included."""
    file = ExportFile(path, ChatGptReader(path))
    try:
        file.check()
    except InvalidInput as error:
        return [(0, str(error))]
    return file.findings.problems


def test_a_damaged_zip_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "whole.zip", conversations__json=[GPT] * 50).read_bytes()
    for name, place in (("data", 60), ("directory", whole.rindex(b"PK\x01\x02"))):
        path = tmp_path / f"{name}.zip"
        path.write_bytes(whole[:place] + b"\xff" * 8 + whole[place + 8 :])
        assert problems(path) != []


@pytest.mark.parametrize("deep", ["[", '{"a": ', '[{"b": "]]]", "c": '])
def test_very_deep_json_is_refused(tmp_path: Path, deep: str) -> None:
    path = tmp_path / "deep.json"
    path.write_text('[{"title": "[[[[\\"", "mapping": ' + deep * 100_000, encoding="utf-8")
    assert [reason for _, reason in problems(path)] == ["it is nested deeper than 2,000 levels"]


@given(st.lists(st.text(alphabet='[]{}"\\a', max_size=30), max_size=20), st.integers(1, 7))
def test_the_depth_of_json_does_not_depend_on_its_pieces_nor_on_its_words(words: list[str], size: int) -> None:
    document = json.dumps(words).encode()
    depth = Depth()
    for start in range(0, len(document), size):
        depth.feed(document[start : start + size])
    assert (depth._depth, depth._open) == (0, b"")


def test_a_message_of_spaces_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("14.08.2023, 09:15 - Ada: a" + " " * 500_000 + "b <This message was edited>", encoding="utf-8")
    file = ExportFile(path, ChatLogReader(path, zone="UTC"))
    file.check()
    assert file.findings.good == 1
