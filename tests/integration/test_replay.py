"""Replay: the same hash after every way of getting there, and a file that is put right by it."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest
import redis as redis_py
from support import run_cli, start_cli
from support.stories import (
    SmallEmbedder,
    append,
    created,
    event,
    file_hashes,
    ingested,
    messages,
    newer,
    problems,
    rows,
    said,
    top,
    verified,
)

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.integrity import verify
from mnemolog.schema import archive, keys
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import DamagedFile, DivergedLog, NewerEvent, SpaceHeld, SpaceNotFound
from mnemolog.schema.events import DeadLetterDiscarded, EntryParked
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.rebuilding.replay import Replayed
from mnemolog.workers.writer.ingest import Ingest
from mnemolog.workers.writer.space_file import open_for_writing
from mnemolog.workers.writer.space_writer import SpaceWriter

STREAM = keys.stream("default")


@pytest.fixture
def folded(redis: redis_py.Redis, space: Settings) -> Settings:
    """A space with a story of many kinds of entries, folded in the sizes in which they came."""
    story = messages(300)
    append(redis, [created(), *story[:100], said("m00001", "reused"), b"rubbish"])
    ingested(redis, space)
    letter = rows(space.file, "SELECT ms, seq FROM dead_letters")[0]
    append(redis, [*story[:20], event("discard", DeadLetterDiscarded(ms=letter[0], seq=letter[1])), *story[100:]])
    ingested(redis, space)
    return space


def replayed(client: redis_py.Redis, space: Settings, batch: int = 500) -> Replayed:
    stream = Stream(client, space.space)
    return replay.replay(space, stream, SmallEmbedder(), batch=batch, progress=lambda _: None)


# ---- equal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_a_replay_in_batches_of_any_size_is_equal(redis: redis_py.Redis, folded: Settings, batch: int) -> None:
    found = verified(folded, batch)
    assert found.equal is True
    assert found.hash_live == found.hash_rebuilt == file_hashes(folded.file).hash
    assert found.events == redis.xlen(STREAM)
    assert found.model_calls == 0
    assert found.position == top(redis)
    before = file_hashes(folded.file)
    assert replayed(redis, folded, batch).equal is True
    assert file_hashes(folded.file) == before
    assert problems(folded) == ()


def test_a_replay_calls_no_embedder_for_texts_it_has_vectors_of(redis: redis_py.Redis, folded: Settings) -> None:
    embedder = SmallEmbedder()
    replay.replay(folded, Stream(redis, "default"), embedder, progress=lambda _: None)
    assert embedder.embedded == 0
    assert problems(folded) == ()


def test_a_replay_does_not_take_over_a_vector_that_is_not_what_was_stored(
    redis: redis_py.Redis, folded: Settings
) -> None:
    connection = open_for_writing(folded.file)
    connection.execute(
        vectors.index_in_use(connection).sql("UPDATE {vectors} SET vector = zeroblob(64) WHERE number = 3")
    )
    connection.close()
    assert problems(folded) != ()
    assert replayed(redis, folded).equal is True
    assert problems(folded) == ()


def test_a_replay_from_the_archive_alone_is_equal(redis: redis_py.Redis, folded: Settings) -> None:
    redis.xtrim(STREAM, minid=str(file_hashes(folded.file).position), approximate=False)
    assert redis.xlen(STREAM) == 1
    before = file_hashes(folded.file)
    assert verified(folded).equal is True
    for path in folded.folder.glob("space.db*"):
        path.unlink()
    found = replayed(redis, folded)
    assert (found.equal, found.hash_live) == (None, None)
    assert file_hashes(folded.file) == before
    assert problems(folded) == ()


def test_a_replay_from_sealed_segments_is_equal(
    redis: redis_py.Redis, folded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file_hashes(folded.file)
    entries = list(archive.read(folded.archive))
    shutil.rmtree(folded.archive)
    writer = archive.ArchiveWriter(folded.archive, segment_bytes=5_000)
    for entry in entries:
        writer.append([entry])
        writer.rotate()
    for number in writer.unsealed():
        archive.seal(folded.archive, number)
    writer.close()
    assert len(list(folded.archive.glob("*.gz"))) > 5
    assert verified(folded).equal is True
    assert replayed(redis, folded).equal is True
    assert file_hashes(folded.file) == before
    append(redis, [said("later")])
    ingested(redis, folded)
    assert verified(folded).equal is True


def test_a_replay_takes_what_is_on_the_stream_and_was_not_folded_yet(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [said("later")])
    found = replayed(redis, folded)
    assert found.equal is True
    assert found.position == top(redis)
    assert rows(folded.file, "SELECT 1 FROM nodes WHERE event_id = 'later'")
    ingested(redis, folded)
    assert verified(folded).equal is True


def test_a_space_with_nothing_folded_yet_is_equal(redis: redis_py.Redis, space: Settings) -> None:
    ingested(redis, space)
    found = verified(space)
    assert (found.equal, found.events) == (True, 0)
    append(redis, [created()])
    assert replayed(redis, space).equal is True


def test_a_verify_may_run_while_the_writer_goes_on(redis: redis_py.Redis, folded: Settings) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(folded)
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop,))
    thread.start()
    try:
        for number in range(5):
            append(redis, [said(f"{number}-{k}") for k in range(200)])
            assert verified(folded).equal is True
    finally:
        stop.set()
        thread.join()
    assert ingest.failures == {}
    assert verified(folded).equal is True
    assert sorted(path.name for path in folded.folder.glob("*.db")) == ["space.db"]


def test_a_parked_newer_event_replays_equal(redis: redis_py.Redis, folded: Settings) -> None:
    append(redis, [newer()])
    stuck = top(redis)
    append(redis, [event("park", EntryParked(ms=stuck.ms, seq=stuck.seq)), said("later")])
    ingested(redis, folded)
    assert rows(folded.file, "SELECT reason FROM dead_letters WHERE ms = ? AND seq = ?", *stuck) == [("newer_version",)]
    for batch in (1, 7, 1_000):
        assert verified(folded, batch).equal is True
    assert replayed(redis, folded, 1).equal is True


def test_a_parked_newer_event_can_be_verified_before_the_word_that_parked_it_is_folded(
    redis: redis_py.Redis, folded: Settings
) -> None:
    append(redis, [newer()])
    stuck = top(redis)
    append(redis, [said("between"), event("park", EntryParked(ms=stuck.ms, seq=stuck.seq))])
    writer = SpaceWriter(folded, Stream(redis, "default"), SmallEmbedder())
    writer.open()
    writer.fold(writer.stream.range(writer.position, 2))
    writer.close()
    assert rows(folded.file, "SELECT 1 FROM nodes WHERE event_id = 'between'")
    assert verified(folded).equal is True


# ---- not equal, or not possible ----------------------------------------------------------------------------------


def test_a_file_that_is_not_what_its_log_says_is_unequal_and_put_right(redis: redis_py.Redis, folded: Settings) -> None:
    before = file_hashes(folded.file)
    connection = open_for_writing(folded.file)
    connection.execute("UPDATE nodes SET content = 'I never said that.' WHERE number = 5")
    connection.close()
    assert verified(folded).equal is False
    assert replayed(redis, folded).equal is False
    assert file_hashes(folded.file) == before
    assert problems(folded) == ()


@pytest.mark.parametrize("damage", ["noise", "header", "middle", "empty", "cut", "text"])
def test_a_damaged_file_is_moved_aside_and_built_again(redis: redis_py.Redis, folded: Settings, damage: str) -> None:
    before = file_hashes(folded.file)
    whole = folded.file.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    folded.file.write_bytes(
        {
            "noise": b"\x55" * len(whole),
            "header": bytes(100) + whole[100:],
            "middle": whole[:size] + bytes(len(whole) - size),
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "text": b"not a database",
        }[damage]
    )
    with pytest.raises(SpaceNotFound, match="replay"):
        verified(folded)
    found = replayed(redis, folded)
    assert found.equal is None
    assert file_hashes(folded.file) == before
    assert problems(folded) == ()
    assert any(path.name.startswith("space.db.damaged-") for path in folded.folder.iterdir())


def test_a_damaged_file_is_not_moved_away_from_a_live_writer(redis: redis_py.Redis, folded: Settings) -> None:
    writer = SpaceWriter(folded, Stream(redis, "default"), SmallEmbedder())
    writer.open()
    connection = apsw.Connection(str(folded.file))
    connection.execute("DROP TABLE scenes")
    connection.close()
    with pytest.raises(SpaceHeld):
        replayed(redis, folded)
    assert list(folded.folder.glob("*damaged*")) == []
    writer.close()


def of_another_version(space: Settings) -> None:
    connection = open_for_writing(space.file)
    connection.execute("UPDATE space SET fold_version = ?", (FOLD_VERSION + 1,))
    connection.close()


def test_a_file_of_another_fold_version_is_not_checked_by_the_rules_of_this_one(folded: Settings) -> None:
    of_another_version(folded)
    with closing(open_reader(folded.file)) as connection, pytest.raises(DamagedFile, match="mnemolog replay"):
        verify(connection)


def test_a_file_of_another_fold_version_is_not_compared(redis: redis_py.Redis, folded: Settings) -> None:
    of_another_version(folded)
    with pytest.raises(DamagedFile, match="cannot be compared"):
        verified(folded)
    found = replayed(redis, folded)
    assert found.equal is None
    assert list(folded.folder.glob("*damaged*")) == []
    assert verified(folded).equal is True


def test_a_file_of_another_fold_version_is_built_again_when_the_writer_starts(
    redis: redis_py.Redis, folded: Settings
) -> None:
    before = file_hashes(folded.file)
    of_another_version(folded)
    append(redis, [said("later")])
    writer = SpaceWriter(folded, Stream(redis, "default"), SmallEmbedder())
    writer.open()
    assert rows(folded.file, "SELECT fold_version FROM space") == [(FOLD_VERSION,)]
    assert file_hashes(folded.file) == before
    writer.fold(writer.stream.range(writer.position, 10))
    writer.close()
    assert verified(folded).equal is True


def test_a_replay_stops_at_a_newer_event_and_names_space_and_position(redis: redis_py.Redis, folded: Settings) -> None:
    before = file_hashes(folded.file)
    append(redis, [newer()])
    with pytest.raises(NewerEvent, match=rf"'default' stops before {top(redis)}.*dead-letters park {top(redis)}"):
        replayed(redis, folded)
    assert file_hashes(folded.file) == before
    ingested_again = SpaceWriter(folded, Stream(redis, "default"), SmallEmbedder())
    with pytest.raises(NewerEvent, match="'default' stops before"):
        ingested_again.open()


def test_a_replay_leaves_out_a_stream_that_is_no_continuation_of_the_archive_and_says_so(
    redis: redis_py.Redis, folded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = file_hashes(folded.file)
    redis.delete(STREAM)
    append(redis, [created(salt="11" * 16), said("other")])
    folded.file.write_bytes(b"not a database")
    assert replayed(redis, folded).equal is None
    assert "was replaced by another one" in caplog.text
    assert "from the archive alone" in caplog.text
    assert file_hashes(folded.file) == before
    with pytest.raises(DivergedLog):
        ingested(redis, folded)


def test_a_replay_without_any_log_says_so(redis: redis_py.Redis, space: Settings) -> None:
    with pytest.raises(SpaceNotFound, match="has no log"):
        replayed(redis, space)
    assert not space.file.exists()


def test_a_replay_that_dies_leaves_the_live_file_as_it_was(
    redis: redis_py.Redis, folded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file_hashes(folded.file)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replay, "swap", dies)
        with pytest.raises(KeyboardInterrupt):
            replayed(redis, folded)
    assert file_hashes(folded.file) == before
    assert sorted(path.name for path in folded.folder.iterdir()) == ["archive", "space.db"]
    ingested(redis, folded)


def test_deep_callers_replay_to_the_same_hash(redis: redis_py.Redis, folded: Settings) -> None:
    body = said("deep", metadata={"a": "Z"}).replace(b'"Z"', b"[" * 700 + b"]" * 700)
    append(redis, [body])
    ingested(redis, folded)

    def deeper(levels: int) -> Replayed:
        return deeper(levels - 1) if levels else verified(folded)

    assert deeper(sys.getrecursionlimit() // 3).equal is True


# ---- at the command line -----------------------------------------------------------------------------------------


def test_the_commands_agree_after_import_reindex_and_replay_beside_a_writer(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    lines = tmp_path / "told.jsonl"
    payloads = [decode(body).payload for body in messages(200)]
    lines.write_text(
        "".join(
            json.dumps({"session": p.session, "role": p.role, "content": p.content, "at": p.occurred_at}) + "\n"  # type: ignore[attr-defined]
            for p in payloads
        )
    )
    at = ("--data", tmp_path / "data", "--redis", redis_url)

    def run(*command: str | Path) -> str:
        result = run_cli(*at, *command)
        assert result.returncode == 0, result.stderr
        return result.stdout

    run("import", lines, "--drain")
    hashes = {json.loads(run("verify", "--json"))["hash"]}
    for batch, command in (("1", ("reindex", "fulltext")), ("7", ("reindex", "vectors")), ("1000", ("replay",))):
        run(*command)
        found = json.loads(run("replay", "--verify", "--batch", batch, "--json"))
        assert found["equal"] is True
        assert found["model_calls"] == 0
        hashes |= {found["hash_live"], found["hash_rebuilt"]}
    assert hashes == {json.loads(run("verify", "--json"))["hash"]}
    with start_cli(*at, "ingest") as writer:
        writer.wait_for("writing space")
        assert json.loads(run("replay", "--verify", "--json"))["equal"] is True
        refused = run_cli(*at, "replay")
        assert refused.returncode == 7
        assert f"held by process {writer.pid}" in refused.stderr
    assert Position.parse(json.loads(run("verify", "--json"))["position"]) == top(redis)
