"""The ingest worker: many spaces in one process, full disks, newer events, large messages, a graceful end."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw
import numpy as np
import pytest
import redis as redis_py
from numpy.typing import NDArray
from support import Process, run_cli, start_cli, wait_until
from support.stories import (
    SmallEmbedder,
    append,
    contents,
    created,
    drain,
    file_hashes,
    ingested,
    messages,
    newer,
    problems,
    rows,
    said,
    settings_in,
    top,
    verified,
)

from mnemolog.projections.connection import open_reader
from mnemolog.schema import archive, keys
from mnemolog.schema.archive import ArchiveWriter
from mnemolog.schema.errors import DamagedFile, MnemologError, NewerEvent, StaleWriter
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.background import background_writer
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.housekeeper import SpaceKeeper
from mnemolog.workers.writer.ingest import Ingest
from mnemolog.workers.writer.space_writer import SpaceWriter


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that tries again at once."""
    monkeypatch.setattr("mnemolog.workers.writer.ingest.PAUSE_S", 0.001)


def sound(space: Settings) -> bool:
    assert problems(space) == ()
    return verified(space).equal is True


# ---- disks ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_said_once_and_what_did_not_fit_is_folded_when_there_is_room(
    redis: redis_py.Redis, space: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    append(redis, [created(), *messages(50)])
    ingested(redis, space)
    before = file_hashes(space.file)
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(space)
    connection = ingest._writers["default"].connection
    connection.pragma("max_page_count", connection.pragma("page_count"))
    append(redis, messages(400)[50:])
    for _ in range(4):
        assert ingest.turn(1) == 0
    assert caplog.text.count("database or disk is full") == 1
    assert "cannot rollback" not in caplog.text
    assert file_hashes(space.file) == before
    assert ingest.spaces == ["default"]
    connection.pragma("max_page_count", 1_000_000)
    drain(ingest)
    assert ingest.failures == {}
    assert len(contents(space)) == 400
    assert archive.count(space.archive) == 401
    assert sound(space)


@pytest.mark.usefixtures("quick")
def test_an_archive_without_room_takes_back_half_a_batch_and_goes_on_when_there_is_room(
    redis: redis_py.Redis, space: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(redis, [created(), *messages(50)])
    ingested(redis, space)
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(space)
    segment = space.archive / "00000001.jsonl"
    before = segment.read_bytes()
    append(redis, messages(100)[50:])
    write = os.write

    def half(file: int, data: memoryview) -> int:
        if len(data) < 3_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("mnemolog.schema.archive.os.write", half)
        for _ in range(3):
            assert ingest.turn(1) == 0
    assert caplog.text.count("No space left on device") == 1
    assert segment.read_bytes() == before
    assert len(contents(space)) == 50
    drain(ingest)
    assert len(contents(space)) == 100
    assert sound(space)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EIO, "Input/output error"), MnemologError),
        (apsw.IOError("disk I/O error"), MnemologError),
        (apsw.CorruptError("database disk image is malformed"), DamagedFile),
        (KeyError("a defect"), MnemologError),
    ],
)
def test_what_cannot_pass_by_itself_ends_one_space_by_name_and_leaves_the_others(
    redis: redis_py.Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: type[MnemologError],
) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    for name in ("ada", "ben"):
        append(redis, [created(name), said("first")], name)
        ingest.hold(settings_in(tmp_path, name))
    plain = ArchiveWriter.append

    def fails(self: ArchiveWriter, entries: object) -> int:
        if "ada" in str(self.folder):
            raise error
        return plain(self, entries)  # type: ignore[arg-type]

    monkeypatch.setattr(ArchiveWriter, "append", fails)
    for writer in ingest._writers.values():
        monkeypatch.setattr(writer._batches, "_before", writer.archive.append)
    drain(ingest)
    assert list(ingest.failures) == ["ada"]
    assert isinstance(ingest.failures["ada"], told)
    assert "'ada'" in str(ingest.failures["ada"])
    assert contents(settings_in(tmp_path, "ben")) == {"first"}
    monkeypatch.undo()
    ingested(redis, settings_in(tmp_path, "ada"))
    assert contents(settings_in(tmp_path, "ada")) == {"first"}


@pytest.fixture
def keeper(redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpaceKeeper]:
    """Keeps a space whose write-ahead log is always too large."""
    monkeypatch.setattr("mnemolog.workers.writer.housekeeper.WAL_PENDING_BYTES", 1)
    monkeypatch.setattr("mnemolog.workers.writer.housekeeper.WAL_FILE_BYTES", 1)
    append(redis, [created(), *messages(50)])
    writer = SpaceWriter(space, Stream(redis, "default"), SmallEmbedder())
    writer.open()
    keeper = SpaceKeeper(writer)
    yield keeper
    keeper.close()
    writer.close()


def test_a_reader_that_takes_its_time_holds_up_nobody(keeper: SpaceKeeper, space: Settings) -> None:
    reader = open_reader(space.file)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM nodes").get == 0
    writer = keeper._writer
    writer.fold(writer.stream.range(writer.position, 100))
    begun = time.monotonic()
    keeper.tidy(idle=False)
    assert time.monotonic() - begun < 5
    assert keeper._wal_bytes()[1] > 0
    reader.execute("COMMIT")
    reader.close()
    keeper.tidy(idle=False)
    assert keeper._wal_bytes()[1] == 0


def test_the_archive_is_synced_before_anything_is_moved_into_the_file(
    keeper: SpaceKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = keeper._writer
    done: list[str] = []

    def told(name: str, step: Callable[..., object]) -> Callable[..., object]:
        def recorded(*given: object) -> object:
            done.append(str(given[0]) if name == "checkpoint" else name)
            return step(*given)

        return recorded

    with monkeypatch.context() as patch:
        patch.setattr(writer.archive, "sync", told("sync", writer.archive.sync))
        patch.setattr(keeper, "_checkpoint", told("checkpoint", keeper._checkpoint))
        writer.fold(writer.stream.range(writer.position, 100))
        keeper.tidy(idle=False)
    moves = [index for index, step in enumerate(done) if step in {"PASSIVE", "RESTART"}]
    assert len(moves) == 2
    assert all(done[index - 1] == "sync" for index in moves)


class MoodyEmbedder(SmallEmbedder):
    """Fails until it is told to stop failing."""

    fails = True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.fails:
            raise ValueError("no idea")
        return super().embed(texts)


def test_an_embedder_that_fails_delays_vectors_and_nothing_else(
    redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.housekeeper.RETRY_S", 0.02)
    append(redis, [created(), *messages(50)])
    embedder = MoodyEmbedder()
    ingest = Ingest(redis, embedder)
    ingest.hold(space)
    ingest._writers["default"].archive._segment_bytes = 1_000
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: len(contents(space)) == 50)
        wait_until(lambda: list(space.archive.glob("*.gz")), what="a sealed segment")
        assert missing_vectors(space)
        embedder.fails = False
        wait_until(lambda: not missing_vectors(space))
    finally:
        stop.set()
        thread.join()
    assert caplog.text.count("no idea") == 1
    assert sound(space)


def test_a_writer_beside_another_task_hands_on_what_ended_it(
    redis: redis_py.Redis, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> int:
        raise ZeroDivisionError

    def working_beside() -> None:
        with background_writer(space, redis, SmallEmbedder(), JobLimits()) as check:
            wait_until(check)

    monkeypatch.setattr(Ingest, "turn", defect)
    with pytest.raises(ZeroDivisionError):
        working_beside()
    monkeypatch.undo()
    append(redis, [created(), newer()])
    with pytest.raises(NewerEvent):
        working_beside()


def test_a_writer_that_waits_for_its_last_vectors_keeps_its_lease(
    redis: redis_py.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.ingest.DRAIN_S", 1.6)
    space = settings_in(tmp_path, lease_s=1.0)
    append(redis, [created(), said("a")])
    ingest = Ingest(redis, MoodyEmbedder())
    ingest.hold(space)
    thread = threading.Thread(target=drain, args=(ingest,))
    thread.start()
    renewed: set[int] = set()
    while thread.is_alive():
        for pid, renewed_at in rows(space.file, "SELECT pid, renewed_at FROM lease"):
            assert pid == 0 or lease.now_ms() - renewed_at < 1_000
            renewed.add(renewed_at)
    thread.join()
    assert len(renewed) > 4


# ---- many spaces -----------------------------------------------------------------------------------------------------


def test_leases_are_kept_while_redis_is_away(
    redis: redis_py.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.ingest.INSPECT_S", 0.0)
    ingest = Ingest(redis, SmallEmbedder())
    spaces = [settings_in(tmp_path, f"s{number}", lease_s=1.0) for number in range(8)]
    for settings in spaces:
        append(redis, [created(settings.space), said("a")], settings.space)
        ingest.hold(settings)

    def away(*_: object, **__: object) -> None:
        raise redis_py.ConnectionError("Connection refused")

    def lives() -> bool:
        for writer in ingest._writers.values():
            assert lease.is_live(lease.read(writer.connection), 1.0)
        return True

    until = time.monotonic() + 1.6
    with monkeypatch.context() as patch:
        patch.setattr(redis, "execute_command", away)
        while time.monotonic() < until:
            ingest.turn(1)
            assert lives()
    drain(ingest)
    assert all(contents(settings) == {"a"} for settings in spaces)


@pytest.mark.usefixtures("quick")
def test_a_key_that_is_no_stream_holds_up_its_own_space_only(
    redis: redis_py.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.ingest.SET_ASIDE_S", 0.05)
    ingest = Ingest(redis, SmallEmbedder())
    for name in ("ada", "ben"):
        append(redis, [created(name), said("first")], name)
        ingest.hold(settings_in(tmp_path, name))
    redis.delete(keys.stream("ada"))
    redis.set(keys.stream("ada"), "not a stream")
    for _ in range(5):
        ingest.turn(1)
    assert contents(settings_in(tmp_path, "ben")) == {"first"}
    assert caplog.text.count("WRONGTYPE") == 1
    redis.delete(keys.stream("ada"))
    append(redis, [created("ada"), said("again")], "ada")
    wait_until(lambda: ingest.turn(1) or contents(settings_in(tmp_path, "ada")))
    drain(ingest)
    assert contents(settings_in(tmp_path, "ada")) == {"again"}
    assert ingest.failures == {}


def test_one_process_serves_fifty_spaces_and_the_failing_ones_leave_the_others_alone(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    names = [f"s{number:02d}" for number in range(50)]
    spaces = {name: settings_in(tmp_path, name) for name in names}
    for name in names:
        append(redis, [created(name), said("first")], name)
    spaces["s07"].folder.mkdir(parents=True)
    spaces["s07"].file.write_bytes(b"\x55" * 8192)
    append(redis, [newer()], "s11")
    redis.xtrim(keys.stream("s13"), maxlen=1, approximate=False)
    with start_cli("--data", tmp_path, "--redis", redis_url, "--space", "s00", "ingest", *names[1:]) as writer:
        wait_until(lambda: all(contents(spaces[name]) for name in names if name not in {"s07", "s13"}), 30.0)
        writer.wait_for("space 's07'")
        writer.wait_for("space 's11' stops before")
        writer.wait_for("stream of space 's13' was trimmed by others")
        redis.delete(keys.stream("s17"))
        append(redis, [created("s17", salt="77" * 16)], "s17")
        writer.wait_for("stream of space 's17' was replaced")
        failed = {"s07", "s11", "s13", "s17"}
        for name in names:
            append(redis, [said("second")], name)
        wait_until(lambda: all("second" in contents(spaces[name]) for name in names if name not in failed), 30.0)
        assert contents(spaces["s11"]) == contents(spaces["s17"]) == {"first"}
        writer.interrupt()
        assert writer.wait() != 0
        assert "Traceback" not in writer.output
    assert all(sound_in_full(spaces[name]) for name in ("s00", "s11", "s49"))


def sound_in_full(space: Settings) -> bool:
    result = run_cli("--data", space.data, "--space", space.space, "replay", "--verify", "--json")
    return json.loads(result.stdout)["equal"] is True


# ---- newer events ----------------------------------------------------------------------------------------------------


def test_a_newer_event_stops_its_space_by_name_until_it_is_parked(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    at = ("--data", tmp_path, "--redis", redis_url)
    ada, ben = settings_in(tmp_path, "ada"), settings_in(tmp_path, "ben")
    for name in ("ada", "ben"):
        append(redis, [created(name), said("before")], name)
    append(redis, [newer(), said("after")], "ada")
    stuck = redis.xrange(keys.stream("ada"))[2][0].decode()
    with start_cli(*at, "--space", "ada", "ingest", "ben") as writer:
        writer.wait_for(f"space 'ada' stops before {stuck}")
        assert f"mnemolog --space ada dead-letters park {stuck}" in writer.output
        wait_until(lambda: contents(ada) == {"before"})
        append(redis, [said("later")], "ben")
        wait_until(lambda: "later" in contents(ben))
        writer.interrupt()
        assert writer.wait() == 5
    assert run_cli(*at, "--space", "ada", "ingest").returncode == 5
    assert run_cli(*at, "--space", "ada", "dead-letters", "park", stuck).returncode == 0
    with start_cli(*at, "--space", "ada", "ingest") as writer:
        wait_until(lambda: "after" in contents(ada))
        writer.interrupt()
        assert writer.wait() == 0, writer.output
    assert rows(ada.file, "SELECT reason FROM dead_letters") == [("newer_version",)]
    assert sound_in_full(ada)


def test_a_newer_event_that_the_archive_alone_has_is_parked_too(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    at = ("--data", tmp_path, "--redis", redis_url, "--space", "ada")
    ada = settings_in(tmp_path, "ada")
    append(redis, [created("ada"), said("before"), newer(), said("after")], "ada")
    stuck = redis.xrange(keys.stream("ada"))[2][0].decode()
    assert run_cli(*at, "replay").returncode == 5
    redis.delete(keys.stream("ada"))
    assert run_cli(*at, "ingest").returncode == 5
    assert redis.xrange(keys.stream("ada"), stuck, stuck) == []
    assert "has an entry at 1-1" in run_cli(*at, "dead-letters", "park", "1-1").stderr
    assert run_cli(*at, "dead-letters", "park", stuck).returncode == 0
    with start_cli(*at, "ingest") as writer:
        wait_until(lambda: contents(ada) == {"before", "after"})
        writer.interrupt()
        assert writer.wait() == 0, writer.output
    assert rows(ada.file, "SELECT reason FROM dead_letters") == [("newer_version",)]
    assert sound_in_full(ada)


def test_what_stands_before_a_newer_event_is_folded_and_nothing_after_it(
    redis: redis_py.Redis, space: Settings
) -> None:
    append(redis, [created(), said("before"), newer(), said("after")])
    for _ in range(2):
        with pytest.raises(NewerEvent):
            ingested(redis, space)
        assert contents(space) == {"before"}


def test_a_space_that_was_given_up_is_not_taken_again_by_the_same_process(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    for name in ("default", "ada"):
        append(redis, [created(name), said("before")], name)
    append(redis, [newer(), said("after")], "ada")
    with start_cli("--data", tmp_path, "--redis", redis_url, "ingest", "--all") as writer:
        writer.wait_for("mnemolog: space 'ada' stops before")
        append(redis, [created("ben"), said("new")], "ben")
        writer.wait_for("writing space ben")
        wait_until(lambda: contents(settings_in(tmp_path, "ben")))
        assert writer.output.count("writing space ada") == 1
        assert rows(settings_in(tmp_path, "ada").file, "SELECT epoch FROM lease") == [(1,)]
        writer.interrupt()
        assert writer.wait() == 5


# ---- large messages --------------------------------------------------------------------------------------------------


def peak_mb(process: Process) -> float:
    """The most memory that a process has had, as the kernel counts it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def memory_for(client: redis_py.Redis, url: str, data: Path, bodies: list[bytes]) -> float:
    client.flushall()
    append(client, [created(), *bodies])
    space = settings_in(data)
    with start_cli("--data", data, "--redis", url, "ingest") as writer:
        wait_until(lambda: len(contents(space)) == len(bodies), 30.0)
        wait_until(lambda: not missing_vectors(space), 30.0, "vectors")
        peak = peak_mb(writer)
        writer.interrupt()
        assert writer.wait() == 0
    return peak


def missing_vectors(space: Settings) -> bool:
    nodes = rows(space.file, "SELECT count(*) FROM nodes")
    return nodes != rows(space.file, "SELECT count(*) FROM vectors_1")


def test_a_message_of_a_megabyte_among_short_ones_takes_little_more_memory(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    short = messages(1_000)
    large = said("large", "Rust and rain in Lisbon. " * 40_000)
    without = memory_for(redis, redis_url, tmp_path / "without", short)
    with_it = memory_for(redis, redis_url, tmp_path / "with", [*short[:500], large, *short[500:]])
    assert len(large) > 1_000_000
    assert with_it - without < 100, (without, with_it)


def test_many_large_messages_are_read_a_few_at_a_time(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> None:
    large = [said(f"large-{number}", f"{number} " + "Rust and rain in Lisbon. " * 40_000) for number in range(100)]
    assert memory_for(redis, redis_url, tmp_path, large) < 500


# ---- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [2, 15])
def test_a_writer_that_is_asked_to_stop_folds_and_indexes_what_was_published(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path, space: Settings, signal: int
) -> None:
    append(redis, [created()])
    with start_cli("--data", tmp_path, "--redis", redis_url, "ingest") as writer:
        writer.wait_for("Ctrl-C")
        append(redis, messages(3_000))
        writer.signal(signal)
        assert writer.wait() == 0, writer.output
    assert file_hashes(space.file).position == top(redis)
    assert not missing_vectors(space)
    assert rows(space.file, "SELECT pid FROM lease") == [(0,)]
    assert not redis.exists(keys.progress("default"))


def test_a_writer_that_cannot_give_back_one_thing_gives_back_the_rest(
    redis: redis_py.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    for name in ("ada", "ben"):
        append(redis, [created(name), said("first")], name)
        ingest.hold(settings_in(tmp_path, name))

    def fails(*_: object) -> None:
        raise StaleWriter("the file is another's")

    monkeypatch.setattr(ingest._housekeeper, "remove", fails)
    drain(ingest)
    for name in ("ada", "ben"):
        assert rows(settings_in(tmp_path, name).file, "SELECT pid FROM lease") == [(0,)]
