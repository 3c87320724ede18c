"""Writers and servers killed at random moments: every event once, in order, and replay agrees."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, wait_until
from support.stories import (
    append,
    created,
    file_hashes,
    folded,
    hashes_of,
    ingested,
    log_of,
    messages,
    rows,
    settings_in,
    top,
)

from mnemolog.schema import archive, keys
from mnemolog.schema.codec import decode
from mnemolog.schema.endpoint import RedisFolder, find_embedded
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings

EVENTS = 16_000
KILLS = 20
HELD = 7


def deliveries(bodies: list[bytes], chance: random.Random) -> list[bytes]:
    """The events in an order of their own, about one in ten delivered again, nearby or much later."""
    order = sorted(range(len(bodies)), key=lambda number: number + chance.random() * 40)
    told = [bodies[number] for number in order]
    for _ in range(len(bodies) // 10):
        source = chance.randrange(len(told))
        told.insert(min(len(told), source + chance.choice([1, 3, 500, 9_000])), told[source])
    return told


def let_pass(seconds: float) -> None:
    """Waits for a moment that was drawn: the kill must come at no state that anybody chose."""
    moment = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= moment)


class Arena:
    """Two places for writers of one space: who is started while another writes has to go again."""

    def __init__(self, space: Settings, url: str, chance: random.Random) -> None:
        self._space = space
        self._command = ("--data", space.data, "--redis", url, "ingest")
        self._chance = chance
        self._writers: list[Process] = []
        self.kills = 0
        self.refusals = 0

    def start(self) -> None:
        """Fills the places; a rival that was refused makes room for the next."""
        for process in [process for process in self._writers if not process.is_running]:
            assert process.wait() == HELD, process.output
            assert "is held by process" in process.output
            self.refusals += 1
            self._drop(process)
        while len(self._writers) < 2:
            self._writers.append(start_cli(*self._command))

    def _drop(self, process: Process) -> None:
        self._writers.remove(process)
        process.__exit__(None, None, None)

    def holder(self) -> Process | None:
        """The process that has the lease, if it is one of these and running."""
        pid = [row[0] for row in rows(self._space.file, "SELECT pid FROM lease")]
        return next((process for process in self._writers if process.pid in pid and process.is_running), None)

    def kill_the_writer(self) -> None:
        """Waits for a writer, lets it work for a random while, and kills it."""
        holder = wait_until(self.holder, 20.0, "a writer")
        let_pass(self._chance.random() * 0.2)
        assert holder.is_running, holder.output
        holder.kill()
        self._drop(holder)
        self.kills += 1

    def close(self) -> None:
        for process in list(self._writers):
            self._drop(process)


@pytest.fixture
def space(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "data")


@pytest.fixture
def arena(space: Settings, redis_url: str) -> Iterator[Arena]:
    arena = Arena(space, redis_url, random.Random(20))
    yield arena
    arena.close()


def position(space: Settings) -> Position:
    return Position(*rows(space.file, "SELECT position_ms, position_seq FROM space")[0])


def whole(client: redis_py.Redis, space: Settings) -> None:
    """Archive and stream hold the same entries, each once and in order."""
    stream = [Position.parse(position) for position, _ in client.xrange(keys.stream("default"))]
    assert [entry.position for entry in archive.read(space.archive)] == stream
    assert archive.count(space.archive) == len(stream)
    assert archive.check(space.archive) == []


@pytest.mark.timeout(240)
def test_writers_killed_again_and_again_fold_every_event_once(
    redis: redis_py.Redis, redis_url: str, space: Settings, arena: Arena, tmp_path: Path
) -> None:
    chance = random.Random(6)
    bodies = messages(EVENTS, seed=6, sessions=40, words=180)
    told = [created(), *deliveries(bodies, chance)]
    backlog = len(told) // 3
    share = (len(told) - backlog) // KILLS + 1
    append(redis, told[:backlog])
    for start in range(backlog, len(told), share):
        append(redis, told[start : start + share])
        arena.start()
        arena.kill_the_writer()
    assert arena.kills >= 18
    assert arena.refusals > 0
    arena.close()

    with start_cli("--data", space.data, "--redis", redis_url, "ingest") as writer:
        wait_until(lambda: position(space) == top(redis), 60.0, "the last writer to catch up")
        wait_until(lambda: len(list(space.archive.glob("*.gz"))) > 1, 30.0, "the full segments to be sealed")
        writer.interrupt()
        assert writer.wait() == 0, writer.output

    assert rows(space.file, "SELECT count(*), count(DISTINCT event_id) FROM nodes") == [(EVENTS, EVENTS)]
    assert rows(space.file, "SELECT count(*) FROM events") == [(EVENTS + 1,)]
    assert rows(space.file, "SELECT * FROM dead_letters") == []
    assert rows(space.file, "SELECT epoch > ? FROM lease", KILLS) == [(1,)]
    whole(redis, space)
    undisturbed = folded(tmp_path / "undisturbed.db", log_of([created(), *bodies]))
    assert file_hashes(space.file).content_hash == hashes_of(undisturbed).content_hash
    undisturbed.close()
    for command in (("verify", "--json"), ("replay", "--verify", "--json")):
        result = run_cli("--data", space.data, *command)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        assert found.get("equal", found.get("ok")) is True


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server does not outlive a test that fails."""
    yield tmp_path / "data"
    if find_embedded(tmp_path / "data") is not None:
        server_of(tmp_path / "data").kill()


def test_an_embedded_server_killed_under_its_writer_loses_nothing(data: Path, tmp_path: Path) -> None:
    bodies = messages(3_000, seed=7)
    lines = tmp_path / "told.jsonl"
    lines.write_text("".join(map(line, bodies)), encoding="utf-8")
    with start_cli("--data", data, "up") as writer:
        writer.wait_for("mnemolog is up")
        with start_cli("--data", data, "import", lines) as importer:
            file = settings_in(data).file
            wait_until(lambda: len(rows(file, "SELECT 1 FROM nodes")) > 300, 20.0)
            server_of(data).kill()
            importer.wait()
        writer.wait_for("trying again")
        # The next command that needs the server starts it again, at the place where the writer looks for it.
        assert run_cli("--data", data, "import", lines).returncode == 0
        waited = run_cli("--data", data, "wait", "--timeout", "50")
        assert waited.returncode == 0, waited.stderr + writer.output
        writer.interrupt()
        assert writer.wait() == 0, writer.output
    assert rows(file, "SELECT count(*), count(DISTINCT event_id) FROM nodes") == [(3_000, 3_000)]
    assert rows(file, "SELECT * FROM dead_letters") == []
    result = run_cli("--data", data, "replay", "--verify", "--json")
    assert json.loads(result.stdout)["equal"] is True
    assert find_embedded(data) is None


def test_a_replay_killed_at_any_moment_leaves_a_whole_file(
    redis: redis_py.Redis, redis_url: str, space: Settings
) -> None:
    chance = random.Random(8)
    append(redis, [created(), *messages(6_000, seed=8)])
    ingested(redis, space)
    before = file_hashes(space.file)
    side = space.file.with_name("rebuild.db")
    for _ in range(8):
        with start_cli("--data", space.data, "--redis", redis_url, "replay") as replay:
            wait_until(lambda: side.exists() or not replay.is_running)
            let_pass(chance.random() * 1.2)
            replay.kill()
        assert file_hashes(space.file) == before
    result = run_cli("--data", space.data, "--redis", redis_url, "replay", "--json")
    assert json.loads(result.stdout)["equal"] is True, result.stderr
    assert file_hashes(space.file) == before
    assert run_cli("--data", space.data, "verify").returncode == 0
    assert sorted(path.name for path in space.folder.iterdir()) == ["archive", "space.db"]


def line(body: bytes) -> str:
    """A line to import of a message."""
    event = decode(body)
    payload = event.payload
    assert isinstance(payload, MessagePublished)
    return (
        json.dumps(
            {
                "id": event.id,
                "session": payload.session,
                "role": payload.role,
                "content": payload.content,
                "at": payload.occurred_at,
            }
        )
        + "\n"
    )


def server_of(data: Path) -> psutil.Process:
    record = RedisFolder(data).record()
    assert record is not None
    assert record.pid is not None
    return psutil.Process(record.pid)
