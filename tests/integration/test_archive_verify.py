"""`archive verify`: damage of every kind is found in the archive of a real space, and its place is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import run_cli
from support.stories import append, created, file_hashes, ingested, messages

from mnemolog.schema import archive
from mnemolog.schema.settings import Settings


@pytest.fixture
def segments(redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A space whose archive has some sealed segments and an open one."""
    monkeypatch.setattr(archive.ArchiveWriter.__init__, "__defaults__", (8_000,))
    bodies = [created(), *messages(170)]
    for begin, end in ((0, 40), (40, 80), (80, 120), (120, 160), (160, 171)):
        append(redis, bodies[begin:end])
        ingested(redis, space)
    assert (space.archive / "00000002.jsonl.gz").exists()
    assert list(space.archive.glob("*.jsonl"))
    return space


def checked(space: Settings, status: int) -> dict[str, Any]:
    done = run_cli("--data", space.data, "archive", "verify", "--json")
    assert done.returncode == status, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"] is (status == 0)
    for problem in found["problems"]:
        assert problem in done.stderr
    return found


def test_a_sound_archive_is_told_with_its_ends(segments: Settings) -> None:
    found = checked(segments, 0)
    assert (found["entries"], found["problems"]) == (171, [])
    assert found["segments"] == len(archive.numbers(segments.archive))
    assert found["last"] == str(file_hashes(segments.file).position)
    shown = run_cli("--data", segments.data, "archive", "verify")
    assert "171 sound entries" in shown.stdout
    assert shown.returncode == 0


def test_a_flipped_bit_is_told_with_its_segment_line_byte_and_position(segments: Settings) -> None:
    path = max(segments.archive.glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    position = archive.decode_line(lines[1][:-1], "here").position
    path.write_bytes(b"".join([lines[0], lines[1][:-10] + bytes([lines[1][-10] ^ 1]) + lines[1][-9:], *lines[2:]]))
    [problem] = checked(segments, 9)["problems"]
    assert f"{path.name} line 2, byte {len(lines[0])} (position {position})" in problem


def test_a_flipped_bit_in_a_sealed_segment_is_told_with_the_last_sound_position(segments: Settings) -> None:
    path = segments.archive / "00000002.jsonl.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    [problem] = checked(segments, 9)["problems"]
    assert "00000002.jsonl" in problem
    assert ", after " in problem


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "00000002.jsonl.gz").unlink(), "segment 00000002 of the archive"),
        (lambda folder: (folder / "00000002.json").unlink(), "its seal 00000002.json is missing"),
        (lambda folder: shutil.copy(folder / "00000001.json", folder / "00000002.json"), "its SHA-256 differs"),
        (lambda folder: shutil.copy(folder / "00000001.jsonl.gz", folder / "00000002.jsonl.gz"), "00000002"),
        (lambda folder: max(folder.glob("*.jsonl")).write_bytes(b""), "and does not hold"),
    ],
    ids=["segment missing", "seal missing", "seal of another", "segment of another", "end missing"],
)
def test_what_is_missing_or_exchanged_is_told(segments: Settings, harm: Any, told: str) -> None:
    harm(segments.archive)
    assert any(told in problem for problem in checked(segments, 9)["problems"])


def test_entries_in_the_wrong_order_are_told(segments: Settings) -> None:
    path = max(segments.archive.glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    [problem] = checked(segments, 9)["problems"]
    assert "comes after" in problem


def test_an_archive_that_is_gone_is_told_by_what_the_file_says(segments: Settings, tmp_path: Path) -> None:
    segments.archive.rename(tmp_path / "elsewhere")
    [problem] = checked(segments, 9)["problems"]
    assert "does not hold" in problem
    nothing = run_cli("--data", tmp_path / "nothing", "archive", "verify")
    assert nothing.returncode not in (0, 9)
    assert "there is no archive" in nothing.stderr
