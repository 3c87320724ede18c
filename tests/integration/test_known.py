"""What was known at a moment: a side file of the log up to there, kept for the next question, and started from snapshots."""

from __future__ import annotations

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import redis as redis_py
from support.stories import (
    BEGIN_MS,
    SmallEmbedder,
    append,
    created,
    drain,
    event,
    file_hashes,
    folded,
    hashes_of,
    ingested,
    messages,
    said,
    settings_in,
    top,
)

from mnemolog.projections.facts import facts
from mnemolog.projections.integrity import verify
from mnemolog.projections.recall import recall
from mnemolog.schema import archive
from mnemolog.schema.archive import ArchiveWriter, Entry, seal
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.errors import DamagedFile, InvalidInput, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.rebuilding import known, replay, snapshots
from mnemolog.workers.rebuilding.prefix import prefix
from mnemolog.workers.writer.ingest import Ingest

STORY = [created(), *messages(60)]


@pytest.fixture
def space(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def lived(redis: redis_py.Redis, space: Settings) -> Settings:
    """A space of 61 events, at positions of its own."""
    append(redis, STORY, ids=[f"{BEGIN_MS + number}-0" for number in range(len(STORY))])
    ingested(redis, space)
    return space


def at(number: int) -> Position:
    return Position(BEGIN_MS + number, 0)


def add(client: redis_py.Redis, space: Settings, *bodies: bytes) -> Position:
    """Appends entries after whatever the writer itself appended, folds them, and gives the last one's position."""
    append(client, bodies)
    position = top(client)
    ingested(client, space)
    return position


def end_of(space: Settings) -> Position:
    return [entry.position for entry in archive.read(space.archive)][-1]


def count_to(space: Settings, position: Position, after: Position = START) -> int:
    return len(list(archive.read(space.archive, after, position)))


def known_hash(space: Settings, moment: known.Moment, embedder: SmallEmbedder | None = None) -> str:
    with known.opened(space, embedder or SmallEmbedder(), moment) as found:
        return hashes_of(found.connection).hash


def hash_of_the_first(tmp_path: Path, count: int) -> str:
    connection = folded(tmp_path / f"first-{count}.db", [Entry(at(n), body) for n, body in enumerate(STORY[:count])])
    try:
        return hashes_of(connection).hash
    finally:
        connection.close()


def files(space: Settings) -> list[str]:
    return sorted(path.name for path in known.folder_of(space).iterdir())


# ---- the fold of the log up to there -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 7, 61])
def test_what_was_known_at_a_position_is_the_fold_of_the_log_up_to_it(
    lived: Settings, tmp_path: Path, count: int
) -> None:
    before = file_hashes(lived.file)
    assert known_hash(lived, at(count - 1)) == hash_of_the_first(tmp_path, count)
    assert file_hashes(lived.file) == before


def test_a_time_means_the_last_entry_that_was_recorded_by_then(lived: Settings) -> None:
    with known.opened(lived, SmallEmbedder(), BEGIN_MS + 5) as found:
        assert found.position == at(5)
    with known.opened(lived, SmallEmbedder(), BEGIN_MS + 10**12) as found:
        assert found.position == end_of(lived)


def test_a_position_between_two_entries_means_the_earlier_one(lived: Settings) -> None:
    with known.opened(lived, SmallEmbedder(), Position(BEGIN_MS + 5, 7)) as found:
        assert found.position == at(5)


def test_before_the_first_event_nothing_was_known(lived: Settings) -> None:
    with known.opened(lived, SmallEmbedder(), BEGIN_MS - 1) as found:
        assert found.position == START
        assert facts(found.connection, BEGIN_MS) == []
        assert recall(found.connection, "rain", embedder=SmallEmbedder(), now=BEGIN_MS) == []
    assert not known.folder_of(lived).exists()


def test_a_position_after_the_end_of_the_log_names_the_end(lived: Settings) -> None:
    with (
        pytest.raises(InvalidInput, match=f"ends at {end_of(lived)}"),
        known.opened(lived, SmallEmbedder(), Position(end_of(lived).ms + 1, 0)),
    ):
        pass


def test_a_space_without_a_log_is_not_found(space: Settings) -> None:
    with pytest.raises(SpaceNotFound), known.opened(space, SmallEmbedder(), BEGIN_MS):
        pass


def test_a_log_that_nobody_archived_yet_is_read_from_the_stream(redis: redis_py.Redis, space: Settings) -> None:
    append(redis, STORY)
    with known.opened(space, SmallEmbedder(), top(redis), stream=Stream(redis, "default")) as found:
        assert found.position == top(redis)


@pytest.mark.parametrize("moment", [-5, -315_619_200_000])
def test_before_the_first_year_of_a_stream_nothing_was_known(
    redis: redis_py.Redis, space: Settings, moment: int
) -> None:
    append(redis, STORY)
    with known.opened(space, SmallEmbedder(), moment, stream=Stream(redis, "default")) as found:
        assert found.position == START


def test_what_stands_on_the_stream_alone_is_known_too(redis: redis_py.Redis, lived: Settings) -> None:
    archived = end_of(lived)
    append(redis, [said("late", "Rain again.")])
    with known.opened(lived, SmallEmbedder(), top(redis), stream=Stream(redis, "default")) as found:
        assert found.position == top(redis) > archived
    with known.opened(lived, SmallEmbedder(), top(redis).ms + 1) as found:
        assert found.position == archived


def test_the_side_file_is_sound_and_takes_its_vectors_from_the_live_one(lived: Settings) -> None:
    embedder = SmallEmbedder()
    with known.opened(lived, embedder, at(30)) as found:
        assert verify(found.connection).problems == ()
    assert embedder.embedded == 0


# ---- kept --------------------------------------------------------------------------------------------------------


def test_a_side_file_is_kept_for_the_next_question(lived: Settings) -> None:
    folds: list[int] = []
    for _ in range(2):
        with known.opened(lived, SmallEmbedder(), at(30), progress=folds.append):
            pass
    assert sum(folds) == 31
    (name,) = files(lived)
    path = known.folder_of(lived) / name
    assert name.startswith(str(at(30)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_few_side_files_are_kept_and_the_one_not_used_longest_goes_first(
    lived: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "KEEP_FILES", 2)
    for number in (10, 20, 10, 30):
        known_hash(lived, at(number))
    assert [name.partition(".")[0] for name in files(lived)] == [str(at(10)), str(at(30))]
    monkeypatch.setattr(known, "KEEP_BYTES", 1)
    known_hash(lived, at(40))
    assert [name.partition(".")[0] for name in files(lived)] == [str(at(40))]


def test_several_that_build_the_same_at_once_do_not_clash(lived: Settings) -> None:
    met = threading.Barrier(3)

    def build() -> str:
        # Everybody has begun to fold before anybody goes on.
        first = iter([met])
        with known.opened(
            lived, SmallEmbedder(), at(30), progress=lambda _: [barrier.wait(20) for barrier in first]
        ) as found:
            return hashes_of(found.connection).hash

    with ThreadPoolExecutor(3) as pool:
        hashes = {building.result() for building in [pool.submit(build) for _ in range(3)]}
    assert hashes == {known_hash(lived, at(30))}
    assert len(files(lived)) == 1


def test_a_file_that_is_deleted_goes_on_answering_whoever_reads_it(lived: Settings) -> None:
    with known.opened(lived, SmallEmbedder(), at(30)) as found:
        known.remove_all(lived)
        assert files(lived) == []
        assert found.connection.execute("SELECT count(*) FROM events").get == 31


def test_what_a_killed_builder_left_is_cleared_away(lived: Settings) -> None:
    left = known.folder_of(lived) / f"{at(30)}.building-999999999-1.db"
    left.parent.mkdir()
    left.write_bytes(b"half")
    known_hash(lived, at(30))
    assert not left.exists()


def rewritten(folder: Path, change: str) -> None:
    """The archive with one word of a message in another's place, as erasing would leave it."""
    entries = [
        Entry(entry.position, entry.body.replace(b'"Ada"', f'"{change}"'.encode())) for entry in archive.read(folder)
    ]
    for path in folder.iterdir():
        path.unlink()
    writer = ArchiveWriter(folder)
    writer.append(entries)
    writer.close()


def test_a_log_that_was_rewritten_is_folded_anew(lived: Settings) -> None:
    before = known_hash(lived, at(30))
    rewritten(lived.archive, "Eve")
    assert known_hash(lived, at(30)) != before


def test_a_digest_of_a_prefix_outlives_what_comes_after_it_and_the_sealing_of_its_own_segment(
    lived: Settings,
) -> None:
    before = prefix(lived.archive, None, at(30))
    writer = ArchiveWriter(lived.archive, segment_bytes=1)
    writer.append([Entry(Position(end_of(lived).ms + 1, 0), said("more"))])
    writer.rotate()
    writer.close()
    seal(lived.archive, 1)
    assert prefix(lived.archive, None, at(30)) == before
    assert prefix(lived.archive, None, at(31)).digest != before.digest


def test_a_void_counts_from_when_it_was_known(redis: redis_py.Redis, lived: Settings) -> None:
    before = known_hash(lived, at(30))
    void = add(redis, lived, event("void", OutcomesVoided(positions=(tuple(at(20)),))))
    assert known_hash(lived, at(30)) == before
    assert known_hash(lived, void) == file_hashes(lived.file).hash


# ---- snapshots ---------------------------------------------------------------------------------------------------


def taken(space: Settings) -> snapshots.Snapshot:
    made = snapshots.take(space)
    assert made is not None
    return made


def events_folded(space: Settings, moment: known.Moment) -> int:
    folds: list[int] = []
    known.remove_all(space)
    with known.opened(space, SmallEmbedder(), moment, progress=folds.append) as found:
        assert verify(found.connection).problems == ()
    return sum(folds)


class Grown(msgspec.Struct, frozen=True):
    """A space with a snapshot of its first events, and sixty more."""

    space: Settings
    snapshot: Position
    end: Position

    @property
    def since(self) -> int:
        return count_to(self.space, self.end, self.snapshot)

    @property
    def all(self) -> int:
        return count_to(self.space, self.end)


@pytest.fixture
def grown(redis: redis_py.Redis, lived: Settings) -> Grown:
    snapshot = taken(lived).at
    end = add(redis, lived, *(said(f"n{number}", f"More about rain, {number}.") for number in range(60)))
    return Grown(lived, snapshot, end)


def test_a_fold_goes_on_from_the_newest_snapshot_before_it(grown: Grown) -> None:
    assert events_folded(grown.space, grown.end) == grown.since < grown.all
    assert events_folded(grown.space, grown.snapshot) == 0
    assert events_folded(grown.space, at(59)) == 60


def test_what_goes_on_from_a_snapshot_is_equal_to_what_is_folded_from_the_beginning(grown: Grown) -> None:
    assert known_hash(grown.space, end_of(grown.space)) == file_hashes(grown.space.file).hash


def test_a_replay_goes_on_from_a_snapshot_unless_asked_for_all(redis: redis_py.Redis, grown: Grown) -> None:
    end = end_of(grown.space)
    everything, rest = count_to(grown.space, end), count_to(grown.space, end, grown.snapshot)
    for full, events in ((False, rest), (True, everything)):
        found = replay.replay(
            grown.space, Stream(redis, "default"), SmallEmbedder(), full=full, progress=lambda _: None
        )
        assert (found.equal, found.events) == (True, events)
    assert replay.verify(grown.space, SmallEmbedder(), progress=lambda _: None).events == everything


def test_a_damaged_snapshot_is_passed_over_and_named(grown: Grown, caplog: pytest.LogCaptureFixture) -> None:
    (path,) = snapshots.folder_of(grown.space).glob("*.db")
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    assert events_folded(grown.space, grown.end) == grown.all
    assert path.name in caplog.text


def test_a_snapshot_whose_tables_are_not_what_was_written_is_passed_over(
    grown: Grown, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = snapshots.folder_of(grown.space).glob("*.json")
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps({**told, "hash": "0" * 32}))
    assert events_folded(grown.space, grown.end) == grown.all
    assert "its tables are not what was written" in caplog.text


def test_a_snapshot_of_a_log_that_was_rewritten_is_passed_over(grown: Grown, caplog: pytest.LogCaptureFixture) -> None:
    rewritten(grown.space.archive, "Eve")
    assert events_folded(grown.space, grown.end) == grown.all
    assert "the log was rewritten since" in caplog.text


def test_a_snapshot_of_another_embedder_is_passed_over(grown: Grown) -> None:
    class Other(SmallEmbedder):
        name = "other-16"

    folds: list[int] = []
    with known.opened(grown.space, Other(), grown.end, progress=folds.append):
        assert sum(folds) == grown.all


def test_a_snapshot_is_of_no_use_where_a_later_void_changes_what_is_in_it(
    redis: redis_py.Redis, grown: Settings
) -> None:
    void = add(redis, grown.space, event("void", OutcomesVoided(positions=(tuple(at(20)),))))
    assert events_folded(grown.space, grown.end) == grown.since
    assert events_folded(grown.space, void) == count_to(grown.space, void)


def test_the_newest_snapshots_are_kept(redis: redis_py.Redis, grown: Grown) -> None:
    second = taken(grown.space).at
    add(redis, grown.space, said("last"))
    third = taken(grown.space).at
    assert [one.at for one in snapshots.listed(grown.space)] == [third, second]
    assert len(list(snapshots.folder_of(grown.space).iterdir())) == 4
    snapshots.remove_all(grown.space)
    assert list(snapshots.folder_of(grown.space).iterdir()) == []


def test_no_snapshot_is_made_of_a_file_that_the_archive_does_not_bear_out(
    redis: redis_py.Redis, lived: Settings
) -> None:
    add(redis, lived, said("last", speaker="Ada"))
    rewritten(lived.archive, "Eve")
    with pytest.raises(DamagedFile, match="does not hold"):
        snapshots.take(lived)


def test_there_is_no_snapshot_of_nothing(space: Settings) -> None:
    with pytest.raises(SpaceNotFound):
        snapshots.take(space)
    assert not space.folder.exists()


def test_the_writer_makes_snapshots_as_the_file_grows(redis: redis_py.Redis, space: Settings) -> None:
    often = msgspec.structs.replace(space, snapshot_events=20)
    append(redis, STORY[:30])
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(often)
    drain(ingest, lambda: len(snapshots.listed(often)) == 1)
    append(redis, STORY[30:])
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(often)
    drain(ingest, lambda: len(snapshots.listed(often)) == 2)
    assert events_folded(often, end_of(often)) < count_to(often, end_of(often))


def test_a_writer_that_is_to_make_no_snapshots_makes_none(redis: redis_py.Redis, space: Settings) -> None:
    append(redis, STORY)
    ingested(redis, msgspec.structs.replace(space, snapshot_events=0))
    assert snapshots.listed(space) == []
