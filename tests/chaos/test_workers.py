"""Writer and workers killed at random while an import runs: every message extracted once, and replay agrees."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, wait_until
from support.stories import BEGIN_MS, append, created, event, rows, said, settings_in

from mnemolog.schema.events import SessionClosed
from mnemolog.schema.ids import episode_id
from mnemolog.schema.times import DAY, MINUTE

MESSAGES = 1_200
SESSIONS = 30
KILLS = 9
_SAID = (
    "I live in {0} now.",
    "I work at {1}.",
    "I started at {1} last week.",
    "I like {2}.",
    "I don't like {2} anymore.",
    "I also know some {3}.",
    "I prefer {3}.",
    "If I moved to {0} I would need a car.",
    "It rains.",
)
_VALUES = (
    ("Berlin", "Lisbon", "Rome", "Oslo"),
    ("Acme", "Globex", "Initech"),
    ("jazz", "techno", "yoga", "tea"),
    ("Python", "Rust", "Go"),
)


def conversation(chance: random.Random) -> list[bytes]:
    """Sessions of 40 messages of ten people over a year, each closed at its end."""
    bodies = []
    for number in range(MESSAGES):
        session, turn = divmod(number, MESSAGES // SESSIONS)
        at = BEGIN_MS + session * 7 * DAY + turn * MINUTE
        words = chance.choice(_SAID).format(*map(chance.choice, _VALUES))
        speaker = f"person {chance.randrange(10)}"
        bodies.append(said(f"m{number:05d}", words, f"s{session}", speaker=speaker, occurred_at=at))
        if turn == MESSAGES // SESSIONS - 1:
            bodies.append(event(f"closed-{session}", SessionClosed(session=f"s{session}", occurred_at=at)))
    return bodies


def workers_of(process: Process) -> list[psutil.Process]:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "mnemolog.workers.worker" in child.cmdline()]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def kill_somebody(up: Process, chance: random.Random) -> bool:
    """Kills a worker, or the writer with all that depend on it; whether the writer lives on."""
    moment = time.monotonic() + chance.random() * 0.6
    wait_until(lambda: time.monotonic() >= moment)
    workers = workers_of(up)
    if workers and chance.random() < 0.6:
        victim = chance.choice(workers)
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return True
        return True
    up.kill()
    return False


@pytest.mark.timeout(180)
def test_every_message_is_extracted_once_whoever_is_killed(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    chance = random.Random(11)
    settings = settings_in(tmp_path / "data")
    env = {
        "MNEMOLOG_DATA": str(settings.data),
        "MNEMOLOG_REDIS_URL": redis_url,
        "MNEMOLOG_JOB_DEADLINE_S": "2",
        "MNEMOLOG_JOB_ATTEMPTS": "6",
    }
    told = [created(), *conversation(chance)]
    share = len(told) // KILLS + 1
    up: Process | None = None
    for start in range(0, len(told), share):
        append(redis, told[start : start + share])
        if up is None:
            up = start_cli("up", env=env)
        up.wait_for("mnemolog is up")
        if not kill_somebody(up, chance):
            up.__exit__(None, None, None)
            up = None
    with up or start_cli("up", env=env) as last:
        last.wait_for("mnemolog is up")
        waited = run_cli("wait", "--timeout", "90", env=env, timeout_s=120.0)
        assert waited.returncode in {0, 11}, waited.stderr + last.output
        last.interrupt()
        assert last.wait() == 0, last.output

    covered = _covered(settings.file)
    assert covered == Counter(episode_id(f"m{number:05d}") for number in range(MESSAGES))
    assert rows(settings.file, "SELECT count(*) FROM cells")[0][0] > 100
    assert rows(settings.file, "SELECT count(*) FROM edges WHERE kind = 'supersedes'")[0][0] > 10
    assert rows(settings.file, "SELECT * FROM dead_letters") == []
    for command in (("verify", "--json"), ("replay", "--verify", "--json")):
        result = run_cli(*command, env=env)
        assert result.returncode == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        assert found.get("equal", found.get("ok")) is True
        assert found.get("model_calls", 0) == 0


def _covered(file: Path) -> Counter[str]:
    """How often each message is an input of a job that has exactly one outcome that counts."""
    jobs = rows(
        file,
        "SELECT inputs, state, (SELECT count(*) FROM outcomes o WHERE o.job_key = j.job_key "
        "AND o.generation = j.generation AND o.accepted) FROM jobs j WHERE kind = 'extract'",
    )
    assert {(state, accepted) for _, state, accepted in jobs} <= {("done", 1), ("failed", 1)}
    return Counter(node for inputs, _, _ in jobs for node in msgspec.json.decode(inputs, type=list[str]))
