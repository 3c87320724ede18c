"""The doctor: each thing that can be wrong, made so, is named, and mended where that is safe."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import redis as redis_py
from click.testing import CliRunner
from support.folding import Memory
from support.stories import (
    BEGIN_MS,
    SmallEmbedder,
    append,
    created,
    event,
    ingested,
    messages,
    problems,
    said,
)

from mnemolog.gateway.cli.main import cli
from mnemolog.projections.checkup import file as checkup_file
from mnemolog.projections.checkup import redis as checkup_redis
from mnemolog.projections.erasing import plan_file
from mnemolog.schema import keys
from mnemolog.schema.endpoint import RedisFolder, ServerRecord
from mnemolog.schema.events import SessionClosed
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.times import DAY, MINUTE
from mnemolog.workers import checkup
from mnemolog.workers.embedded import embedded_redis
from mnemolog.workers.engines import budget
from mnemolog.workers.erasing import plans
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.space_file import immediate, open_for_writing
from mnemolog.workers.writer.space_writer import SpaceWriter

Finding = dict[str, Any]


@pytest.fixture
def lived(redis: redis_py.Redis, space: Settings) -> Settings:
    """A space with messages, all of them folded, and nothing wrong."""
    space.data.chmod(0o700)
    space.folder.parent.mkdir(mode=0o700)
    append(redis, [created(), *messages(20)])
    ingested(redis, space)
    return space


@pytest.fixture
def examine(redis_url: str, lived: Settings) -> Callable[..., dict[str, Finding]]:
    """Runs the command and gives what it found by name; `status` is what it must end with."""

    def run(*options: str, status: int = 0, url: str | None = redis_url, **env: str) -> dict[str, Finding]:
        given = ["--data", str(lived.data)] + (["--redis", url] if url else [])
        done = CliRunner().invoke(cli, [*given, "doctor", "--json", *options], env=env)
        assert done.exit_code == status, (done.output, done.exception)
        told = json.loads(done.stdout)
        assert told["ok"] == (status == 0)
        return {finding["name"]: finding for finding in told["findings"]}

    return run


Examine = Callable[..., dict[str, Finding]]


@contextmanager
def writing(space: Settings) -> Iterator[apsw.Connection]:
    """A hand that changes the file without the writer."""
    with closing(open_for_writing(space.file)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        with immediate(connection):
            yield connection


def test_a_sound_space_has_no_problem_and_no_warning(examine: Examine, lived: Settings) -> None:
    found = examine()
    assert {name: one for name, one in found.items() if one["state"] != "ok"} == {}
    assert {"redis", "clocks", "archive", "full text", "vectors", "orphans", "lease", "side files"} <= set(found)
    shown = CliRunner().invoke(cli, ["--data", str(lived.data), "doctor"])
    assert "0 problem(s), 0 warning(s)" in shown.stdout


def test_looking_starts_no_redis_and_makes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("nothing") / "data"
    done = CliRunner().invoke(cli, ["--data", str(data), "doctor"])
    assert done.exit_code == 0, done.output
    assert "not running: `mnemolog up` starts it" in done.stdout
    assert not data.exists()


# ---- Redis ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "name", "said_of_it"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis eviction", "throws whole streams away"),
        ("appendonly", "no", "redis persistence", "lost when Redis ends"),
        ("maxmemory", "1500000", "redis memory", "publishing is refused"),
    ],
)
def test_settings_of_redis_that_lose_events_are_problems(
    examine: Examine, redis: redis_py.Redis, setting: str, value: str, name: str, said_of_it: str
) -> None:
    before: Any = redis.config_get(setting)
    if setting == "maxmemory":
        # What is used goes up and down meanwhile.
        value = str(int(redis.info("memory")["used_memory"]) // 2)  # type: ignore[index]
    redis.config_set(setting, value)
    try:
        found = examine(status=9)[name]
    finally:
        redis.config_set(setting, *before.values())
    assert found["state"] == "problem"
    assert said_of_it in found["found"]
    assert found["mend"]


def test_durability_that_redis_does_not_give_is_a_problem(examine: Examine) -> None:
    found = examine(status=9, MNEMOLOG_DURABILITY="power")["redis persistence"]
    assert "appendfsync is everysec" in found["found"]


def test_a_redis_that_is_away_is_named_without_its_password(examine: Examine) -> None:
    found = examine(status=9, url="redis://:very-secret@localhost:1/0")["redis"]
    assert found["state"] == "problem"
    assert "very-secret" not in json.dumps(found)


def test_a_password_in_the_url_is_not_shown(redis_url: str, redis: redis_py.Redis) -> None:
    assert "very-secret" not in checkup_redis.server("redis://:very-secret@localhost", redis).found


def test_a_server_whose_socket_is_gone_is_a_problem(space: Settings) -> None:
    with embedded_redis(space.data):
        folder = RedisFolder(space.data)
        record = folder.record()
        assert isinstance(record, ServerRecord)
        socket = Path(record.socket)
        hidden = socket.rename(socket.with_name("hidden"))
        found = checkup_redis.unreached(space, None)
        hidden.rename(socket)
    assert f"process {record.pid}" in found.found
    assert "socket is gone" in found.found


def test_clocks_that_are_apart_are_named(redis: redis_py.Redis) -> None:
    now = time.time_ns() // 1_000_000
    assert checkup_redis.clock(redis, now).state == "ok"
    assert checkup_redis.clock(redis, now + 10_000).state == "warning"
    found = checkup_redis.clock(redis, now + 60 * MINUTE)
    assert found.state == "problem"
    assert "behind this machine's" in found.found


def test_an_impossible_id_at_the_top_of_the_stream_is_a_problem(examine: Examine, redis: redis_py.Redis) -> None:
    append(redis, [said("last")], ids=[f"{2**64 - 1}-{2**64 - 1}"])
    found = examine(status=9)["stream"]
    assert "impossible id" in found["found"]
    assert keys.stream("default") in found["mend"]


def test_an_id_far_in_the_future_is_a_problem(redis: redis_py.Redis, lived: Settings) -> None:
    now = time.time_ns() // 1_000_000
    append(redis, [said("later")], ids=[f"{now + 400 * DAY}-0"])
    found = checkup_redis.stream_top(Stream(redis, "default"), now)
    assert found.state == "problem"
    assert "400 days ahead" in found.found or "399 days ahead" in found.found


def test_what_is_published_and_not_folded_is_told(examine: Examine, redis: redis_py.Redis) -> None:
    append(redis, messages(25)[20:])
    found = examine()["lag"]
    assert found["state"] == "warning"
    assert "5 published and not folded" in found["found"]


def test_workers_are_counted_while_they_live(redis: redis_py.Redis) -> None:
    for name in ("rq:worker:alive", "rq:worker:dead"):
        redis.sadd("rq:workers:mnemolog-extract", name)
    redis.hset("rq:worker:alive", "birth", "now")
    assert checkup_redis.workers(redis) == {"extract": 1, "resolve": 0, "consolidate": 0}


def test_a_spent_budget_is_told(redis: redis_py.Redis) -> None:
    budget.add(redis, "default", budget.day_of(lease.now_ms()), 1_000)
    assert checkup.spent_budget(redis, "default", None).state == "ok"
    assert checkup.spent_budget(redis, "default", 5_000).state == "ok"
    assert "1,000 of 900 tokens" in checkup.spent_budget(redis, "default", 900).found


# ---- the data folder -----------------------------------------------------------------------------------------------


def test_a_folder_that_others_may_read_is_closed(examine: Examine, lived: Settings) -> None:
    lived.file.chmod(0o644)
    lived.archive.chmod(0o755)
    found = examine(status=9)["permissions"]
    assert found["fixable"]
    assert "2 paths" in found["found"]
    assert examine("--fix")["permissions"]["fixed"] == "closed 2 paths to others"
    assert lived.file.stat().st_mode & 0o777 == 0o600
    assert examine()["permissions"]["state"] == "ok"


def test_side_files_of_dead_processes_are_removed_and_those_of_living_ones_are_not(
    examine: Examine, lived: Settings
) -> None:
    (lived.folder / "known").mkdir(mode=0o700)
    (lived.folder / "snapshots").mkdir(mode=0o700)
    dead = [
        lived.folder / "verify-999999999.db",
        lived.folder / "undo-999999999.db",
        lived.folder / "rebuild.db",
        lived.folder / "known" / "9-0.building-999999999-1.db",
        lived.folder / "snapshots" / "copying-999999999.tmp",
        lived.archive / "00000001.json.tmp",
        lived.folder.parent / ".importing-default-999999999",
    ]
    alive = [lived.folder / f"verify-{os.getpid()}.db", lived.folder / "snapshots" / f"copying-{os.getpid()}.tmp"]
    for path in (*dead[:-1], *alive):
        path.touch(0o600)
    dead[-1].mkdir(mode=0o700)
    found = examine()["side files"]
    assert (found["state"], found["fixable"]) == ("warning", True)
    assert "7 files" in found["found"]
    assert "removed 7 files" in examine("--fix")["side files"]["fixed"]
    assert [path for path in dead if path.exists()] == []
    assert [path for path in alive if not path.exists()] == []


def test_side_files_of_a_writer_that_lives_are_left_alone(lived: Settings) -> None:
    (lived.folder / "rebuild.db").touch()
    assert checkup.leftovers(lived, writer_lives=True).state == "ok"
    assert checkup.leftovers(lived, writer_lives=False).state == "warning"


def test_an_erasure_that_was_interrupted_is_a_problem_and_its_files_are_left_alone(
    examine: Examine, lived: Settings
) -> None:
    erased = plans.Erased(
        messages=1, statements=0, facts=0, again=0, scenes=0, outcomes=0, replies=0, recalls=0, requests=0, entries=1
    )
    asked = plans.Ask(position="9-0", what="speaker", requested_at=9)
    plans.write(lived, plans.Plan(plans.Head(asked=(asked,), erased=erased, parked=(), begun_at=BEGIN_MS), {}))
    (lived.folder / "before-erasing.db").touch(0o600)
    found = examine("--fix", status=9)
    assert (found["erasures"]["state"], found["side files"]["state"]) == ("problem", "ok")
    assert "9-0 is under way since 2026-03-02T09:00:00" in found["erasures"]["found"]
    assert "mnemolog erase --resume" in found["erasures"]["mend"]
    told = CliRunner().invoke(cli, ["--data", str(lived.data), "status", "--json"])
    assert json.loads(told.stdout)["erasing"]["under_way"]["asked"] == ["9-0"]
    assert checkup.erasures(lived, writer_runs=True, now_ms=0).state == "warning"
    plan_file(lived).write_bytes(b"\xff")
    assert "an unknown position" in examine(status=9)["erasures"]["found"]
    plan_file(lived).unlink()
    assert "before-erasing.db" in examine()["side files"]["found"]


def test_a_cleaning_after_an_erasure_that_is_overdue_is_told(examine: Examine, lived: Settings) -> None:
    plans.clean_at(lived, (lease.now_ms() + MINUTE,))
    assert "cleaned once more at" in examine()["erasures"]["found"]
    told = CliRunner().invoke(cli, ["--data", str(lived.data), "status", "--json"])
    assert json.loads(told.stdout)["erasing"]["cleaning_due"].startswith("20")
    plans.clean_at(lived, (BEGIN_MS,))
    found = examine()["erasures"]
    assert (found["state"], found["mend"]) == ("warning", "start a writer: it does so first")
    plans.clean_at(lived, ())
    assert examine()["erasures"]["found"] == "none is under way"


def test_copies_that_were_moved_aside_are_told(examine: Examine, lived: Settings) -> None:
    (lived.folder / "space.db.damaged-1757000000000").touch(0o600)
    assert examine()["damaged files"]["state"] == "warning"


def test_files_of_another_version_of_the_fold_are_removed(examine: Examine, lived: Settings) -> None:
    folder = lived.folder / "known"
    folder.mkdir(mode=0o700)
    (folder / "9-0.v0.abc.db").touch(0o600)
    assert examine()["known"]["fixable"]
    assert examine("--fix")["known"]["fixed"] == "removed 1 file of another version"
    assert list(folder.iterdir()) == []


def test_a_damaged_snapshot_is_named_and_removed(examine: Examine, lived: Settings) -> None:
    made = snapshots.take(lived)
    assert made is not None
    assert examine()["snapshots"]["found"].startswith("1 snapshot")
    path = snapshots.folder_of(lived) / made.file
    body = bytearray(path.read_bytes())
    body[5_000] ^= 1
    path.write_bytes(body)
    found = examine()["snapshots"]
    assert "its checksum differs" in found["found"]
    assert examine("--fix")["snapshots"]["fixed"] == "removed 1 snapshot of no use"
    assert list(snapshots.folder_of(lived).iterdir()) == []


# ---- log and file --------------------------------------------------------------------------------------------------


def test_a_flipped_bit_in_the_archive_is_named(examine: Examine, lived: Settings) -> None:
    segment = lived.archive / "00000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b"Ada", b"Eve", 1))
    found = examine(status=9)["archive"]
    assert "00000001.jsonl line" in found["found"]
    assert "restore" in found["mend"]


def test_a_missing_file_is_a_problem_that_the_writer_mends(
    examine: Examine, lived: Settings, redis: redis_py.Redis
) -> None:
    for path in lived.folder.glob("space.db*"):
        path.unlink()
    assert "the file is missing" in examine(status=9)["file and archive"]["found"]
    ingested(redis, lived)
    assert examine()["file and archive"]["state"] == "ok"


def test_an_archive_behind_the_file_is_a_problem(examine: Examine, lived: Settings) -> None:
    segment = lived.archive / "00000001.jsonl"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-3]))
    assert "the archive ends at" in examine(status=9)["file and archive"]["found"]


def test_a_damaged_file_is_a_problem(examine: Examine, lived: Settings) -> None:
    for path in lived.folder.glob("space.db-*"):
        path.unlink()
    lived.file.write_bytes(b"no database, " * 1_000)
    found = examine(status=9)["file"]
    assert "is damaged" in found["found"]
    assert "mnemolog replay" in found["mend"]


def test_a_file_of_another_version_of_the_fold_is_a_warning(examine: Examine, lived: Settings) -> None:
    with writing(lived) as connection:
        connection.execute("UPDATE space SET fold_version = 0")
    found = examine()
    assert found["fold version"]["state"] == "warning"
    assert "tables" not in found


def test_an_altered_value_is_a_problem(examine: Examine, lived: Settings) -> None:
    with writing(lived) as connection:
        connection.execute("UPDATE nodes SET salience = 0.9 WHERE number = 3")
    assert "table nodes" in examine(status=9)["tables"]["found"]


def test_an_edge_that_leads_to_nothing_is_an_orphan(examine: Examine, lived: Settings) -> None:
    with writing(lived) as connection:
        connection.execute("UPDATE edges SET target = 'ep-nobody' WHERE target = (SELECT min(target) FROM edges)")
    assert "1 edge that leads to nothing" in examine(status=9)["orphans"]["found"]


def test_a_lost_row_of_the_full_text_index_is_built_again(examine: Examine, lived: Settings) -> None:
    with writing(lived) as connection:
        connection.execute("DELETE FROM fulltext WHERE rowid = 2")
    found = examine(status=9)
    assert (found["full text"]["state"], found["counts"]["state"]) == ("problem", "problem")
    assert "node 2 has no row" in found["full text"]["found"]
    assert examine("--fix")["full text"]["fixed"] == "built the full text index again"
    assert problems(lived) == ()
    assert examine()["counts"]["state"] == "ok"


def test_a_damaged_vector_is_made_again(examine: Examine, lived: Settings) -> None:
    with writing(lived) as connection:
        connection.execute("UPDATE vectors_1 SET vector = randomblob(64) WHERE number = 2")
    assert examine(status=9)["vectors"]["fixable"]
    assert examine("--fix")["vectors"]["fixed"] == "built the vectors index again"
    assert examine()["vectors"]["state"] == "ok"


def test_an_index_is_not_touched_while_a_writer_has_the_space(
    examine: Examine, lived: Settings, redis: redis_py.Redis
) -> None:
    with writing(lived) as connection:
        connection.execute("DELETE FROM fulltext WHERE rowid = 2")
    writer = SpaceWriter(lived, Stream(redis, "default"), SmallEmbedder())
    writer.take()
    try:
        found = examine("--fix", status=9)["full text"]
    finally:
        writer.close()
    assert found["state"] == "problem"
    assert "could not be mended: space 'default' is held" in found["fixed"]


def test_missing_vectors_are_told(lived: Settings) -> None:
    with closing(open_for_writing(lived.file)) as connection:
        assert checkup_file.counts(connection).state == "ok"
        connection.execute("DELETE FROM vectors_1 WHERE number = 20")
        found = checkup_file.counts(connection)
    assert found.state == "warning"
    assert "20 nodes, 20 in the full-text index, 19 with a vector" in found.found


def test_what_was_recorded_in_the_future_is_named(lived: Settings) -> None:
    with closing(open_for_writing(lived.file)) as connection:
        newest = connection.execute("SELECT max(ms) FROM events").get
        assert checkup_file.newest(connection, newest).state == "ok"
        assert checkup_file.newest(connection, newest - 10_000).state == "warning"
        assert "3,600 s ahead" in checkup_file.newest(connection, newest - 60 * MINUTE).found


# ---- who writes, and what waits ------------------------------------------------------------------------------------


def test_a_lease_of_a_dead_process_is_told(examine: Examine, lived: Settings, redis: redis_py.Redis) -> None:
    writer = SpaceWriter(lived, Stream(redis, "default"), SmallEmbedder())
    writer.take()
    assert f"process {os.getpid()} on" in examine()["lease"]["found"]
    writer.close()
    with writing(lived) as connection:
        connection.execute("UPDATE lease SET pid = 999999999, renewed_at = ?", (lease.now_ms() - 60_000,))
    found = examine()["lease"]
    assert found["state"] == "warning"
    assert "60 s" in found["found"]


def test_jobs_without_a_worker_are_a_problem_while_a_writer_runs(lived: Settings, redis: redis_py.Redis) -> None:
    append(redis, [event("close", SessionClosed(session="s0", occurred_at=1))])
    ingested(redis, lived)
    with closing(open_for_writing(lived.file)) as connection:
        later = lease.now_ms() + 2 * checkup_file.STALE_MS
        idle = {"extract": 0, "resolve": 0, "consolidate": 0}
        assert checkup_file.jobs(connection, idle, lease.now_ms(), writer_runs=True).state == "ok"
        found = checkup_file.jobs(connection, idle, later, writer_runs=True)
        assert (found.state, found.mend) == ("problem", "mnemolog worker extract")
        assert checkup_file.jobs(connection, None, later, writer_runs=False).state == "warning"
        busy = checkup_file.jobs(connection, {"extract": 1}, later, writer_runs=True)
        assert busy.state == "warning"
        connection.execute("INSERT INTO dispatch VALUES ('no-job', 1, 1, 0)")
        assert "handed out" in checkup_file.jobs(connection, idle, lease.now_ms(), writer_runs=True).found


def test_a_dead_letter_is_told(examine: Examine, redis: redis_py.Redis, lived: Settings) -> None:
    append(redis, [b"no event"])
    ingested(redis, lived)
    found = examine()["dead letters"]
    assert found["state"] == "warning"
    assert "1 corrupt" in found["found"]


def test_what_waits_for_a_person_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    memory = Memory(tmp_path_factory.mktemp("file") / "space.db")
    first = memory.state("Ada lives in Rome.", memory.now, "a")
    second = memory.state("Ada lives in Oslo.", memory.now + 1, "b")
    assert checkup_file.held_verdicts(memory.connection).state == "ok"
    assert checkup_file.failed_jobs(memory.connection).state == "ok"
    assert checkup_file.requests(memory.connection).state == "ok"
    low, high = sorted((first, second))
    memory.connection.execute(
        "INSERT INTO verdicts VALUES (?, ?, 'supersedes', '', 'engine', 'held', 'event-1') "
        "ON CONFLICT DO UPDATE SET state = 'held'",
        (low, high),
    )
    memory.connection.execute("UPDATE jobs SET state = 'failed'")
    episode = memory.get("SELECT node_id FROM nodes WHERE type = 'episodic' LIMIT 1")
    memory.connection.execute("INSERT INTO pending_requests VALUES ('r', ?, 'Ada', 'Rome', 'pending')", (episode,))
    for check in (checkup_file.held_verdicts, checkup_file.failed_jobs, checkup_file.requests):
        assert check(memory.connection).state == "warning"
