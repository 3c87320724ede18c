"""The users of compose.yaml against a real server: each part works with its user's rights, and has no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import run_cli, start_cli, wait_until
from support.compose import composed, password_of
from support.redis_server import RedisServer

from mnemolog.gateway.http.health import Checks
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.memory import Memories
from mnemolog.producers import Producer
from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import LogRefused
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import Settings
from mnemolog.workers.jobs.queue import queue_of

COMPOSE = Path(__file__).parents[2] / "compose.yaml"
SPACE = "default"
STREAM = keys.stream(SPACE)
#: redis-py and RQ tell who they are where they may, and do without.
UNNEEDED = {"client", "client|setinfo", "client|setname"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    rules = composed(COMPOSE)["configs"]["users"]["content"]
    (tmp_path / "redis" / "users.acl").write_text(rules, encoding="utf-8")
    with RedisServer(tmp_path / "redis", {"aclfile": "users.acl"}) as running:
        yield running


@pytest.fixture
def admin(server: RedisServer) -> Iterator[redis_py.Redis]:
    with closing(log_client(url_of(server, "admin"))) as client:
        yield client


def url_of(server: RedisServer, user: str) -> str:
    return server.url_of(user, password_of(user))


def denied(admin: redis_py.Redis) -> list[tuple[str, str]]:
    """What was refused to whom."""
    log: Any = admin.acl_log()
    return sorted({(entry["username"], entry["object"]) for entry in log if entry["object"] not in UNNEEDED})


def test_every_part_does_its_work_with_the_rights_of_its_user(
    server: RedisServer, admin: redis_py.Redis, tmp_path: Path
) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    env = {user: {"MNEMOLOG_REDIS_URL": url_of(server, user)} for user in ("producer", "worker", "writer")}
    lines = [
        {"session": "imported", "role": "user", "speaker": "Ada", "content": content, "at": 1_773_050_400_000 + number}
        for number, content in enumerate(["I love yoga.", "I have a dog."])
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with (
        start_cli("--data", data, "ingest", env=env["writer"]),
        start_cli("--data", away, "worker", "--queue", "extract", env=env["worker"]) as extract,
        start_cli("--data", away, "worker", "--queue", "resolve", env=env["worker"]),
        start_cli("--data", away, "worker", "--queue", "consolidate", env=env["worker"]),
    ):
        for number, content in enumerate(["I live in Berlin.", "I live in Munich now."]):
            said = ("publish", content, "--role", "user", "--speaker", "Ada", "--session", f"s{number}")
            told = run_cli("--data", away, *said, "--at", f"2026-03-{9 + number:02}T10:00:00Z", env=env["producer"])
            assert told.returncode == 0, told.stderr
        told = run_cli("--data", away, "import", tmp_path / "lines.jsonl", env=env["producer"])
        assert told.returncode == 0, told.stderr
        # A job that fails takes other ways through RQ than one that is done.
        queue_of(admin, "extract").enqueue_call("os.system", args=("true",), timeout=30, job_id="foreign")
        waited = run_cli("--data", data, "wait", "--timeout", "60", env=env["writer"])
        assert waited.returncode == 0, waited.stderr
        wait_until(lambda: not admin.llen("rq:queue:mnemolog-extract"), 20, "the queue to be empty")
        extract.signal(15)
        assert extract.wait() == 0, extract.output
        status = run_cli("--data", data, "status", "--json", env=env["writer"])
        assert status.returncode == 0, status.stderr
        facts = run_cli("--data", data, "facts", env=env["writer"]).stdout
        erased = run_cli("--data", data, "erase", "--session", "imported", "--yes", "--json", env=env["writer"])
        assert erased.returncode == 0, erased.stderr
        assert "Redis" not in erased.stdout
    assert "Berlin" in facts
    assert "yoga" in facts
    assert denied(admin) == []


def test_the_server_sees_how_spaces_are_with_the_rights_of_its_user(
    server: RedisServer, admin: redis_py.Redis, tmp_path: Path
) -> None:
    with Producer(SPACE, redis_url=url_of(server, "producer")) as producer:
        producer.publish("user", "Hello.", "s")
    settings = Settings(data=tmp_path, redis_url=url_of(server, "serve"))
    with Memories(settings, model_settings({})) as memories:
        for stalled_s, reasons in ((30.0, []), (-1.0, ["no-writer"])):
            checks = Checks(memories, HttpOptions(stalled_s=stalled_s))
            assert [trouble.reason for trouble in checks.troubles()] == reasons
    assert denied(admin) == []


READS = [("XRANGE", STREAM, "-", "+"), ("XREAD", "STREAMS", STREAM, "0"), ("XREVRANGE", STREAM, "+", "-")]
TAKES_AWAY = [("XTRIM", STREAM, "MAXLEN", "0"), ("DEL", STREAM), ("XDEL", STREAM, "1-1"), ("FLUSHALL",)]
RULES = [
    ("CONFIG", "SET", "maxmemory", "1"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "producer", "~*"),
    ("DEBUG", "SLEEP", "0"),
    ("EVAL", "return 1", "0"),
    ("MONITOR",),
    ("SHUTDOWN", "NOSAVE"),
    ("KEYS", "*"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("CLIENT", "LIST"),
]
JOBS = [("RPUSH", "rq:queue:mnemolog-extract", "x"), ("HSET", "rq:job:x", "data", "x"), ("SMEMBERS", "rq:workers")]
OTHERS = [("XADD", keys.stream("other"), "*", "e", "x"), ("GET", "theirs")]
REFUSED = {
    "default": [*READS, *TAKES_AWAY, *RULES, *JOBS, *OTHERS, ("XADD", STREAM, "*", "e", "x")],
    "producer": [*READS, *TAKES_AWAY, *RULES, *JOBS, *OTHERS, ("SET", STREAM, "x"), ("XSETID", STREAM, "9-9")],
    "worker": [*READS, *TAKES_AWAY[:1], *TAKES_AWAY[2:], *RULES, *OTHERS, ("XSETID", STREAM, "9-9")],
    "serve": [*TAKES_AWAY, *RULES, *JOBS, OTHERS[1], ("XSETID", STREAM, "9-9")],
    # Its script rewrites a stream after an erasure, and may itself do no more than its user.
    "writer": [*TAKES_AWAY[3:], *(rule for rule in RULES if rule[0] != "EVAL"), OTHERS[1]],
}


@pytest.mark.parametrize(("user", "command"), [(user, command) for user, some in REFUSED.items() for command in some])
def test_nobody_may_do_what_his_part_does_not_need(
    server: RedisServer, admin: redis_py.Redis, user: str, command: tuple[str, ...]
) -> None:
    admin.xadd(STREAM, {"e": "what somebody said"}, id="1-1")
    url = server.url if user == "default" else url_of(server, user)
    with closing(log_client(url)) as client, pytest.raises(redis_py.exceptions.NoPermissionError):
        client.execute_command(*command)
    assert admin.xlen(STREAM) == 1


@pytest.mark.parametrize("user", ["", "nobody:x@", "producer:wrong@"])
def test_who_has_no_password_publishes_nothing_and_is_told_so(
    server: RedisServer, admin: redis_py.Redis, user: str
) -> None:
    url = server.url.replace("://", f"://{user}")
    with Producer(SPACE, redis_url=url) as producer, pytest.raises(LogRefused) as caught:
        producer.publish("user", "x", "s")
    assert "password" in str(caught.value) or "ACL SETUSER" in str(caught.value)
    assert not admin.exists(STREAM)
