"""What goes wrong is said on standard error, with a status of its own, and never with a traceback."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import apsw
import pytest
from acceptance.memory import STORY, Memory

from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client

ROLE_AND_SESSION = ("--role", "user", "--session", "a")


def said(memory: Memory, *command: str, status: int) -> str:
    """What a command that fails writes to standard error; its standard output must be empty."""
    done = memory.run(*command, status=status)
    assert done.stdout == ""
    return done.stderr


@pytest.fixture
def copy(told: Memory, tmp_path: Path) -> Memory:
    """A copy of the memory that was told the story, to be damaged."""
    shutil.copytree(told.data, tmp_path / "copy")
    return Memory(tmp_path / "copy")


@pytest.mark.parametrize("space", ["../x", "..", "a b"])
def test_a_space_that_is_no_name_is_refused(memory: Memory, space: str) -> None:
    assert "space name" in said(memory, "--space", space, "publish", "hi", *ROLE_AND_SESSION, status=2)
    assert "space name" in said(memory, "up", space, status=2)
    assert not memory.data.exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("publish", "hi"), "--role"),
        (("publish", "hi", "--role", "king", "--session", "a"), "'king'"),
        (("publish", "hi", *ROLE_AND_SESSION, "--at", "2026-03-09T10:00:00"), "offset"),
        (("publish", "hi", *ROLE_AND_SESSION, "--at", "yesterday"), "ISO 8601"),
        (("publish", "hi", *ROLE_AND_SESSION, "--metadata", "[1]"), "JSON object"),
        (("publish", "hi", "--role", "user", "--session", ""), "session"),
        (("publish", "\udcff", *ROLE_AND_SESSION), "surrogate"),
        (("import", "no-such-file.jsonl"), "no-such-file.jsonl"),
        (("recall",), "QUERY"),
        (("recall", "tea", "--limit", "0"), "--limit"),
        (("recall", "--queries", str(STORY)), "--json"),
        (("dead-letters", "show", "first"), "position"),
        (("reindex", "everything"), "everything"),
        (("remember-nothing",), "remember-nothing"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_what_cannot_be_understood_is_named(memory: Memory, command: tuple[str, ...], message: str) -> None:
    assert message in said(memory, *command, status=2)


def test_a_redis_that_does_not_answer_is_named_with_what_to_do(memory: Memory) -> None:
    away = Memory(memory.data, MNEMOLOG_REDIS_URL="redis://:secret@127.0.0.1:1/0")
    shown = said(away, "publish", "hi", *ROLE_AND_SESSION, status=3)
    assert "Check that Redis runs" in shown
    assert len(shown.splitlines()) == 1
    assert "secret" not in shown
    assert "127.0.0.1:1" in said(away, "up", status=3)


def test_status_answers_while_redis_does_not(told: Memory) -> None:
    away = Memory(told.data, MNEMOLOG_REDIS_URL="redis://127.0.0.1:1/0")
    found = away.json("status")
    assert found["nodes"] == {"episodic": 16}
    assert found["lag_events"] is None
    assert "Connection refused" in found["log"]["redis"]


@pytest.mark.parametrize("command", ["recall x", "status", "verify", "dead-letters list"])
def test_a_file_that_is_no_database_is_named_with_what_to_do(copy: Memory, command: str) -> None:
    for path in copy.file.parent.glob("space.db*"):
        path.unlink()
    copy.file.write_bytes(b"this is no database, but a text of some length, long enough to be looked at as one" * 50)
    assert "`mnemolog replay`" in said(copy, *command.split(), status=9)


def test_a_damaged_file_is_kept_aside_and_built_again(told: Memory, copy: Memory) -> None:
    for path in copy.file.parent.glob("space.db*"):
        path.unlink()
    copy.file.write_bytes(b"this is no database" * 500)
    assert copy.json("replay")["equal"] is None
    assert copy.json("verify") == told.json("verify")
    (aside,) = copy.file.parent.glob("space.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_file_that_was_tampered_with_is_noticed_and_mended(told: Memory, copy: Memory) -> None:
    connection = apsw.Connection(str(copy.file))
    connection.execute("UPDATE nodes SET content = 'Nobody ever drank coffee here.' WHERE event_id = 's-01'")
    connection.close()
    checked = copy.run("verify", "--json", status=9)
    assert json.loads(checked.stdout)["ok"] is False
    assert "`mnemolog replay`" in checked.stderr
    assert copy.json("replay", "--verify", status=9)["equal"] is False
    copy.run("replay", status=9)
    assert copy.json("verify") == told.json("verify")


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    memory = Memory(tmp_path / "file")
    assert str(tmp_path / "file") in said(memory, "status", status=1)
    assert str(tmp_path / "file") in said(memory, "publish", "hi", *ROLE_AND_SESSION, status=1)


def test_an_entry_that_is_no_event_is_parked_shown_and_discarded(memory: Memory) -> None:
    with memory.up():
        server = memory.server()
        assert server is not None
        memory.run("publish", "before", *ROLE_AND_SESSION)
        with log_client(server.url) as client:
            client.xadd(keys.stream("default"), {keys.BODY_FIELD: b"\xff not an event"})
        memory.run("publish", "after", *ROLE_AND_SESSION)
        assert memory.json("wait")["dead_letters"] == 1
        (letter,) = memory.json("dead-letters", "list")
        assert "not an event" in memory.json("dead-letters", "show", letter["position"])["body"]
        memory.run("dead-letters", "requeue", letter["position"])
        memory.run("wait")
        assert [item["state"] for item in memory.json("dead-letters", "list")] == ["parked"]
        memory.run("dead-letters", "discard", letter["position"])
        memory.run("wait")
        assert memory.json("dead-letters", "list") == []
        assert [item["state"] for item in memory.json("dead-letters", "list", "--all")] == ["discarded"]
    assert memory.json("status")["nodes"] == {"episodic": 2}
    assert memory.json("replay", "--verify")["equal"] is True


def test_a_dead_letter_that_is_not_there_is_named(told: Memory) -> None:
    assert "nothing is parked at 1-0" in said(told, "dead-letters", "show", "1-0", status=2)


def test_a_second_writer_says_who_holds_the_space(memory: Memory) -> None:
    with memory.up() as first:
        second = memory.run("ingest", status=7)
        assert str(first.pid) in second.stderr
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
