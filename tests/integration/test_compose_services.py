"""Every service of compose.yaml outside Docker: its command as it is written there, its Redis users, its health check."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import Process, mnemolog_command, run_cli, start_cli, wait_until
from support.commands import environment
from support.compose import composed, password_of
from support.redis_server import RedisServer, free_port

from mnemolog.schema.endpoint import RedisFolder, log_client
from mnemolog.workers.redis_program import redis_program

COMPOSED = composed(Path(__file__).parents[2] / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSED["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "mnemolog"]
#: redis-py tells who it is where it may, and does without.
UNNEEDED = {"client", "client|setinfo", "client|setname"}
#: The one thing that differs: the port is taken from the environment, as several tests run on one machine.
HTTP_PORT = free_port()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "users.acl").write_text(COMPOSED["configs"]["users"]["content"], encoding="utf-8")
    with RedisServer(folder, {"aclfile": "users.acl"}) as running:
        yield running


@pytest.fixture
def admin(server: RedisServer) -> Iterator[redis_py.Redis]:
    with closing(log_client(server.url_of("admin", password_of("admin")))) as client:
        yield client


def environment_of(name: str, server: RedisServer, data: Path) -> dict[str, str]:
    """What Compose gives a service, with this machine's places in it."""
    given = {key: value for key, value in SERVICES[name]["environment"].items() if value is not None}
    places = {"redis:6379": f"127.0.0.1:{server.port}", "/data": str(data)}
    for old, new in places.items():
        given = {key: value.replace(old, new) for key, value in given.items()}
    if name == "serve":
        given["MNEMOLOG_HTTP_PORT"] = str(HTTP_PORT)
    return given


def started(name: str, server: RedisServer, data: Path) -> Process:
    return start_cli(*SERVICES[name]["command"], env=environment_of(name, server, data))


def is_healthy(name: str, env: Mapping[str, str]) -> bool:
    """Whether the health check of a service passes, run as it is written."""
    kind, *check = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    check = [part.replace(":8420/", f":{HTTP_PORT}/") for part in check]
    folders = [Path(sys.executable).parent, Path(mnemolog_command()).parent]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    asked = subprocess.run(check, env=environment(env) | {"PATH": path}, capture_output=True, timeout=30, check=False)
    return asked.returncode == 0


def denied(admin: redis_py.Redis) -> list[tuple[str, str]]:
    """What was refused to whom."""
    log: Any = admin.acl_log()
    return sorted({(entry["username"], entry["object"]) for entry in log if entry["object"] not in UNNEEDED})


def answer(path: str, token: str, body: object | None = None) -> Any:
    return json.loads(text(path, token, body))


def is_well(token: str) -> bool:
    """Whether /healthz says so; a writer that is slow under load is not well for a moment."""
    with suppress(urllib.error.HTTPError):
        return bool(text("/healthz", token))
    return False


def text(path: str, token: str, body: object | None = None) -> str:
    given = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{HTTP_PORT}{path}", data=given, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as told:
        found: bytes = told.read()
    return found.decode()


def test_all_services_run_together_as_they_are_written_and_stop_in_time(
    server: RedisServer, admin: redis_py.Redis, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    envs = {name: environment_of(name, server, data) for name in OURS}
    made = run_cli("token", "add", "me", "--all-spaces", "--scope", "admin", "--json", env=envs["serve"])
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["secret"]
    with ExitStack() as stack:
        running = {name: stack.enter_context(started(name, server, data)) for name in OURS}
        for name in OURS:
            wait_until(lambda name=name: is_healthy(name, envs[name]), 40, f"{name} to be healthy")
        said = {"session": "s", "role": "user", "speaker": "Ada", "content": "I live in Berlin."}
        answer("/v1/spaces/default/events", token, said)
        answer("/v1/spaces/default/sessions/s/close", token, {})
        wait_until(lambda: "Berlin" in json.dumps(answer("/v1/spaces/default/facts", token)), 40, "the fact")
        found = json.dumps(answer("/v1/spaces/default/recall", token, {"query": "Where does Ada live?"}))
        assert "Berlin" in found
        for path in ("status", "work", "sessions", "scenes", "entities", "timeline"):
            answer(f"/v1/spaces/default/{path}", token)
        answer("/v1/spaces/default/forget", token, {"text": "Berlin", "preview": True})
        answer("/v1/spaces/default/remember", token, {"text": "Ada likes tea."})
        for path in ("/v1/spaces", "/openapi.json"):
            answer(path, token)
        wait_until(lambda: is_well(token), 40, "all to be well")
        assert "mnemolog_" in text("/metrics", token)
        for name, process in running.items():
            process.signal(signal.SIGTERM)
            assert process.wait(int(SERVICES[name]["stop_grace_period"][:-1])) == 0, process.output
    assert denied(admin) == []
    assert not is_healthy("ingest", envs["ingest"])


def test_a_worker_can_be_scaled(server: RedisServer, tmp_path: Path) -> None:
    env = environment_of("extract", server, tmp_path)
    with started("extract", server, tmp_path) as one, started("extract", server, tmp_path) as other:
        wait_until(lambda: is_healthy("extract", env), 40)
        for process in (one, other):
            process.wait_for("extract")
            process.signal(signal.SIGTERM)
            assert process.wait() == 0, process.output


def test_redis_starts_with_the_options_that_are_written(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text(COMPOSED["configs"]["users"]["content"], encoding="utf-8")
    _, *options = SERVICES["redis"]["command"]
    options = [option.replace("/etc/valkey/users.acl", "users.acl") for option in options]
    port = free_port()
    program = redis_program(RedisFolder(tmp_path))
    command = [program, *options, "--port", str(port), "--bind", "127.0.0.1"]
    with (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as redis,
        closing(log_client(f"redis://admin:{password_of('admin')}@127.0.0.1:{port}")) as client,
    ):
        try:
            wait_until(lambda: answers(client), 20)
            for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction"), ("save", "")):
                assert client.config_get(name) in ({name: value}, {name.encode(): value.encode()})
            # What the health check asks: `default` may ping, and nothing else.
            with closing(log_client(f"redis://127.0.0.1:{port}")) as anybody:
                assert anybody.ping()
                with pytest.raises(redis_py.exceptions.NoPermissionError):
                    anybody.get("x")
        finally:
            redis.terminate()


def answers(client: redis_py.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis_py.ConnectionError:
        return False
