"""The archive: every entry is read back as it was written, after crashes too, and damage is found and named."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnemolog.schema import archive
from mnemolog.schema.archive import ArchiveWriter, Entry, Seal, decode_line, encode_line
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import START, Position

TINY = 400


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(Position(number, number % 3), b'{"number":%d,"text":"*J"}' % number) for number in range(first, last)]


def write(folder: Path, batches: list[list[Entry]], segment_bytes: int = TINY, *, sealed: bool = True) -> None:
    writer = ArchiveWriter(folder, segment_bytes)
    for batch in batches:
        writer.append(batch)
        writer.rotate()
    if sealed:
        for number in writer.unsealed():
            archive.seal(folder, number)
    writer.close()


def one_by_one(first: int, last: int) -> list[list[Entry]]:
    return [[entry] for entry in entries(first, last)]


@pytest.fixture
def sealed_and_open(tmp_path: Path) -> Path:
    """Twenty entries: some sealed segments, and one that is open."""
    folder = tmp_path / "archive"
    write(folder, one_by_one(1, 21))
    names = {path.name for path in folder.iterdir()}
    assert {"00000001.jsonl.gz", "00000001.json", "00000002.jsonl.gz"} <= names
    assert [name for name in names if name.endswith(".jsonl")]
    return folder


# ---- lines -----------------------------------------------------------------------------------------------------


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
@example(b"", 1, 0)
@example(b"null", 1, 0)
@example(b'{"a":\n1}', 1, 0)
@example(b'{"a":"\r"}', 1, 0)
@example(b'"\xff"', 1, 0)
@example(b"{} ", 1, 0)
@example(b"[" * 100_000 + b"]" * 100_000, 1, 0)
def test_any_bytes_make_one_line_and_are_read_back(body: bytes, ms: int, seq: int) -> None:
    entry = Entry(Position(ms, seq), body)
    line = encode_line(entry)
    assert line.count(b"\n") == 1
    assert decode_line(line[:-1], "here") == entry


def test_json_stands_in_the_archive_as_it_is() -> None:
    check = zlib.crc32(b'7-1{"a":"\xc3\xa9"}')
    line = encode_line(Entry(Position(7, 1), b'{"a":"\xc3\xa9"}'))
    assert line == b'{"p":"7-1","c":"%08x","e":{"a":"\xc3\xa9"}}\n' % check


# ---- appending and reading -------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.binary(max_size=120), max_size=5), max_size=12), st.integers(1, 500), st.booleans())
def test_bodies_of_any_bytes_are_read_back_in_order_across_segments(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], segment_bytes: int, sealed: bool
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    numbered = iter(range(1, 1_000))
    written = [[Entry(Position(next(numbered), 0), body) for body in batch] for batch in batches]
    write(folder, written, segment_bytes, sealed=sealed)
    expected = [entry for batch in written for entry in batch]
    assert list(archive.read(folder)) == expected
    assert archive.count(folder) == len(expected)
    assert archive.last_entry(folder) == (expected[-1] if expected else None)
    assert archive.check(folder) == []
    shutil.rmtree(folder)


def test_an_archive_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    assert (list(archive.read(folder)), archive.count(folder), archive.last_entry(folder)) == ([], 0, None)
    assert archive.check(folder) == []
    assert not folder.exists()


def test_an_archive_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    write(folder, one_by_one(1, 21))
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("after", [0, 1, 7, 8, 19, 20, 99])
@pytest.mark.parametrize("until", [None, 0, 1, 8, 20, 99])
def test_reading_gives_what_lies_after_one_position_up_to_and_with_another(
    sealed_and_open: Path, after: int, until: int | None
) -> None:
    lower = Position(after, after % 3) if after else START
    upper = None if until is None else Position(until, until % 3)
    expected = [one for one in entries(1, 21) if one.position > lower and (upper is None or one.position <= upper)]
    assert list(archive.read(sealed_and_open, lower, upper)) == expected


def test_sealed_segments_before_the_wanted_position_are_not_opened(sealed_and_open: Path) -> None:
    (sealed_and_open / "00000001.jsonl.gz").write_bytes(b"not opened")
    sealed = archive.seal_of(sealed_and_open, 1)
    assert sealed is not None
    last = Position.parse(sealed.last)
    assert next(archive.read(sealed_and_open, last)).position.ms == last.ms + 1


def test_a_seal_tells_what_the_segment_holds(sealed_and_open: Path) -> None:
    sealed = archive.seal_of(sealed_and_open, 1)
    with gzip.open(sealed_and_open / "00000001.jsonl.gz") as lines:
        held = [decode_line(line[:-1], "here") for line in lines]
    assert sealed is not None
    assert (sealed.entries, sealed.first, sealed.last) == (len(held), str(held[0].position), str(held[-1].position))


def test_appending_what_is_there_already_adds_nothing(sealed_and_open: Path) -> None:
    before = {path.name: path.read_bytes() for path in sealed_and_open.iterdir()}
    writer = ArchiveWriter(sealed_and_open, TINY)
    assert writer.end == Position(20, 2)
    writer.append(entries(1, 21))
    writer.append(entries(15, 21))
    writer.close()
    assert {path.name: path.read_bytes() for path in sealed_and_open.iterdir()} == before


def test_appending_goes_on_after_what_is_there_already(sealed_and_open: Path) -> None:
    writer = ArchiveWriter(sealed_and_open, TINY)
    assert writer.append(entries(15, 31)) == 10
    writer.close()
    assert list(archive.read(sealed_and_open)) == entries(1, 31)


def test_a_segment_that_is_not_full_is_not_rotated(tmp_path: Path) -> None:
    write(tmp_path, one_by_one(1, 21), 1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["00000001.jsonl"]


# ---- crashes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 20, 40])
def test_a_tail_that_was_cut_short_is_ignored_by_readers_and_removed_by_the_writer(tmp_path: Path, cut: int) -> None:
    write(tmp_path, [entries(1, 4)], 1_000_000)
    segment = tmp_path / "00000001.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-cut])

    assert list(archive.read(tmp_path)) == entries(1, 3)
    assert archive.count(tmp_path) == 2
    assert archive.last_entry(tmp_path) == entries(1, 3)[-1]
    assert archive.check(tmp_path) == []

    writer = ArchiveWriter(tmp_path)
    assert writer.end == Position(2, 2)
    assert writer.append(entries(1, 4)) == 1
    writer.close()
    assert segment.read_bytes() == whole


def test_a_new_segment_whose_first_line_was_cut_short_leaves_the_end_in_the_one_before(sealed_and_open: Path) -> None:
    open_segment = max(sealed_and_open.glob("*.jsonl"))
    kept = archive.seal_of(sealed_and_open, int(open_segment.stem) - 1)
    assert kept is not None
    open_segment.write_bytes(open_segment.read_bytes()[:10])
    last = archive.last_entry(sealed_and_open)
    assert last is not None
    assert str(last.position) == kept.last
    writer = ArchiveWriter(sealed_and_open, TINY)
    assert writer.end == last.position
    writer.append(entries(1, 21))
    writer.close()
    assert list(archive.read(sealed_and_open)) == entries(1, 21)


def test_a_tail_of_zeros_is_removed(tmp_path: Path) -> None:
    write(tmp_path, [entries(1, 4)], 1_000_000)
    segment = tmp_path / "00000001.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole + bytes(4096))
    assert list(archive.read(tmp_path)) == entries(1, 4)
    ArchiveWriter(tmp_path).close()
    assert segment.read_bytes() == whole


SEALING = {
    "rotated": [],
    "seal half written": ["00000001.json.tmp/2"],
    "seal written": ["00000001.json"],
    "packed half written": ["00000001.json", "00000001.jsonl.gz.tmp/2"],
    "packed written": ["00000001.json", "00000001.jsonl.gz"],
}


@pytest.mark.parametrize("step", SEALING)
def test_sealing_that_ended_at_any_step_loses_nothing_and_is_done_again(tmp_path: Path, step: str) -> None:
    folder, done = tmp_path / "archive", tmp_path / "done"
    write(folder, [entries(1, 11), entries(11, 14)], sealed=False)
    shutil.copytree(folder, done)
    archive.seal(done, 1)
    for left in SEALING[step]:
        name, _, part = left.partition("/")
        data = (done / name.removesuffix(".tmp")).read_bytes()
        (folder / name).write_bytes(data[: len(data) // int(part or 1)])

    assert list(archive.read(folder)) == entries(1, 14)
    assert archive.count(folder) == 13
    assert archive.check(folder) == []

    writer = ArchiveWriter(folder, TINY)
    assert writer.unsealed() == [1]
    assert writer.append(entries(1, 15)) == 1
    archive.seal(folder, 1)
    assert writer.unsealed() == []
    writer.close()
    assert sorted(path.name for path in folder.iterdir()) == ["00000001.json", "00000001.jsonl.gz", "00000002.jsonl"]
    assert (folder / "00000001.jsonl.gz").read_bytes() == (done / "00000001.jsonl.gz").read_bytes()
    assert list(archive.read(folder)) == entries(1, 15)


def test_a_writer_goes_on_in_a_new_segment_when_the_last_one_is_sealed(tmp_path: Path) -> None:
    write(tmp_path, [entries(1, 11)])
    (tmp_path / "00000002.jsonl").unlink()
    writer = ArchiveWriter(tmp_path, TINY)
    writer.append(entries(1, 13))
    writer.close()
    assert (tmp_path / "00000002.jsonl").exists()
    assert list(archive.read(tmp_path)) == entries(1, 13)


def test_a_reader_that_listed_the_segments_before_sealing_reads_them_after(tmp_path: Path) -> None:
    write(tmp_path, [entries(1, 11), entries(11, 14)], sealed=False)
    reading = archive.read(tmp_path)
    first = next(reading)
    archive.seal(tmp_path, 1)
    assert [first, *reading] == entries(1, 14)


@pytest.mark.parametrize("written", [0, 1, 100])
def test_a_full_disk_leaves_no_half_line_and_the_append_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    writer = ArchiveWriter(tmp_path)
    writer.append(entries(1, 3))
    before = (tmp_path / "00000001.jsonl").read_bytes()
    real = os.write
    calls = []

    def full(file: int, data: memoryview) -> int:
        calls.append(len(data))
        if written and len(calls) == 1:
            return real(file, data[:written])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.append(entries(3, 9))
    assert (tmp_path / "00000001.jsonl").read_bytes() == before
    assert writer.end == Position(2, 2)

    assert writer.append(entries(1, 9)) == 6
    writer.close()
    assert list(archive.read(tmp_path)) == entries(1, 9)


def test_a_disk_that_takes_a_few_bytes_at_a_time_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ArchiveWriter(tmp_path)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(archive.os, "write", lambda file, data: real(file, data[:7]))
        writer.append(entries(1, 9))
    writer.close()
    assert list(archive.read(tmp_path)) == entries(1, 9)


# ---- damage ----------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found_and_the_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    write(folder, [entries(1, 9), entries(9, 11)])
    assert archive.check(folder) == []
    missed = []
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        # Without its last line break the open segment ends in a tail that was never whole.
        end = len(whole) - 1 if path.suffix == ".jsonl" else len(whole)
        for bit in range(8 * end):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            problems = archive.check(folder)
            if not any(path.name.split(".")[0] in problem for problem in problems):
                missed.append((path.name, bit // 8, bit % 8, problems))
        path.write_bytes(whole)
    assert missed == []


@pytest.mark.parametrize("name", ["00000001.jsonl.gz", "00000002.jsonl"])
def test_a_line_that_does_not_add_up_is_named_to_the_reader(tmp_path: Path, name: str) -> None:
    write(tmp_path, [entries(1, 11), entries(11, 14)])
    path = tmp_path / name
    packed = path.suffix == ".gz"
    text = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    damaged = text.replace(b'"number":12', b'"number":92').replace(b'"number":2,', b'"number":9,')
    path.write_bytes(gzip.compress(damaged) if packed else damaged)
    with pytest.raises(
        DamagedFile,
        match=rf"{name.split('.', maxsplit=1)[0]}\.jsonl line 2, byte \d+ \(position (2-2|12-0)\): its checksum",
    ):
        list(archive.read(tmp_path))


@pytest.mark.parametrize("keep", [0, 1, 9, 30, 100])
def test_a_sealed_segment_that_was_cut_short_is_damage_and_not_the_end_of_the_log(
    sealed_and_open: Path, keep: int
) -> None:
    packed = sealed_and_open / "00000002.jsonl.gz"
    packed.write_bytes(packed.read_bytes()[:keep])
    with pytest.raises(DamagedFile, match="00000002"):
        list(archive.read(sealed_and_open))
    assert any("00000002" in problem for problem in archive.check(sealed_and_open))


def test_a_sealed_segment_that_lost_lines_is_damage(sealed_and_open: Path) -> None:
    packed = sealed_and_open / "00000001.jsonl.gz"
    lines = gzip.decompress(packed.read_bytes()).splitlines(keepends=True)
    packed.write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(DamagedFile, match="00000001"):
        list(archive.read(sealed_and_open))


def test_a_missing_segment_is_named(sealed_and_open: Path) -> None:
    (sealed_and_open / "00000001.jsonl.gz").unlink()
    assert any("00000001" in problem for problem in archive.check(sealed_and_open))
    with pytest.raises(DamagedFile, match="00000001"):
        list(archive.read(sealed_and_open))
    with pytest.raises(DamagedFile, match="00000001"):
        archive.count(sealed_and_open)


def test_a_full_segment_whose_last_line_is_cut_short_is_damage(tmp_path: Path) -> None:
    write(tmp_path, [entries(1, 11), entries(11, 14)], sealed=False)
    first = tmp_path / "00000001.jsonl"
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(DamagedFile, match=r"line 10, byte \d+: the line is cut short"):
        list(archive.read(tmp_path))
    with pytest.raises(DamagedFile):
        archive.seal(tmp_path, 1)
    assert first.exists()


def test_entries_out_of_order_are_found(tmp_path: Path) -> None:
    (tmp_path / "00000001.jsonl").write_bytes(b"".join(map(encode_line, reversed(entries(1, 3)))))
    assert archive.check(tmp_path) == ["00000001.jsonl: 1-1 comes after 2-2"]


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"entries":1}', '{"entries":1,"first":"x","last":"2-0","sha256":""}', "\xff"],
)
def test_a_seal_that_cannot_be_read_is_damage(sealed_and_open: Path, text: str) -> None:
    (sealed_and_open / "00000001.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedFile, match=r"00000001\.json"):
        archive.seal_of(sealed_and_open, 1)
    assert any("00000001.json" in problem for problem in archive.check(sealed_and_open))


def test_what_an_archive_holds_is_told_with_what_is_wrong_and_where(sealed_and_open: Path) -> None:
    told: list[tuple[int, int]] = []
    sound = archive.examine(sealed_and_open, lambda done, total: told.append((done, total)))
    assert (sound.entries, sound.first, sound.last) == (20, Position(1, 1), Position(20, 2))
    assert sound.problems == ()
    assert told == [(number, sound.segments) for number in range(1, sound.segments + 1)]
    second = sealed_and_open / "00000002.jsonl.gz"
    lines = gzip.decompress(second.read_bytes()).splitlines(keepends=True)
    second.write_bytes(gzip.compress(b"".join([*lines[:2], lines[2].replace(b"number", b"mumber"), *lines[3:]])))
    harmed = archive.examine(sealed_and_open)
    before = decode_line(lines[1][:-1], "here").position
    assert len(harmed.problems) == 1
    assert f"00000002.jsonl line 3, byte {len(lines[0] + lines[1])} (position " in harmed.problems[0]
    assert harmed.problems[0].endswith(f", after {before}")
    assert harmed.entries == 20 - (len(lines) - 2)


def test_a_sealed_segment_without_its_seal_is_found(sealed_and_open: Path) -> None:
    (sealed_and_open / "00000001.json").unlink()
    assert archive.check(sealed_and_open) == ["00000001.jsonl.gz: its seal 00000001.json is missing"]
    assert archive.count(sealed_and_open) == 20
    assert list(archive.read(sealed_and_open)) == entries(1, 21)


def test_a_seal_that_tells_something_else_is_found(sealed_and_open: Path) -> None:
    sealed = archive.seal_of(sealed_and_open, 1)
    assert sealed is not None
    text = (sealed_and_open / "00000001.json").read_bytes()
    (sealed_and_open / "00000001.json").write_bytes(text.replace(f'"{sealed.last}"'.encode(), b'"9999-0"'))
    assert archive.check(sealed_and_open) == ["00000001.json: it tells of other entries than the segment holds"]
    assert isinstance(archive.seal_of(sealed_and_open, 1), Seal)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"p":"1-0","c":"00000000","e":{}}',
        b'{"p":"1-0","c":"00000000","e":',
        b'{"p":"1-0","c":"00000000","b":"!!"}',
        b'{"p":"' + b"9" * 5_000 + b'-0","c":"00000000","e":{}}',
    ],
    ids=lambda line: ascii(line)[:40],
)
def test_what_is_no_line_of_an_archive_is_refused_and_the_place_is_named(line: bytes) -> None:
    with pytest.raises(DamagedFile, match="damaged at 00000009 line 9"):
        decode_line(line, "00000009 line 9")


def test_an_entry_is_found_by_its_position_in_any_segment(tmp_path: Path) -> None:
    written = entries(1, 60)
    write(tmp_path, [[entry] for entry in written], sealed=False)
    assert [archive.entry(tmp_path, entry.position) for entry in written] == written
    for absent in (Position(1, 0), Position(2, 1), Position(60, 0), Position(0, 0)):
        assert archive.entry(tmp_path, absent) is None
