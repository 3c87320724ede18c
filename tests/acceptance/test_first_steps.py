"""What a new user does first: publish, run, wait, recall, look, check, delete, replay."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from acceptance.memory import Memory
from support import Process, run_installed, wait_until

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


class Installed(Memory):
    """Every command is the installed one, from its start."""

    run_command = staticmethod(run_installed)


def test_what_is_published_is_recalled_checked_deleted_and_built_again(tmp_path: Path) -> None:
    memory = Installed(tmp_path / "data")
    said = memory.json("publish", "I moved to Berlin.", "--role", "user", "--session", "monday", "--speaker", "Ada")
    with memory.up():
        memory.run("publish", "How do you like Berlin?", "--role", "assistant", "--session", "monday")
        assert memory.json("wait")["unfolded"] is False
        (first, *_) = memory.ask("Who moved to Berlin?")
        running = memory.json("status")
    assert first["content"] == "I moved to Berlin."
    assert first["event_ids"] == [said["event_id"]]
    assert (first["session"], first["speaker"], first["type"]) == ("monday", "Ada", "episodic")
    assert running["lag_events"] == 0
    before = memory.json("verify")
    memory.delete_file()
    replayed = memory.json("replay")
    assert replayed["equal"] is None
    assert replayed["model_calls"] == 0
    assert memory.json("verify") == before
    assert memory.ask("Who moved to Berlin?")[0]["node_id"] == first["node_id"]


def test_status_says_how_far_the_space_is_and_what_it_holds(memory: Memory) -> None:
    memory.run("publish", "I like tea.", "--role", "user", "--session", "a")
    with memory.up():
        memory.run("publish", "Green or black?", "--role", "assistant", "--session", "a")
        reached = memory.json("wait")["position"]
        found = memory.json("status")
    assert found["space"] == "default"
    assert found["position"] == reached
    assert found["lag_events"] == 0
    assert found["durability"] == "process"
    assert found["nodes"] == {"episodic": 2}
    assert found["edges"] == {"temporal": 1}
    assert (found["vectors"]["indexed"], found["vectors"]["missing"]) == (2, 0)
    assert set(found["jobs"]) == {"due", "failed", "done", "void"}
    assert found["dead_letters"] == 0
    assert found["log"]["archive"]["end"] == reached
    assert found["log"]["stream"]["top"] == reached


def test_what_was_published_before_the_writer_ever_ran_counts_as_lag(memory: Memory, redis_url: str) -> None:
    remote = Memory(memory.data, MNEMOLOG_REDIS_URL=redis_url, MNEMOLOG_SPACE="never-written")
    remote.run("publish", "Is anybody there?", "--role", "user", "--session", "a")
    found = remote.json("status")
    assert found["position"] == "0-0"
    assert found["lag_events"] == 2  # the creation of the space and the message
    assert found["nodes"] == {}


def test_the_durability_in_force_is_shown_whether_the_embedded_redis_runs_or_not(memory: Memory) -> None:
    careful = Memory(memory.data, MNEMOLOG_DURABILITY="power")
    with careful.up():
        careful.run("publish", "hello", "--role", "user", "--session", "a")
        assert careful.json("wait")["unfolded"] is False
        assert careful.json("status")["durability"] == "power"
    assert careful.json("status")["durability"] == "power"
    assert memory.json("status")["durability"] == "process"


def test_replay_says_that_the_live_file_is_what_its_log_says(memory: Memory) -> None:
    memory.run("publish", "I like tea.", "--role", "user", "--session", "a")
    with memory.up():
        memory.run("wait")
    checked = memory.json("replay", "--verify")
    assert set(checked) >= {"equal", "events", "seconds", "events_per_s", "model_calls", "hash_live", "hash_rebuilt"}
    assert checked["equal"] is True
    assert checked["hash_live"] == checked["hash_rebuilt"] == memory.json("verify")["hash"]
    assert memory.run("replay").stdout.splitlines()[-1] == "equal"


def test_the_demo_shows_that_the_hashes_are_equal() -> None:
    done = subprocess.run(
        [sys.executable, DEMO], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("The hashes are equal")
    assert "Mara works at Fernweh Robotics" in done.stdout
    assert (
        "Mara prefers Rust as programming language.  (since 2026-02-20; before that Mara prefers Python" in done.stdout
    )
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_demo_cleans_up_when_it_is_stopped(tmp_path: Path, number: int, status: int) -> None:
    with Process(sys.executable, DEMO, env={"TMPDIR": str(tmp_path)}) as demo:
        demo.wait_for("4. Recall")
        demo.signal(number)
        assert demo.wait() == status
    wait_until(lambda: not list(tmp_path.iterdir()), what=f"{tmp_path} to be empty")
