"""Checks of a machine that take what they look at: versions, room, settings of Redis, sockets, lag, names of problems."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mnemolog.projections.checkup import log as checkup_log
from mnemolog.projections.checkup import machine as checkup_machine
from mnemolog.projections.checkup import redis as checkup_redis
from mnemolog.projections.checkup.checkup import sized
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Durability, Settings


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (1_200, "1.2 KB"), (5_000_000_000_000, "5,000.0 GB")]
)
def test_bytes_are_told_in_the_unit_that_fits(count: int, shown: str) -> None:
    assert sized(count) == shown


def test_old_versions_are_problems_and_say_what_to_upgrade() -> None:
    assert checkup_machine.python((3, 10, 4)).state == "problem"
    assert checkup_machine.sqlite("3.51.2").mend == "pip install --upgrade apsw"
    assert checkup_machine.sqlite("3.51.3").state == "ok"
    assert checkup_machine.redis_py("5.0.8").state == "problem"
    assert checkup_machine.redis_py("6.2.0b1").state == "ok"


def test_the_versions_here_are_fine() -> None:
    for check in (
        checkup_machine.python,
        checkup_machine.sqlite,
        checkup_machine.sqlite_vec,
        checkup_machine.redis_py,
    ):
        assert check().state == "ok", check()


def test_a_data_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert checkup_machine.data_folder(Settings(data=tmp_path / "data")).state == "problem"
    assert checkup_machine.data_folder(Settings(data=tmp_path / "new")).state == "ok"


def test_room_is_compared_with_what_the_space_has(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.archive.mkdir(parents=True)
    with settings.file.open("wb") as file:
        file.truncate(900_000_000)
    assert checkup_machine.disk(settings, free=100_000_000).state == "problem"
    short = checkup_machine.disk(settings, free=500_000_000)
    assert short.state == "warning"
    assert "500.0 MB free; the file has 900.0 MB" in short.found
    assert checkup_machine.disk(settings, free=2_000_000_000).state == "ok"


def test_others_are_kept_out_of_the_data_folder_and_of_nothing_else_in_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.folder.mkdir(parents=True)
    (tmp_path / "mine.txt").touch(0o644)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (settings.folder / "link").symlink_to(outside)
    settings.file.touch()
    for path in (tmp_path, settings.folder, settings.file):
        path.chmod(0o755)
    found = checkup_machine.permissions(settings)
    assert (found.state, found.fixable) == ("problem", True)
    checkup_machine.close_permissions(settings)
    assert checkup_machine.permissions(settings).state == "ok"
    assert settings.file.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "mine.txt").stat().st_mode & 0o777 == 0o644
    assert outside.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("config", "wanted", "state"),
    [
        ({"appendonly": "yes", "appendfsync": "everysec"}, "process", "ok"),
        ({"appendonly": "yes", "appendfsync": "always"}, "power", "ok"),
        ({"appendonly": "yes", "appendfsync": "everysec"}, "power", "problem"),
        ({"appendonly": "yes", "appendfsync": "no"}, "process", "warning"),
        ({"appendonly": "no", "appendfsync": "always"}, "process", "problem"),
        (None, "process", "warning"),
    ],
)
def test_persistence_is_compared_with_the_durability_asked_for(
    config: dict[str, str] | None, wanted: Durability, state: str
) -> None:
    found = checkup_redis.persistence(config, wanted)
    assert found.state == state
    assert bool(found.mend) == (state != "ok")


def test_a_socket_is_short_enough_and_closed_to_others(tmp_path: Path) -> None:
    assert checkup_redis.socket("redis://localhost") is None
    long = checkup_redis.socket("unix:///" + "a" * 110)
    assert long is not None
    assert "111 bytes" in long.found
    path = tmp_path / "redis.sock"
    gone = checkup_redis.socket(f"unix://{path}")
    assert gone is not None
    assert gone.state == "problem"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        for folder, own, state in ((0o755, 0o777, "problem"), (0o755, 0o700, "ok"), (0o700, 0o777, "ok")):
            tmp_path.chmod(folder)
            path.chmod(own)
            found = checkup_redis.socket(f"unix://{path}")
            assert found is not None
            assert found.state == state


def test_lag_is_a_warning_without_a_writer_or_when_it_grows() -> None:
    assert checkup_log.lag(0, writer_runs=False).state == "ok"
    assert checkup_log.lag(5, writer_runs=True).state == "ok"
    assert "no writer runs" in checkup_log.lag(5, writer_runs=False).found
    assert checkup_log.lag(50_000, writer_runs=True).state == "warning"


def test_file_and_archive_are_compared_by_their_ends(tmp_path: Path) -> None:
    assert checkup_log.agreement(tmp_path, None).state == "ok"
    writer = ArchiveWriter(tmp_path)
    writer.append([Entry(Position(5, 0), b"{}")])
    writer.close()
    assert checkup_log.agreement(tmp_path, Position(5, 0)).state == "ok"
    assert "the file is missing" in checkup_log.agreement(tmp_path, None).found
    assert checkup_log.agreement(tmp_path, Position(6, 0)).state == "problem"
    assert checkup_log.agreement(tmp_path, START).state == "warning"


@pytest.mark.parametrize(("version", "numbers"), [("7.2.4", (7, 2, 4)), ("8.0-rc1", (8,)), ("", ())])
def test_versions_are_compared_as_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert checkup_machine.numbers(version) == numbers
