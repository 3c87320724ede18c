"""Everybody killed, at named points and at random, in a run with consolidation: as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from support import run_cli, start_cli
from support.chaos import WORKER_POINTS, WRITER_POINTS, Storm, Talker
from support.chaos_story import SESSION, conversation, differences, undisturbed_run, without_a_cap
from support.redis_server import RedisServer
from support.stories import append, created, rows, settings_in

from mnemolog.schema import archive
from mnemolog.schema.codec import decode
from mnemolog.schema.endpoint import log_client

MESSAGES_PER_KILL = 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    # Under `everysec` Redis holds an acknowledged write back for up to 2 s while an earlier sync is under way: not
    # every kill of the server is survived then, and a kill is what this server is for.
    with RedisServer(tmp_path / "redis", {"appendfsync": "always"}) as server:
        with log_client(server.url) as client:
            append(client, [created(), without_a_cap()])
        yield server


@pytest.mark.timeout(3_000)
def test_whoever_is_killed_nothing_is_lost_doubled_or_different(
    server: RedisServer,
    redis: redis_py.Redis,
    redis_url: str,
    tmp_path: Path,
    seed: int,
    kills: int,
    figures: list[str],
) -> None:
    messages = conversation(kills * MESSAGES_PER_KILL // SESSION * SESSION, seed)
    space = settings_in(tmp_path / "data")
    talker = Talker(server.url, messages)
    storm = Storm(tmp_path, space, server, talker, seed)
    try:
        storm.rage(kills)
    finally:
        talker.close()
    figures.append(f"storm {seed}: {len(messages)} messages, {storm.kills} kills, {talker.repeats} sessions told again")
    figures.extend(f"  {count:4} {where}" for where, count in sorted(storm.deaths.items()))
    figures.append(f"  points not come by in time: {dict(storm.missed)}")
    assert storm.kills >= kills
    if kills >= 100:
        assert set(storm.deaths) >= {*WRITER_POINTS, *WORKER_POINTS, "Redis", "worker at random"}

    with start_cli("up", env=storm.env) as last:
        waited = run_cli("wait", "--timeout", "300", env=storm.env, timeout_s=330.0)
        assert waited.returncode == 0, waited.stdout + waited.stderr + last.output
        last.interrupt()
        assert last.wait() == 0, last.output

    assert rows(space.file, "SELECT count(*), count(DISTINCT event_id) FROM nodes WHERE type = 'episodic'") == [
        (len(messages), len(messages))
    ]
    assert rows(space.file, "SELECT * FROM dead_letters") == []
    assert rows(space.file, "SELECT count(*) FROM cells") > [(kills,)]
    assert archive.check(space.archive) == []
    ids = [decode(entry.body).id for entry in archive.read(space.archive)]
    assert {message.event_id for message in messages} <= set(ids)
    for command in (("verify", "--json"), ("replay", "--verify", "--json")):
        result = run_cli(*command, env=storm.env, timeout_s=300.0)
        assert result.returncode == 0, result.stdout + result.stderr
        found = json.loads(result.stdout)
        assert found.get("equal", found.get("ok")) is True
    with undisturbed_run(redis, redis_url, tmp_path / "undisturbed", messages) as undisturbed:
        assert differences(space.file, undisturbed.settings.file) == []
    figures.append("  losses 0, doubled 0, replay equal, content hash that of the undisturbed run")
