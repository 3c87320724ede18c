"""compose.yaml and the Dockerfile, read as Compose and Docker read them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import run_cli
from support.compose import USERS, composed, password_of

from mnemolog.gateway.http.options import DEFAULT_PORT, HttpOptions
from mnemolog.schema.jobs import QUEUES
from mnemolog.workers.writer.ingest import DRAIN_S

ROOT = Path(__file__).parents[2]


COMPOSED = composed(ROOT / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSED["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "mnemolog"]
WORKERS = [name for name in OURS if name not in ("ingest", "serve")]
USER_OF = {"ingest": "writer", "serve": "serve", **dict.fromkeys(WORKERS, "worker")}


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration)
    return int(duration[:-1])


def test_there_is_a_service_for_each_part() -> None:
    assert set(SERVICES) == {"redis", "ingest", "serve", *QUEUES}


def test_redis_keeps_everything_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_redis_has_a_user_with_a_password_for_each_part_and_no_password_on_a_command_line() -> None:
    users = {line.split()[1]: line.split()[2:] for line in COMPOSED["configs"]["users"]["content"].splitlines()}
    assert set(users) == {"default", *map(str.lower, USERS)}
    assert users["default"] == ["on", "nopass", "resetkeys", "resetchannels", "-@all", "+ping"]
    for name in map(str.lower, USERS):
        assert f">{password_of(name)}" in users[name]
    for name, service in SERVICES.items():
        assert "password" not in " ".join([*service["command"], *service["healthcheck"]["test"]]), name
    assert SERVICES["redis"]["configs"] == [{"source": "users", "target": "/etc/valkey/users.acl"}]
    assert SERVICES["redis"]["command"][-2:] == ["--aclfile", "/etc/valkey/users.acl"]


def test_without_passwords_nothing_is_started() -> None:
    asked = re.findall(r"\$\{(\w+_PASSWORD)([^}]*)\}", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {name for name, _ in asked} == {f"MNEMOLOG_{user}_PASSWORD" for user in USERS}
    assert {default for _, default in asked} == {":?write .env first"}


@pytest.mark.parametrize("name", ["redis", "serve"])
def test_what_listens_can_be_reached_from_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


def test_nothing_else_can_be_reached() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"redis", "serve"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_restarted_and_given_time_to_stop(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert seconds(SERVICES[name]["stop_grace_period"]) >= 30


def test_what_drains_is_given_longer_than_it_takes() -> None:
    assert seconds(SERVICES["ingest"]["stop_grace_period"]) > 2 * DRAIN_S
    options = HttpOptions()
    assert seconds(SERVICES["serve"]["stop_grace_period"]) > options.notice_s + options.drain_s


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_write_to_its_image_or_has_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_can_be_scaled_that_may_be(name: str) -> None:
    # A name or a published port would be taken by the first of several.
    assert "container_name" not in SERVICES[name]
    assert "hostname" not in SERVICES[name]
    assert name not in WORKERS or "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", OURS)
def test_our_services_wait_for_redis_and_reach_it(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    user = USER_OF[name]
    url = SERVICES[name]["environment"]["MNEMOLOG_REDIS_URL"]
    assert url == f"redis://{user}:{password_of(user)}@redis:6379/0"


def test_the_writer_and_the_api_see_the_same_data_and_workers_none() -> None:
    with_data = {name: service["volumes"] for name, service in SERVICES.items() if service.get("volumes")}
    del with_data["redis"]
    assert with_data == {"ingest": ["memory:/data"], "serve": ["memory:/data"]}
    assert {SERVICES[name]["environment"]["MNEMOLOG_DATA"] for name in with_data} == {"/data"}


def test_every_volume_is_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSED["volumes"])


def test_every_queue_has_a_worker() -> None:
    assert {tuple(SERVICES[name]["command"]) for name in WORKERS} == {("worker", "--queue", kind) for kind in QUEUES}


def test_the_port_that_is_published_is_the_one_that_is_served() -> None:
    assert SERVICES["serve"]["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    assert f":{DEFAULT_PORT}/readyz" in SERVICES["serve"]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", OURS)
def test_the_command_line_accepts_what_a_service_starts(name: str) -> None:
    answer = run_cli(*SERVICES[name]["command"], "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Usage:")


# ---- the image -------------------------------------------------------------------------------------------------

LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()


def test_the_image_runs_our_command_as_a_user_without_rights() -> None:
    assert 'ENTRYPOINT ["mnemolog"]' in LINES
    assert "USER 10001:10001" in LINES
    assert LINES.index("USER 10001:10001") > max(index for index, line in enumerate(LINES) if line.startswith("FROM"))


def test_the_image_is_built_in_two_stages_on_the_same_base_of_a_fixed_tag() -> None:
    bases = [line.split()[1] for line in LINES if line.startswith("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases[0])


def test_the_image_is_built_from_every_part_that_is_packaged_and_nothing_else() -> None:
    packaged = set(
        re.findall(r'^"mnemolog\.(\w+)" = ', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line.startswith("!")}
    assert sent == packaged | {"pyproject.toml", "README.md", "LICENSE"}


def test_the_image_asks_after_its_health_what_the_command_line_knows() -> None:
    (check,) = [line for line in LINES if line.startswith("HEALTHCHECK")]
    assert check.endswith('CMD ["mnemolog", "home", "list", "--check"]')
    assert run_cli("home", "list", "--check", "--help").returncode == 0


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    words = tmp_path / ".env"
    words.write_text("".join(f"MNEMOLOG_{user}_PASSWORD={password_of(user)}\n" for user in USERS), encoding="utf-8")
    command = [docker, "compose", "--env-file", str(words), "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "warn" not in answer.stderr.lower()
