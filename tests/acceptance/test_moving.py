"""Moving a memory with real processes: exported under traffic, restored elsewhere, written on; and the doctor's word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.memory import STORY, Memory
from support import wait_until

from mnemolog.producers import Producer
from mnemolog.schema import archive
from mnemolog.schema.log import event_of
from mnemolog.schema.settings import Settings


@contextmanager
def traffic(memory: Memory) -> Iterator[list[str]]:
    """Somebody who talks without a pause; yields the ids of the messages that were acknowledged."""
    acknowledged: list[str] = []
    stop = threading.Event()

    def talk() -> None:
        with Producer(data=memory.data) as producer:
            while not stop.is_set():
                number = len(acknowledged)
                said = producer.publish(
                    "user", f"I wrote line {number}.", f"s{number // 20}", event_id=f"t{number:05d}"
                )
                acknowledged.append(said.event_id)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        wait_until(lambda: len(acknowledged) > 50, what="traffic")
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def ids_in(data: Path) -> set[str]:
    """The ids of all events of the archive of a data folder's space."""
    return {event_of(entry).id for entry in archive.read(Settings(data=data).archive)}


def test_a_backup_made_under_traffic_is_restored_elsewhere_and_written_on(tmp_path: Path) -> None:
    memory, other, third = (Memory(tmp_path / name) for name in ("here", "there", "with-snapshot"))
    with memory.up(), traffic(memory) as acknowledged:
        # A file that nothing is folded into yet tells no hash to compare.
        wait_until(lambda: memory.json("status")["nodes"], what="something to be folded")
        before = list(acknowledged)
        told = memory.json("export", tmp_path / "backup.tar")
        memory.run("export", tmp_path / "faster.tar", "--snapshot")
        wait_until(lambda: len(acknowledged) > len(before) + 50, what="more traffic")
    assert told["left_out"] is None
    restored = other.json("import-bundle", tmp_path / "backup.tar")
    faster = third.json("import-bundle", tmp_path / "faster.tar")
    assert (restored["compared"], faster["compared"]) == (True, True)
    assert faster["vectors_from_snapshot"] is True
    assert set(before) <= ids_in(other.data) <= ids_in(third.data) <= ids_in(memory.data)
    assert other.server() is None
    assert other.json("verify")["hash"] == restored["hash"]
    for one in (other, third):
        assert one.json("replay", "--verify")["equal"] is True
    with other.up():
        other.run("publish", "I keep bees in Porto.", "--role", "user", "--session", "new", "--speaker", "Ada")
        wait_until(lambda: other.ask("bees in Porto"), what="the message to be recalled")
    assert other.json("replay", "--verify")["equal"] is True
    assert other.json("doctor")["ok"] is True


def test_a_fork_is_made_beside_its_origin(told: Memory, tmp_path: Path) -> None:
    bundle = tmp_path / "story.tar"
    told.run("export", bundle)
    fork = Memory(tmp_path / "data").of_space("fork")
    made = fork.json("import-bundle", bundle, "--space", "fork")
    assert (made["space"], made["fork_of"]) == ("fork", "default")
    assert made["hash"] == told.json("verify")["hash"]
    assert fork.ask("espresso")[0]["content"] == told.ask("espresso")[0]["content"]
    assert "is a fork of" not in fork.run("import-bundle", bundle, "--space", "fork", status=2).stdout


def test_what_is_published_before_a_writer_runs_comes_after_the_imported_log(told: Memory, tmp_path: Path) -> None:
    told.run("export", tmp_path / "story.tar")
    other = Memory(tmp_path / "other")
    assert other.json("import-bundle", tmp_path / "story.tar")["stream"] is None
    other.run("publish", "I keep bees in Porto.", "--role", "user", "--session", "new", "--event-id", "bees")
    with other.up():
        wait_until(lambda: other.ask("bees in Porto"), what="the message to be recalled")
    assert ids_in(told.data) | {"bees"} <= ids_in(other.data)
    assert other.json("replay", "--verify")["equal"] is True


def test_a_bundle_is_imported_where_no_redis_can_be_reached(told: Memory, tmp_path: Path) -> None:
    told.run("export", tmp_path / "story.tar")
    other = Memory(tmp_path / "other", MNEMOLOG_REDIS_URL="redis://localhost:1")
    done = other.run("import-bundle", tmp_path / "story.tar")
    assert "equal to the memory" in done.stdout
    assert "start `mnemolog up` before you publish" in done.stderr
    assert other.ask("espresso")


def test_what_is_no_bundle_is_refused_in_words(memory: Memory, tmp_path: Path) -> None:
    for name, body in (("text", b"hello"), ("empty", b""), ("json", b'{"format": "mnemolog-bundle"}')):
        path = tmp_path / name
        path.write_bytes(body)
        assert "is not a bundle" in memory.run("import-bundle", path, status=2).stderr
    assert "no log" in memory.run("export", tmp_path / "nothing.tar", status=6).stderr
    assert not (tmp_path / "nothing.tar").exists()


def test_an_import_that_is_killed_leaves_no_half_a_memory(memory: Memory, tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    lines = [
        json.dumps({"role": "system", "content": f"Line {number}.", "session": "s", "id": f"m{number}", "at": number})
        for number in range(3_000)
    ]
    many.write_text("\n".join(lines), encoding="utf-8")
    memory.run("import", many, "--drain")
    bundle = tmp_path / "backup.tar"
    memory.run("export", bundle)
    other = Memory(tmp_path / "other")
    with other.start("import-bundle", bundle) as process:
        wait_until(lambda: list(other.data.glob("spaces/.importing-*/spaces/*/space.db")), what="the file to be built")
        process.kill()
    assert not other.file.exists()
    found = {one["name"]: one for one in other.json("doctor")["findings"]}
    assert found["side files"]["fixable"]
    assert other.json("import-bundle", bundle)["compared"] is True
    assert not list(other.data.glob("spaces/.importing-*"))


def test_the_doctor_finds_nothing_wrong_with_a_memory_at_work(memory: Memory) -> None:
    with memory.up():
        memory.run("import", STORY)
        memory.run("wait")
        found = {one["name"]: one for one in memory.json("doctor")["findings"]}
        assert {name: one for name, one in found.items() if one["state"] != "ok"} == {}
        assert found["lease"]["found"].startswith("process ")
        assert {"socket", "redis eviction", "redis persistence", "clocks", "lag"} <= set(found)
        told = memory.run("doctor").stdout
    assert "0 problem(s), 0 warning(s)" in told
