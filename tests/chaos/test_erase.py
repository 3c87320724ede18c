"""Erasing in the middle of traffic, with the writer killed on the way: then replay, then the same import again."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import run_cli, start_cli, wait_until
from support.raw import found_in
from support.redis_server import RedisServer
from support.stories import BEGIN_MS, settings_in

from mnemolog.producers import Producer
from mnemolog.schema.endpoint import log_client
from mnemolog.workers.erasing import plans

MINUTE = 60_000
MESSAGES = 400
#: Stands in what is erased and nowhere else.
MARK = "Zyxgard"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def lines(path: Path) -> Path:
    """Sessions of Ada's, with one of Ben's among them, and some in which both speak."""
    said = []
    for number in range(MESSAGES):
        ben = number // 10 == 7 or (number % 50 == 49)
        said.append(
            {
                "session": f"s{number // 10}",
                "role": "user",
                "speaker": "Ben" if ben else "Ada",
                "content": f"I work at {MARK} {number}." if ben else f"I like jazz number {number}.",
                "at": BEGIN_MS + number * MINUTE,
            }
        )
    path.write_text("\n".join(map(json.dumps, said)))
    return path


def let_pass(seconds: float) -> None:
    """Waits for a moment that was drawn."""
    moment = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= moment)


def test_nothing_of_what_was_erased_in_traffic_is_found_after_a_kill_a_replay_and_an_import(
    server: RedisServer, tmp_path: Path, seed: int, figures: list[str]
) -> None:
    chance = random.Random(seed)
    env = {"MNEMOLOG_DATA": str(tmp_path / "data"), "MNEMOLOG_REDIS_URL": server.url}
    settings = settings_in(tmp_path / "data")
    story = lines(tmp_path / "story.jsonl")
    done = run_cli("import", story, env=env)
    assert done.returncode == 0, done.stderr
    with Producer("default", redis_url=server.url) as producer:
        with start_cli("up", env=env) as up:
            wait_until(lambda: "mnemolog is up" in up.output, 30.0, "up")
            let_pass(chance.random())
            with start_cli("erase", "--speaker", "Ben", "--yes", env=env) as erasing:
                for number in range(50):
                    producer.publish("user", f"I like tea number {number}.", "later", speaker="Ada")
                wait_until(lambda: plans.is_under_way(settings) or not erasing.is_running, 30.0, "the erasure to begin")
                let_pass(chance.random() * 0.1)
                up.kill()
                # Where no writer runs any more, the command itself goes on.
                assert erasing.wait(60.0) == 0, erasing.output
        check(server, tmp_path, settings, env)
        figures.append("erased in traffic, the writer killed on the way: nothing left in any file or key")
    again = run_cli("import", story, "--drain", "--json", env=env)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["erased"] == erased_in(story)
    check(server, tmp_path, settings, env)


def erased_in(story: Path) -> int:
    return sum(MARK in line for line in story.read_text().splitlines())


def check(server: RedisServer, folder: Path, settings: Any, env: dict[str, str]) -> None:
    """Nothing is found, everything of Ada's is there, and a replay is equal."""
    assert not plans.is_under_way(settings)
    with closing(log_client(server.url)) as client:
        assert found_in([folder / "data", server.folder], client, [MARK]) == []
    replayed = run_cli("replay", "--verify", "--json", env=env)
    assert json.loads(replayed.stdout)["equal"] is True, replayed.stderr
