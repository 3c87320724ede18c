"""One writer per space: who holds it, who takes it over, and who is refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import apsw
import psutil
import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, start_python, wait_until
from support.stories import (
    SmallEmbedder,
    append,
    contents,
    created,
    drain,
    ingested,
    messages,
    rows,
    said,
    top,
)

from mnemolog.schema import archive, keys
from mnemolog.schema.errors import SpaceHeld, StaleWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.housekeeper import SpaceKeeper
from mnemolog.workers.writer.ingest import Ingest
from mnemolog.workers.writer.space_file import immediate, open_for_writing
from mnemolog.workers.writer.space_writer import SpaceWriter


@pytest.fixture
def stream(redis: redis_py.Redis) -> Stream:
    append(redis, [created(), *messages(20)])
    return Stream(redis, "default")


def writer_of(space: Settings, stream: Stream) -> SpaceWriter:
    writer = SpaceWriter(space, stream, SmallEmbedder())
    writer.open()
    return writer


def hand_over(space: Settings, **holder: object) -> None:
    """Writes another holder into the lease, as that one would have."""
    connection = open_for_writing(space.file)
    with immediate(connection):
        for column, value in holder.items():
            connection.execute(f"UPDATE lease SET {column} = ?", (value,))
    connection.close()


# ---- who may have it ---------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_holds_the_space(stream: Stream, space: Settings) -> None:
    writer = writer_of(space, stream)
    with pytest.raises(SpaceHeld, match=rf"held by process {os.getpid()} on {socket.gethostname()}"):
        writer_of(space, stream)
    writer.close()
    writer_of(space, stream).close()


def test_each_holder_gets_a_higher_epoch(stream: Stream, space: Settings) -> None:
    epochs = []
    for _ in range(3):
        writer = writer_of(space, stream)
        epochs.append(writer.epoch)
        writer.close()
    assert epochs == [1, 2, 3]


def test_a_dead_process_holds_nothing(stream: Stream, space: Settings) -> None:
    writer_of(space, stream).close()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    hand_over(space, pid=gone.pid, host=socket.gethostname(), renewed_at=lease.now_ms())
    writer_of(space, stream).close()


def test_a_dead_process_that_nobody_reaped_holds_nothing(stream: Stream, space: Settings) -> None:
    writer_of(space, stream).close()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(zombie.pid)
    started = int(process.create_time() * 1000)
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    hand_over(space, pid=zombie.pid, host=socket.gethostname(), process_started_at=started, renewed_at=lease.now_ms())
    writer_of(space, stream).close()
    zombie.wait()


def test_another_process_with_the_number_of_the_dead_one_holds_nothing(stream: Stream, space: Settings) -> None:
    writer_of(space, stream).close()
    me = lease.this_process()
    hand_over(space, pid=me.pid, host=me.host, process_started_at=me.process_started_at, renewed_at=lease.now_ms())
    with pytest.raises(SpaceHeld):
        writer_of(space, stream)
    hand_over(space, process_started_at=me.process_started_at - 60_000)
    writer_of(space, stream).close()


def test_a_holder_on_another_machine_is_believed_until_its_lease_is_over(stream: Stream, space: Settings) -> None:
    writer_of(space, stream).close()
    hand_over(space, pid=1, host="elsewhere", renewed_at=lease.now_ms() - 9_000)
    with pytest.raises(SpaceHeld, match="process 1 on elsewhere"):
        writer_of(space, stream)
    hand_over(space, renewed_at=lease.now_ms() - 11_000)
    writer_of(space, stream).close()


def test_a_holder_in_a_transaction_that_does_not_end_is_named(
    stream: Stream, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(space, stream)
    monkeypatch.setattr("mnemolog.workers.writer.space_file.BUSY_TIMEOUT_MS", 50)
    with writer.transaction(), pytest.raises(SpaceHeld, match="in the middle of a transaction"):
        writer_of(space, stream)
    writer.close()


# ---- who is refused ------------------------------------------------------------------------------------------------


@pytest.fixture
def stale(stream: Stream, space: Settings) -> SpaceWriter:
    """A writer that was taken for dead and replaced; the space is free again."""
    writer = writer_of(space, stream)
    hand_over(space, renewed_at=0)
    writer_of(space, stream).close()
    return writer


def test_a_writer_that_was_replaced_can_commit_nothing(
    redis: redis_py.Redis, stale: SpaceWriter, space: Settings
) -> None:
    archived = archive.count(space.archive)
    append(redis, [said("late")])
    entries = stale.stream.range(stale.position, 10)
    with pytest.raises(StaleWriter, match="taken over by process"):
        stale.fold(entries)
    with pytest.raises(StaleWriter), stale.transaction():
        pytest.fail("a stale writer got a transaction")
    stale._renewed = -1e9
    with pytest.raises(StaleWriter):
        stale.renew_if_due()
    assert "late" not in contents(space)
    assert archive.count(space.archive) == archived
    stale.close()


def test_a_writer_that_was_replaced_cannot_make_vectors_or_seal_its_successors_segment(
    redis: redis_py.Redis, stale: SpaceWriter, space: Settings, stream: Stream
) -> None:
    keeper = SpaceKeeper(stale)
    stale.archive._segment_bytes = 0
    with pytest.raises(StaleWriter):
        keeper.tidy(idle=False)
    successor = writer_of(space, stream)
    append(redis, [said("later")])
    successor.fold(stream.range(successor.position, 100))
    with pytest.raises(StaleWriter):
        keeper.index_some(SmallEmbedder())
    assert [path.name for path in space.archive.iterdir()] == ["00000001.jsonl"]
    last = archive.last_entry(space.archive)
    assert last is not None
    assert last.position == top(redis)
    keeper.close()
    stale.close()
    successor.close()


def test_a_writer_that_gives_back_late_does_not_free_what_is_anothers(
    stale: SpaceWriter, space: Settings, stream: Stream
) -> None:
    successor = writer_of(space, stream)
    stale.close()
    with pytest.raises(SpaceHeld):
        writer_of(space, stream)
    successor.close()


def test_a_rebuilt_file_refuses_the_writer_that_was_running(
    redis: redis_py.Redis, stream: Stream, space: Settings
) -> None:
    ingested(redis, space)
    writer = writer_of(space, stream)
    epoch = writer.epoch
    hand_over(space, renewed_at=0)
    result = replay.replay(space, stream, SmallEmbedder(), progress=lambda _: None)
    assert result.equal is True
    append(redis, [said("late")])
    with pytest.raises(StaleWriter):
        writer.fold(stream.range(Position(0, 0), 1_000)[-1:])
    assert rows(space.file, "SELECT epoch FROM lease") == [(epoch + 2,)]
    assert "late" not in contents(space)
    writer.close()


def test_a_replay_that_was_replaced_while_it_built_does_not_swap(
    redis: redis_py.Redis, stream: Stream, space: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested(redis, space)

    def taken_meanwhile(*args: object) -> None:
        hand_over(space, renewed_at=0)
        successor = writer_of(space, stream)
        append(redis, [said("later")])
        successor.fold(stream.range(successor.position, 10))
        successor.close()

    monkeypatch.setattr(replay, "index_vectors", taken_meanwhile)
    with pytest.raises(StaleWriter):
        replay.replay(space, stream, SmallEmbedder(), progress=lambda _: None)
    assert "later" in contents(space)
    assert sorted(path.name for path in space.folder.glob("*.db")) == ["space.db"]


def test_replay_waits_for_no_writer_and_names_it(stream: Stream, space: Settings) -> None:
    writer = writer_of(space, stream)
    with pytest.raises(SpaceHeld, match="held by process"):
        replay.replay(space, stream, SmallEmbedder(), progress=lambda _: None)
    writer.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_writer_whose_file_is_gone_says_so_and_stops(
    redis: redis_py.Redis, stream: Stream, space: Settings, tmp_path: Path, how: str
) -> None:
    ingest = Ingest(redis, SmallEmbedder())
    ingest.hold(space)
    if how == "removed":
        for path in space.folder.glob("space.db*"):
            path.unlink()
    else:
        apsw.Connection(str(tmp_path / "other.db")).close()
        (tmp_path / "other.db").touch()
        (tmp_path / "other.db").replace(space.file)
    append(redis, [said("later")])
    drain(ingest, lambda: bool(ingest.failures))
    assert isinstance(ingest.failures["default"], StaleWriter)
    assert "removed or replaced" in str(ingest.failures["default"])
    for path in space.folder.glob("space.db*"):
        path.unlink()
    ingested(redis, space)
    assert len(contents(space)) == 21


# ---- real processes ------------------------------------------------------------------------------------------------


def start(url: str, data: Path, lease_s: float = 10.0) -> Process:
    return start_cli("--data", data, "--redis", url, "ingest", env={"MNEMOLOG_LEASE_S": str(lease_s)})


def test_of_two_writers_started_together_one_writes_and_the_other_says_who(
    stream: Stream, redis_url: str, tmp_path: Path, space: Settings
) -> None:
    with start(redis_url, tmp_path) as one, start(redis_url, tmp_path) as other, start(redis_url, tmp_path) as third:
        trio = [one, other, third]
        wait_until(lambda: sum(process.is_running for process in trio) == 1)
        (winner,) = [process for process in trio if process.is_running]
        for loser in trio:
            if loser is not winner:
                assert loser.wait() == 7
                assert f"is held by process {winner.pid} on {socket.gethostname()}" in loser.output
                assert "Traceback" not in loser.output
        wait_until(lambda: len(contents(space)) == 20)
        winner.interrupt()
        assert winner.wait() == 0, winner.output


def test_a_killed_writer_is_replaced_at_once(
    redis: redis_py.Redis, stream: Stream, redis_url: str, tmp_path: Path, space: Settings
) -> None:
    with start(redis_url, tmp_path, 600.0) as one:
        one.wait_for("writing space")
        one.kill()
    append(redis, [said("later")])
    with start(redis_url, tmp_path, 600.0):
        wait_until(lambda: "later" in contents(space))


def test_a_stopped_writer_is_replaced_after_its_lease_and_refused_when_it_goes_on(
    redis: redis_py.Redis, stream: Stream, redis_url: str, tmp_path: Path, space: Settings
) -> None:
    with start(redis_url, tmp_path, 1.0) as stopped:
        wait_until(lambda: len(contents(space)) == 20)
        stopped.pause()
        append(redis, [said("while-stopped")])
        early = run_cli("--data", tmp_path, "--redis", redis_url, "ingest", env={"MNEMOLOG_LEASE_S": "600"})
        assert early.returncode == 7
        wait_until(lambda: not lease.is_live(lease_of(space), 1.0))
        with start(redis_url, tmp_path, 1.0) as successor:
            wait_until(lambda: "while-stopped" in contents(space))
            stopped.resume()
            assert stopped.wait() == 8, stopped.output
            assert f"taken over by process {successor.pid}" in stopped.output
            assert "Traceback" not in stopped.output
            append(redis, [said("afterwards")])
            wait_until(lambda: "afterwards" in contents(space))
            successor.interrupt()
            assert successor.wait() == 0, successor.output
    assert rows(space.file, "SELECT count(*), count(DISTINCT event_id) FROM nodes") == [(22, 22)]
    assert archive.count(space.archive) == redis.xlen(keys.stream("default"))
    assert replay.verify(space, SmallEmbedder(), progress=lambda _: None).equal is True


def lease_of(space: Settings) -> lease.Lease:
    epoch, host, pid, started, renewed_at = rows(
        space.file, "SELECT epoch, host, pid, process_started_at, renewed_at FROM lease"
    )[0]
    return lease.Lease(epoch, lease.Holder(host, pid, started), renewed_at)


def test_an_idle_writer_keeps_a_short_lease(
    redis: redis_py.Redis, stream: Stream, redis_url: str, tmp_path: Path, space: Settings
) -> None:
    with start(redis_url, tmp_path, 1.0) as writer:
        wait_until(lambda: len(contents(space)) == 20)
        seen: set[int] = set()

        def renewed_often() -> bool:
            assert lease.is_live(lease_of(space), 1.0)
            seen.add(lease_of(space).renewed_at)
            return len(seen) > 5

        wait_until(renewed_often)
        writer.interrupt()
        assert writer.wait() == 0


#: Takes the space, says so, and stands still in the middle of a transaction with a row that is not committed.
MID_COMMIT = """
import sys
from pathlib import Path
from support.stories import SmallEmbedder, settings_in
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.stream import Stream
from mnemolog.workers.writer.space_writer import SpaceWriter
space = settings_in(Path(sys.argv[2]))
writer = SpaceWriter(space, Stream(log_client(sys.argv[1]), "default"), SmallEmbedder())
writer.open()
def stand(*_):
    print("in the middle", flush=True)
    sys.stdin.read()
    import time
    time.sleep(60)
writer._batches._advance = stand
writer.fold(writer.stream.range(writer.position, 100))
"""


def test_a_writer_killed_between_archive_and_commit_leaves_no_half_batch(
    redis: redis_py.Redis, stream: Stream, redis_url: str, tmp_path: Path, space: Settings
) -> None:
    tests = str(Path(__file__).parents[1])
    with start_python(MID_COMMIT, redis_url, tmp_path, env={"PYTHONPATH": tests}) as doomed:
        doomed.wait_for("in the middle")
        assert archive.count(space.archive) == 21
        assert contents(space) == set()
        doomed.signal(signal.SIGKILL)
        doomed.wait()
    ingested(redis, space)
    assert len(contents(space)) == 20
    assert archive.count(space.archive) == 21
