"""What a writer says and does when stream, archive and file do not tell the same story."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import redis as redis_py
from support import run_cli, start_cli, wait_until
from support.stories import (
    OTHER_SALT,
    SmallEmbedder,
    append,
    created,
    drain,
    file_hashes,
    ingested,
    log_of,
    messages,
    newer,
    rows,
    said,
    settings_in,
    top,
    verified,
)

from mnemolog.schema import archive, keys
from mnemolog.schema.archive import encode_line
from mnemolog.schema.errors import DamagedFile, DivergedLog, NewerEvent
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.rebuilding import replay, snapshots
from mnemolog.workers.writer.ingest import Ingest

STREAM = keys.stream("default")


@pytest.fixture
def folded(redis: redis_py.Redis, space: Settings) -> Settings:
    """A space with 30 messages, folded and given back."""
    append(redis, [created(), *messages(30)])
    ingested(redis, space)
    return space


def contents(space: Settings) -> list[str]:
    return [row[0] for row in rows(space.file, "SELECT event_id FROM nodes ORDER BY number")]


def replays_equal(space: Settings) -> bool:
    return verified(space).equal is True


def diverged(client: redis_py.Redis, space: Settings, kind: str, *words: str) -> None:
    """Starting a writer is refused with this kind, these words, and how to go on."""
    with pytest.raises(DivergedLog) as refused:
        ingested(client, space)
    assert refused.value.kind == kind
    for word in ("'default'", "--accept-stream", *words):
        assert word in str(refused.value)


# ---- trimmed ---------------------------------------------------------------------------------------------------


def test_a_stream_trimmed_up_to_what_is_folded_is_no_reason_to_stop(redis: redis_py.Redis, folded: Settings) -> None:
    redis.xtrim(STREAM, minid=str(top(redis)), approximate=False)
    append(redis, [said("later")])
    ingested(redis, folded)
    redis.xtrim(STREAM, maxlen=0)
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"
    assert replays_equal(folded)


def test_a_stream_trimmed_past_what_is_folded_is_named(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [said("lost"), said("left")])
    redis.xtrim(STREAM, maxlen=1, approximate=False)
    diverged(redis, folded, "trimmed", "trimmed by others", "XTRIM", str(file_hashes(folded.file).position))
    assert "left" not in contents(folded)


def test_a_stream_trimmed_under_a_running_writer_is_named_before_what_is_left_is_folded(
    redis: redis_py.Redis, folded: Settings
) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(folded)
    append(redis, [said("lost"), said("left")])
    redis.xtrim(STREAM, maxlen=1, approximate=False)
    drain(ingest, lambda: bool(ingest.failures))
    assert ingest.failures["default"].kind == "trimmed"  # type: ignore[attr-defined]
    assert "left" not in contents(folded)


def test_a_stream_without_its_beginning_is_named_by_a_machine_that_knows_nothing(
    redis: redis_py.Redis, space: Settings
) -> None:
    append(redis, [created(), said("a"), said("b")])
    redis.xtrim(STREAM, maxlen=2, approximate=False)
    diverged(redis, space, "trimmed", "without the space's creation")


def test_a_stream_that_begins_with_a_newer_creation_is_said_to_be_newer(redis: redis_py.Redis, space: Settings) -> None:
    append(redis, [newer(), said("a")])
    with pytest.raises(NewerEvent, match="dead-letters park"):
        ingested(redis, space)


# ---- emptied ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("DEL", STREAM), ("FLUSHALL",)])
def test_a_stream_that_was_deleted_gets_its_end_back_and_goes_on(
    redis: redis_py.Redis, folded: Settings, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    end = top(redis)
    redis.execute_command(*command)
    ingested(redis, folded)
    assert "was emptied" in caplog.text
    assert top(redis) == end
    append(redis, [said("later")])
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"
    assert replays_equal(folded)


def test_a_stream_that_was_deleted_under_a_running_writer_gets_its_end_back(
    redis: redis_py.Redis, folded: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.ingest.INSPECT_S", 0.0)
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(folded)
    redis.delete(STREAM)
    drain(ingest, lambda: bool(redis.exists(STREAM)))
    assert "was emptied" in caplog.text
    append(redis, [said("later")])
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"


def test_unread_entries_that_were_trimmed_away_are_named(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [said("lost")])
    redis.xtrim(STREAM, maxlen=0)
    diverged(redis, folded, "emptied", "gone before they were folded", "publish them again")


def test_a_stream_emptied_before_anything_was_folded_is_named(redis: redis_py.Redis, space: Settings) -> None:
    append(redis, [created(), said("lost")])
    redis.xtrim(STREAM, maxlen=0)
    diverged(redis, space, "emptied")


# ---- replaced --------------------------------------------------------------------------------------------------


def test_a_stream_begun_again_with_another_salt_is_named(redis: redis_py.Redis, folded: Settings) -> None:
    redis.delete(STREAM)
    append(redis, [created(salt=OTHER_SALT), said("other")])
    diverged(redis, folded, "replaced", "another salt", "--space")
    assert "other" not in contents(folded)


def test_a_stream_begun_again_under_a_running_writer_is_named(redis: redis_py.Redis, folded: Settings) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(folded)
    redis.delete(STREAM)
    append(redis, [created(salt=OTHER_SALT), said("other")])
    drain(ingest, lambda: bool(ingest.failures))
    assert ingest.failures["default"].kind == "replaced"  # type: ignore[attr-defined]
    assert "other" not in contents(folded)


def test_another_streams_entries_below_the_position_are_named(redis: redis_py.Redis, folded: Settings) -> None:
    redis.delete(STREAM)
    append(redis, [created(salt=OTHER_SALT), said("other")], ids=["5-0", "6-0"])
    diverged(redis, folded, "replaced", "6-0")


def test_another_entry_at_the_same_position_is_named(redis: redis_py.Redis, folded: Settings) -> None:
    end = top(redis)
    redis.delete(STREAM)
    append(redis, [said("impostor"), said("other")], ids=[str(end)])
    diverged(redis, folded, "replaced", str(end))


# ---- cut at its tail -------------------------------------------------------------------------------------------


def cut(client: redis_py.Redis, keep: int) -> None:
    """What a Redis does that lost the end of its append-only file."""
    kept = client.xrange(STREAM, count=keep)
    client.delete(STREAM)
    for position, fields in kept:
        client.xadd(STREAM, fields, id=position)


def test_a_stream_that_lost_its_tail_gets_its_end_back_and_later_events_are_read(
    redis: redis_py.Redis, folded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    end = top(redis)
    cut(redis, 20)
    assert top(redis) < end
    ingested(redis, folded)
    assert "cut at its tail" in caplog.text
    assert top(redis) == end
    append(redis, [said("later")])
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"
    assert len(contents(folded)) == 31
    assert replays_equal(folded)


def test_a_tail_that_was_lost_and_written_over_before_the_writer_came_is_named_once(
    redis: redis_py.Redis, folded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    cut(redis, 20)
    append(redis, [said("later")])
    ingested(redis, folded)
    assert caplog.text.count("cut at its tail") == 1
    assert contents(folded)[-1] == "later"
    assert replays_equal(folded)


def test_an_impossible_id_is_named_after_what_stands_before_it_was_folded(
    redis: redis_py.Redis, folded: Settings
) -> None:
    append(redis, [said("before")])
    append(redis, [said("after")], ids=[f"{2**64 - 1}-{2**64 - 1}"])
    with pytest.raises(DivergedLog, match="impossible id") as refused:
        ingested(redis, folded)
    assert refused.value.kind == "impossible"
    assert contents(folded)[-1] == "before"
    redis.delete(STREAM)
    ingested(redis, folded)
    append(redis, [said("later")])
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"


# ---- going on all the same ---------------------------------------------------------------------------------------


def accepted(client: redis_py.Redis, space: Settings) -> None:
    """Goes on with the stream as it is, and then without being asked to."""
    ingested(client, space, accept_stream=True)
    append(client, [said("later")])
    ingested(client, space)
    assert contents(space)[-1] == "later"
    assert [row[0] for row in rows(space.file, "SELECT type FROM events WHERE type = 'gap_accepted'")] == [
        "gap_accepted"
    ]
    assert replays_equal(space)


def test_a_trimmed_stream_is_gone_on_with_when_accepted(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [said("lost"), said("left")])
    redis.xtrim(STREAM, maxlen=1, approximate=False)
    accepted(redis, folded)
    assert "left" in contents(folded)


def test_an_emptied_stream_is_gone_on_with_when_accepted(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [said("lost")])
    redis.xtrim(STREAM, maxlen=0)
    accepted(redis, folded)


def test_a_replaced_stream_is_gone_on_with_when_accepted(redis: redis_py.Redis, folded: Settings) -> None:
    redis.delete(STREAM)
    append(redis, [created(salt=OTHER_SALT, event_id="their-creation"), said("other")])
    accepted(redis, folded)
    assert "other" in contents(folded)
    assert rows(folded.file, "SELECT reason FROM dead_letters") == [("space_exists",)]


def test_a_replaced_stream_below_the_position_is_gone_on_with_when_accepted(
    redis: redis_py.Redis, folded: Settings
) -> None:
    redis.delete(STREAM)
    append(redis, [created(salt=OTHER_SALT), said("other")], ids=["5-0", "6-0"])
    accepted(redis, folded)


@pytest.mark.parametrize("left", [0, 2])
def test_a_space_without_its_beginning_is_created_anew_when_accepted(
    redis: redis_py.Redis, space: Settings, left: int
) -> None:
    append(redis, [created(), said("a"), said("b")])
    redis.xtrim(STREAM, maxlen=left, approximate=False)
    accepted(redis, space)
    assert contents(space) == ["a", "b", "later"][2 - left :]
    assert rows(space.file, "SELECT * FROM dead_letters") == []


def test_accepting_a_stream_that_is_as_it_should_be_says_nothing_on_it(redis: redis_py.Redis, folded: Settings) -> None:
    end = top(redis)
    ingested(redis, folded, accept_stream=True)
    assert top(redis) == end


# ---- archive and file ---------------------------------------------------------------------------------------------


def test_what_was_archived_and_not_committed_is_folded_at_the_next_start(
    redis: redis_py.Redis, folded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(redis, [said("archived")])
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise SystemExit

        patch.setattr("mnemolog.workers.writer.batches.Batches._advance", dies)
        with pytest.raises(SystemExit):
            ingested(redis, folded)
    assert "archived" not in contents(folded)
    last = archive.last_entry(folded.archive)
    assert last is not None
    assert last.position == top(redis)
    ingested(redis, folded)
    assert contents(folded)[-1] == "archived"
    assert archive.count(folded.archive) == redis.xlen(STREAM)
    assert replays_equal(folded)


def test_a_deleted_file_is_built_again_by_the_writer(redis: redis_py.Redis, folded: Settings) -> None:
    before = file_hashes(folded.file)
    for path in folded.folder.glob("space.db*"):
        path.unlink()
    redis.xtrim(STREAM, minid=str(top(redis)), approximate=False)
    ingested(redis, folded)
    assert file_hashes(folded.file) == before


def test_an_older_copy_of_the_file_is_brought_up_to_the_log(
    redis: redis_py.Redis, folded: Settings, tmp_path: Path
) -> None:
    shutil.copy(folded.file, tmp_path / "older.db")
    append(redis, messages(60)[30:])
    ingested(redis, folded)
    before = file_hashes(folded.file)
    shutil.copy(tmp_path / "older.db", folded.file)
    append(redis, [said("later")])
    redis.xtrim(STREAM, maxlen=2, approximate=False)
    ingested(redis, folded)
    assert len(contents(folded)) == 61
    assert replays_equal(folded)
    assert before.position < file_hashes(folded.file).position


def another_log(client: redis_py.Redis, folder: Path, ids: Sequence[str]) -> Settings:
    """A space of the same name in another place, folded from a log of its own."""
    client.delete(STREAM)
    other = settings_in(folder)
    append(client, [created(salt=OTHER_SALT, event_id="their-creation"), said("theirs")], ids=ids)
    ingested(client, other)
    client.delete(STREAM)
    return other


@pytest.mark.parametrize("theirs", ["file", "archive"])
def test_a_file_beside_the_archive_of_another_log_is_named_and_built_again_when_asked(
    redis: redis_py.Redis, folded: Settings, tmp_path: Path, theirs: str
) -> None:
    other = another_log(redis, tmp_path / "other", ["5-0", "6-0"] if theirs == "file" else [])
    if theirs == "file":
        shutil.copy(other.file, folded.file)
    else:
        shutil.rmtree(folded.archive)
        shutil.copytree(other.archive, folded.archive)
    for accept_stream in (False, True):
        with pytest.raises(DamagedFile, match="another log than the archive beside it") as refused:
            ingested(redis, folded, accept_stream=accept_stream)
    assert "mnemolog --space default replay" in str(refused.value)
    replay.replay(folded, Stream(redis, "default"), SmallEmbedder(), progress=lambda _: None)
    ingested(redis, folded)
    assert ("theirs" in contents(folded)) is (theirs == "archive")
    assert replays_equal(folded)


@pytest.mark.parametrize("harm", ["deleted", "replaced"])
def test_a_writer_whose_file_is_taken_away_stops_and_the_next_one_builds_it(
    redis: redis_py.Redis, folded: Settings, tmp_path: Path, harm: str
) -> None:
    shutil.copy(folded.file, tmp_path / "older.db")
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(folded)
    for path in folded.folder.glob("space.db*"):
        path.unlink()
    if harm == "replaced":
        (tmp_path / "older.db").rename(folded.file)
    append(redis, [said("later")])
    drain(ingest, lambda: bool(ingest.failures))
    assert "was removed or replaced under its writer" in str(ingest.failures["default"])
    ingested(redis, folded)
    assert contents(folded)[-1] == "later"
    assert len(contents(folded)) == 31
    assert replays_equal(folded)


@pytest.mark.parametrize("spot", [0, 100])
def test_a_file_that_sqlite_cannot_read_is_named_and_built_again_when_asked(
    redis: redis_py.Redis, folded: Settings, spot: int
) -> None:
    with folded.file.open("r+b") as file:
        file.seek(spot)
        file.write(b"\xff" * 4096 * 8)
    with pytest.raises(DamagedFile, match="is damaged") as refused:
        ingested(redis, folded)
    assert "mnemolog --space default replay" in str(refused.value)
    replay.replay(folded, Stream(redis, "default"), SmallEmbedder(), progress=lambda _: None)
    ingested(redis, folded)
    assert len(contents(folded)) == 30
    assert replays_equal(folded)


def test_a_snapshot_of_more_than_the_archive_has_is_passed_over(
    redis: redis_py.Redis, folded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert snapshots.take(folded) is not None
    shorten(folded, 5)
    redis.delete(STREAM)
    for path in folded.folder.glob("space.db*"):
        path.unlink()
    replay.replay(folded, Stream(redis, "default"), SmallEmbedder(), progress=lambda _: None)
    assert len(contents(folded)) == 25
    # Later entries take the log past the snapshot's position, which is none of them.
    append(redis, [said(f"later-{number}") for number in range(10)])
    ingested(redis, folded, accept_stream=True)
    found = replay.replay(folded, Stream(redis, "default"), SmallEmbedder(), progress=lambda _: None)
    assert "the log was rewritten since" in caplog.text
    assert found.equal is True
    assert len(contents(folded)) == 35


def test_a_snapshot_that_the_disk_has_no_room_for_leaves_nothing_and_is_made_later(
    redis: redis_py.Redis, folded: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    often = msgspec.structs.replace(folded, snapshot_events=1)
    folder = snapshots.folder_of(often)
    write = snapshots._write
    full = [OSError(errno.ENOSPC, "No space left on device")] * 2

    def tried(copy: Path, made: snapshots.Snapshot) -> None:
        if full:
            raise full.pop()
        write(copy, made)

    monkeypatch.setattr(snapshots, "_write", tried)
    monkeypatch.setattr("mnemolog.workers.writer.housekeeper.RETRY_S", 0.02)
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(often)
    append(redis, [said("later")])
    drain(ingest, lambda: bool(list(folder.glob("*.json"))))
    assert caplog.text.count("No space left on device") == 1
    assert ingest.failures == {}
    assert sorted(path.suffix for path in folder.iterdir()) == [".db", ".json"]
    assert replays_equal(folded)


def shorten(space: Settings, lines: int) -> None:
    """What a power cut does to an archive that was not synced."""
    segment = space.archive / "00000001.jsonl"
    kept = segment.read_bytes().splitlines(keepends=True)[:-lines]
    segment.write_bytes(b"".join(kept) + b'{"p":"17')


def test_an_archive_that_lost_its_tail_is_filled_up_from_the_stream(redis: redis_py.Redis, folded: Settings) -> None:
    whole = (folded.archive / "00000001.jsonl").read_bytes()
    shorten(folded, 5)
    ingested(redis, folded)
    assert (folded.archive / "00000001.jsonl").read_bytes() == whole
    assert replays_equal(folded)


def test_an_archive_is_not_filled_up_from_a_stream_that_says_something_else(
    redis: redis_py.Redis, folded: Settings
) -> None:
    entries = redis.xrange(STREAM)
    shorten(folded, 5)
    redis.delete(STREAM)
    append(redis, [fields[b"e"] for _, fields in entries[:-1]], ids=[position.decode() for position, _ in entries])
    append(redis, [said("impostor")], ids=[entries[-1][0].decode()])
    with pytest.raises(DamagedFile, match="no longer has what lies between"):
        ingested(redis, folded)
    assert archive.count(folded.archive) == 26


def test_a_lost_archive_is_filled_up_from_a_whole_stream(redis: redis_py.Redis, folded: Settings) -> None:
    shutil.rmtree(folded.archive)
    ingested(redis, folded)
    assert archive.count(folded.archive) == 31
    assert replays_equal(folded)


@pytest.mark.parametrize("left", [1, 2, 4])
@pytest.mark.parametrize("lost", ["tail", "all"])
def test_an_archive_that_lost_what_the_stream_no_longer_has_is_named(
    redis: redis_py.Redis, folded: Settings, left: int, lost: str
) -> None:
    if lost == "tail":
        shorten(folded, 5)
    else:
        shutil.rmtree(folded.archive)
    append(redis, [said("later")])
    redis.xtrim(STREAM, maxlen=left, approximate=False)
    for accept_stream in (False, True):
        with pytest.raises(DamagedFile, match="no longer has what lies between") as refused:
            ingested(redis, folded, accept_stream=accept_stream)
    for word in ("mnemolog replay", "backup", "--accept-stream"):
        assert word in str(refused.value)


def test_what_an_archive_without_its_tail_has_can_be_kept_as_the_message_says(
    redis: redis_py.Redis, folded: Settings
) -> None:
    shorten(folded, 5)
    append(redis, [said("later")])
    redis.xtrim(STREAM, maxlen=2, approximate=False)
    stream = Stream(redis, "default")
    with pytest.raises(DivergedLog):
        replay.replay(folded, stream, SmallEmbedder(), progress=lambda _: None)
    folded.file.rename(folded.file.with_name("kept.db"))
    replay.replay(folded, stream, SmallEmbedder(), progress=lambda _: None)
    assert len(contents(folded)) == 25
    ingested(redis, folded, accept_stream=True)
    assert contents(folded)[-1] == "later"
    assert replays_equal(folded)


def test_a_missing_segment_is_named_and_nothing_is_made_of_the_rest(redis: redis_py.Redis, folded: Settings) -> None:
    first = folded.archive / "00000001.jsonl"
    entry = archive.last_entry(folded.archive)
    assert entry is not None
    (folded.archive / "00000003.jsonl").write_bytes(encode_line(log_of([b"{}"], entry.position.ms + 1)[0]))
    first.rename(folded.archive / "00000002.jsonl")
    with pytest.raises(DamagedFile, match=r"segment 00000001 .* is missing"):
        ingested(redis, folded)
    with pytest.raises(DamagedFile, match="missing"):
        replays_equal(folded)


@pytest.mark.parametrize("at", ["first", "middle", "last"])
def test_a_flipped_bit_in_the_archive_is_named_with_its_place(redis: redis_py.Redis, folded: Settings, at: str) -> None:
    segment = folded.archive / "00000001.jsonl"
    data = bytearray(segment.read_bytes())
    spot = {"first": 60, "middle": len(data) // 2, "last": len(data) - 20}[at]
    data[spot] ^= 1
    segment.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"the archive is damaged at .*00000001.jsonl"):
        replays_equal(folded)


# ---- at the command line -----------------------------------------------------------------------------------------


def test_the_command_says_what_happened_and_ends_with_a_status_of_its_own(
    redis_url: str, redis: redis_py.Redis, folded: Settings, tmp_path: Path
) -> None:
    append(redis, [said("lost"), said("left")])
    redis.xtrim(STREAM, maxlen=1, approximate=False)
    refused = run_cli("--data", tmp_path, "--redis", redis_url, "ingest")
    assert refused.returncode == 4
    assert "trimmed by others" in refused.stderr
    assert "mnemolog ingest --accept-stream" in refused.stderr
    assert "Traceback" not in refused.stderr
    with start_cli("--data", tmp_path, "--redis", redis_url, "ingest", "--accept-stream") as writer:
        wait_until(lambda: "left" in contents(folded))
        append(redis, [said("later")])
        wait_until(lambda: "later" in contents(folded))
        redis.delete(STREAM)
        append(redis, [created(salt=OTHER_SALT), said("other")])
        assert writer.wait() == 4
        assert "was replaced by another one" in writer.output
        assert "Traceback" not in writer.output


def test_positions_of_the_archive_and_the_stream_are_the_same(redis: redis_py.Redis, folded: Settings) -> None:
    stream = [(Position.parse(position), fields[b"e"]) for position, fields in redis.xrange(STREAM)]
    assert [(entry.position, entry.body) for entry in archive.read(folded.archive)] == stream
    assert Stream(redis, "default").range(Position(0, 0), 100) == list(archive.read(folded.archive))
