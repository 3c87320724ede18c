"""`mnemolog serve` and `mnemolog token` as processes: who may be served, and how a server stops."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis as redis_py
from support import wait_until
from support.commands import run_installed
from support.http_api import writing
from support.processes import Process, start_cli
from support.stories import settings_in

#: Clients of a test ask faster than people; and it sees that the server is not ready.
UNHURRIED = ("--requests-per-s", "1000000", "--notice-s", "0.5")
MESSAGE = {"role": "user", "content": "I live in Lisbon.", "session": "monday"}


@contextmanager
def serving(data: Path, redis_url: str, *options: str) -> Iterator[tuple[Process, str]]:
    """A server that has started, and its URL."""
    command = ["--data", str(data), "--redis", redis_url, "serve", "--port", "0", *options]
    with start_cli(*command) as process:
        found = re.search(r"at (http://\S+);", process.wait_for("drains and stops"))
        assert found is not None
        yield process, found[1]


def cli(data: Path, *args: str) -> Any:
    return run_installed("--data", str(data), *args)


def test_a_token_is_made_shown_once_listed_and_revoked(tmp_path: Path, redis_url: str) -> None:
    secret = cli(tmp_path, "token", "add", "notebook", "--space", "ada", "--scope", "write").stdout.strip()
    listed = json.loads(cli(tmp_path, "token", "list", "--json").stdout)
    assert [(one["name"], one["scope"], one["spaces"]) for one in listed] == [("notebook", "write", ["ada"])]
    assert secret not in cli(tmp_path, "token", "list").stdout
    with serving(tmp_path, redis_url) as (_, url), httpx2.Client(base_url=url) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.get("/v1/spaces", headers=headers).status_code == 200
        assert client.get("/v1/spaces").status_code == 401
        assert client.get("/metrics", headers=headers).status_code == 403
        assert client.get("/").status_code == 200
        cli(tmp_path, "token", "revoke", "notebook")
        assert client.get("/v1/spaces", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("options", "why"),
    [((), "there is no token"), (("--no-token", "--host", "0.0.0.0"), "is for loopback")],
)
def test_a_server_that_would_let_in_nobody_or_anybody_does_not_start(
    tmp_path: Path, redis_url: str, options: tuple[str, ...], why: str
) -> None:
    refused = cli(tmp_path, "--redis", redis_url, "serve", "--port", "0", *options)
    assert refused.returncode == 2
    assert why in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("a",), "name the spaces"),
        (("a", "--space", "x", "--all-spaces"), "name the spaces"),
        (("a b", "--space", "x"), "name has 1 to 64"),
        (("a", "--space", "../x"), "space name"),
        (("a", "--space", "x", "--speaker", "Ada"), "scope write"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    refused = cli(tmp_path, "token", "add", *arguments)
    assert refused.returncode == 2
    assert why in refused.stderr


def test_what_is_in_flight_is_finished_when_the_server_is_asked_to_stop(
    tmp_path: Path, redis: redis_py.Redis, redis_url: str
) -> None:
    with serving(tmp_path, redis_url, "--no-token", *UNHURRIED) as (process, url):
        answers: list[int] = []
        acknowledged: list[str] = []
        refused = threading.Event()

        def publish(number: int) -> None:
            with httpx2.Client(base_url=url, timeout=20) as client:
                for count in range(100_000):
                    try:
                        answer = client.post(
                            "/v1/spaces/ada/events", json={**MESSAGE, "event_id": f"e{number}-{count}"}
                        )
                    except httpx2.TransportError:
                        refused.set()
                        return
                    answers.append(answer.status_code)
                    acknowledged.append(answer.json()["event_id"])

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 20)
        process.signal(signal.SIGTERM)
        with httpx2.Client(base_url=url) as client:
            wait_until(lambda: client.get("/readyz").status_code == 503)
        assert process.wait() == 0
        for thread in threads:
            thread.join()
        assert refused.is_set()
        assert set(answers) == {200}
    with (
        writing(redis, settings_in(tmp_path, "ada")),
        serving(tmp_path, redis_url, "--no-token") as (_, url),
        httpx2.Client(base_url=url, timeout=20) as client,
    ):

        def folded() -> int:
            return int(client.get("/v1/spaces/ada/status").json()["nodes"].get("episodic", 0))

        wait_until(lambda: folded() >= len(acknowledged))


def test_a_second_signal_ends_what_would_not_end(tmp_path: Path, redis_url: str) -> None:
    with serving(tmp_path, redis_url, "--no-token", "--notice-s", "60") as (process, url):
        process.signal(signal.SIGTERM)
        with httpx2.Client(base_url=url) as client:
            wait_until(lambda: client.get("/readyz").status_code == 503)
        process.signal(signal.SIGTERM)
        process.wait(10)


def test_headers_that_are_too_large_are_refused_and_a_port_that_is_taken_is_named(
    tmp_path: Path, redis_url: str
) -> None:
    with serving(tmp_path, redis_url, "--no-token") as (_, url), httpx2.Client(base_url=url) as client:
        assert client.get("/healthz", headers={"X-Long": "a" * 20_000}).status_code == 431
        port = url.rpartition(":")[2]
        refused = cli(tmp_path, "--redis", redis_url, "serve", "--no-token", "--port", port)
        assert refused.returncode != 0
        assert "in use" in refused.stderr
