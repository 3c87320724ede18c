"""compose.yaml, read as Compose reads it, against the command line that it starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import run_cli
from support.compose import USERS, composed, password_of

ROOT = Path(__file__).parents[2]
QUEUES = ("extract", "resolve", "consolidate")


COMPOSED = composed(ROOT / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSED["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "mnemolog"]


def test_redis_keeps_everything_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_redis_has_a_user_with_a_password_for_each_part_and_no_password_on_a_command_line() -> None:
    users = {line.split()[1]: line.split()[2:] for line in COMPOSED["configs"]["users"]["content"].splitlines()}
    assert set(users) == {"default", "admin", "producer", "worker", "writer"}
    assert users["default"] == ["on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping"]
    for name in ("admin", "producer", "worker", "writer"):
        assert f">{password_of(name)}" in users[name]
    for name, service in SERVICES.items():
        assert "password" not in " ".join(service["command"]), name
    assert SERVICES["redis"]["configs"] == [{"source": "users", "target": "/etc/valkey/users.acl"}]
    assert SERVICES["redis"]["command"][-2:] == ["--aclfile", "/etc/valkey/users.acl"]


def test_without_passwords_nothing_is_started() -> None:
    asked = re.findall(r"\$\{(\w+_PASSWORD)([^}]*)\}", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {name for name, _ in asked} == {f"MNEMOLOG_{user}_PASSWORD" for user in USERS}
    assert {default for _, default in asked} == {":?write .env first"}


def test_redis_can_be_reached_from_this_machine_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["redis"]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_restarted_and_given_time_to_stop(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+s", SERVICES[name]["stop_grace_period"])


@pytest.mark.parametrize("name", OURS)
def test_our_services_wait_for_redis_and_reach_it(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    user = "writer" if name == "ingest" else "worker"
    url = SERVICES[name]["environment"]["MNEMOLOG_REDIS_URL"]
    assert url == f"redis://{user}:{password_of(user)}@redis:6379/0"


def test_the_writer_serves_the_space_that_is_named() -> None:
    assert SERVICES["ingest"]["command"] == ["--space", "default", "ingest"]
    assert SERVICES["ingest"]["environment"]["MNEMOLOG_SPACE"] == "default"


def test_only_the_writer_sees_the_data() -> None:
    with_data = {name for name in OURS if SERVICES[name].get("volumes")}
    assert with_data == {"ingest"}
    assert SERVICES["ingest"]["volumes"] == [f"memory:{SERVICES['ingest']['environment']['MNEMOLOG_DATA']}"]


def test_every_queue_has_a_worker() -> None:
    assert {tuple(SERVICES[name]["command"]) for name in OURS if name != "ingest"} == {
        ("worker", "--queue", queue) for queue in QUEUES
    }


def test_the_image_runs_our_command_as_a_user_without_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert 'ENTRYPOINT ["mnemolog"]' in lines
    assert "USER mnemolog" in lines


def needs_command(name: str) -> None:
    if not re.search(rf"^  {name}\b", run_cli("--help").stdout, re.MULTILINE):
        pytest.skip(f"the command line has no `{name}` yet")


@pytest.mark.parametrize("name", OURS)
def test_the_command_line_accepts_what_a_service_starts(name: str) -> None:
    command = SERVICES[name]["command"]
    needs_command("ingest" if name == "ingest" else "worker")
    answer = run_cli(*command, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Usage:")


def test_the_command_line_knows_what_the_health_check_asks() -> None:
    check = SERVICES["ingest"]["healthcheck"]["test"]
    assert check == ["CMD", "mnemolog", "status", "--json"]
    needs_command("status")
    assert run_cli(*check[2:], "--help").returncode == 0


@pytest.mark.parametrize("queue", QUEUES)
def test_the_command_line_knows_the_queue(queue: str) -> None:
    needs_command("worker")
    assert queue in run_cli("worker", "--help").stdout
