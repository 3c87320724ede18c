"""Streams of changes over a real port: what changes is sent, from where a client left off, until the server drains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import redis as redis_py
from support import wait_until
from support.http_api import LOCKED, OPEN, Served, made, memories_in, writing
from support.stories import settings_in

from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.tokens import TokenFile

QUICK = msgspec.structs.replace(OPEN, poll_s=0.02, heartbeat_s=0.1)


@pytest.fixture
def writer(tmp_path: Path, redis: redis_py.Redis) -> Iterator[None]:
    with writing(redis, settings_in(tmp_path, "ada")):
        yield


@contextmanager
def served(tmp_path: Path, redis_url: str, options: HttpOptions = QUICK, token: str | None = None) -> Iterator[Any]:
    """A server, and a client of it."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with (
        Served(memories_in(tmp_path, redis_url), options) as server,
        httpx2.Client(base_url=f"{server.url}/v1/spaces/ada/", timeout=20, headers=headers) as client,
    ):
        yield server, client


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The events of a stream; a heartbeat is one with a comment."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            fields[name or "comment"] = value.strip()
        elif fields:
            yield fields
            fields = {}


def changes(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    return (event for event in events(lines) if event.get("event") == "changes")


def remember(client: httpx2.Client, text: str) -> None:
    answer = client.post("remember", json={"text": text, "speaker": "Ada"})
    assert answer.json()["folded"], answer.text


def contents(event: dict[str, str]) -> list[str]:
    return [change["content"] for change in json.loads(event["data"])["changes"]]


def test_what_is_learned_is_sent_and_a_client_goes_on_where_it_left_off(
    tmp_path: Path, redis_url: str, writer: None
) -> None:
    with served(tmp_path, redis_url) as (_, client):
        with client.stream("GET", "stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(events(lines))["event"] == "begins"
            remember(client, "My locker is number 17.")
            seen = next(changes(lines))
            assert contents(seen) == ["Ada's locker is number 17."]
        remember(client, "My desk is number 4.")
        with client.stream("GET", "stream", headers={"Last-Event-ID": seen["id"]}) as answer:
            assert contents(next(changes(answer.iter_lines()))) == ["Ada's desk is number 4."]
        with client.stream("GET", "stream", params={"after": "0-0"}) as answer:
            assert len(contents(next(changes(answer.iter_lines())))) == 2


def test_a_quiet_stream_says_that_it_is_alive(tmp_path: Path, redis_url: str, writer: None) -> None:
    with served(tmp_path, redis_url) as (_, client), client.stream("GET", "stream") as answer:
        beats = (event for event in events(answer.iter_lines()) if "comment" in event)
        assert next(beats)
        assert next(beats)


def test_streams_are_bounded_and_make_room_when_they_end(tmp_path: Path, redis_url: str, writer: None) -> None:
    options = msgspec.structs.replace(QUICK, streams_per_caller=1)
    with served(tmp_path, redis_url, options) as (_, client):
        with client.stream("GET", "stream") as answer:
            lines = answer.iter_lines()
            next(events(lines))
            assert client.get("stream").status_code == 429

        def has_room() -> bool:
            with client.stream("GET", "stream") as again:
                return again.status_code == 200

        wait_until(has_room)


def test_a_stream_ends_when_its_token_is_revoked(tmp_path: Path, redis_url: str, writer: None) -> None:
    secret = made(tmp_path, "reader", "read", ["ada"])
    options = msgspec.structs.replace(LOCKED, poll_s=0.02)
    with (
        served(tmp_path, redis_url, options, secret) as (_, client),
        client.stream("GET", "stream") as answer,
    ):
        lines = answer.iter_lines()
        next(events(lines))
        TokenFile(tmp_path).revoke("reader")
        assert list(changes(lines)) == []


def test_streams_end_when_the_server_drains(tmp_path: Path, redis_url: str, writer: None) -> None:
    with served(tmp_path, redis_url) as (server, client), client.stream("GET", "stream") as answer:
        lines = answer.iter_lines()
        next(events(lines))
        server.stop()
        assert list(changes(lines)) == []
        wait_until(lambda: server.has_ended)


@pytest.mark.parametrize("given", [{"params": {"after": "soon"}}, {"headers": {"Last-Event-ID": "soon"}}])
def test_a_position_that_is_none_is_refused(tmp_path: Path, redis_url: str, given: Any) -> None:
    with served(tmp_path, redis_url) as (_, client):
        assert client.get("stream", **given).status_code == 422
