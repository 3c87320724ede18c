"""The HTTP API without a log: who is let in, what is refused and how, what is documented, how a server is well."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from support.http_api import BASE, LOCKED, OPEN, client_of, made, memories_in

from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.health import Seen, Sight, judged, remembered
from mnemolog.gateway.http.openapi import document
from mnemolog.gateway.http.options import HttpOptions, is_loopback
from mnemolog.gateway.http.problems import KINDS, TYPE_PREFIX, Refused
from mnemolog.gateway.http.table import OPERATIONS
from mnemolog.gateway.http.threads import Threads
from mnemolog.gateway.memory import Memories
from mnemolog.schema.ids import Position

MESSAGE = {"role": "user", "content": "I prefer Rust.", "session": "monday"}


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[Memories]:
    with memories_in(tmp_path) as opened:
        yield opened


async def asked(memories: Memories, options: HttpOptions = OPEN, token: str | None = None, **given: Any) -> Any:
    """The answer to one request."""
    async with client_of(create_app(memories, options), token) as client:
        return await client.request(given.pop("method", "GET"), given.pop("path", "/v1/spaces"), **given)


def name_of(answer: Any) -> str:
    """The kind of a problem, checked for its form."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    kind = next(kind for kind in KINDS if kind.type == told["type"])
    assert kind.status == answer.status_code
    assert told["title"] == kind.title
    return str(told["type"]).removeprefix(TYPE_PREFIX)


# ---- who is let in ---------------------------------------------------------------------------------------------


async def test_without_a_valid_token_nothing_is_told(memories: Memories, tmp_path: Path) -> None:
    made(tmp_path, "reader", "read", ["ada"])
    late = made(tmp_path, "late", "read", ["ada"], expires_at=1)
    for operation in OPERATIONS:
        path = operation.template.replace("{space}", "ada").replace("{", "").replace("}", "")
        for headers in ({}, bearer("mn_wrong"), bearer(late), {"Authorization": "Basic YTpi"}):
            answer = await asked(memories, LOCKED, method=operation.method, path=path, headers=headers)
            assert name_of(answer) == "unauthenticated"
            assert answer.headers["www-authenticate"].startswith("Bearer")


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_token_is_refused_what_its_scope_does_not_cover(memories: Memories, tmp_path: Path) -> None:
    reader, writer = made(tmp_path, "reader", "read", ["ada"]), made(tmp_path, "writer", "write", ["ada"])
    publish = {"method": "POST", "path": "/v1/spaces/ada/events", "json": MESSAGE}
    assert name_of(await asked(memories, LOCKED, reader, **publish)) == "not-allowed"
    assert name_of(await asked(memories, LOCKED, writer, path="/v1/spaces/ada/work")) == "not-allowed"
    assert name_of(await asked(memories, LOCKED, writer, **publish)) == "log-unavailable"


async def test_a_space_of_others_is_refused_as_one_that_is_not_there(memories: Memories, tmp_path: Path) -> None:
    (tmp_path / "spaces" / "ben").mkdir(parents=True)
    reader = made(tmp_path, "reader", "read", ["ada"])
    told = []
    for space in ("ben", "nobody"):
        answer = await asked(memories, LOCKED, reader, path=f"/v1/spaces/{space}/facts")
        assert name_of(answer) == "not-found"
        told.append(answer.json()["detail"].replace(space, "it"))
    assert told[0] == told[1]
    assert (await asked(memories, LOCKED, reader)).json()["spaces"] == []


async def test_a_caller_that_asks_too_often_is_told_when_to_come_back(memories: Memories) -> None:
    options = msgspec.structs.replace(OPEN, requests_per_s=2)
    async with client_of(create_app(memories, options)) as client:
        answers = [await client.get("/v1/spaces") for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert answers[0].status_code == 200
    assert refused[0].headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"]
)
async def test_a_loopback_server_answers_to_its_own_names_alone(memories: Memories, host: str) -> None:
    assert name_of(await asked(memories, headers={"Host": host})) == "wrong-host"


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:8420", "[::1]:8420", "127.8.8.8"])
async def test_the_names_of_loopback_are_its_own(memories: Memories, host: str) -> None:
    assert (await asked(memories, headers={"Host": host})).status_code == 200


async def test_a_name_that_is_allowed_is_its_own(memories: Memories) -> None:
    options = msgspec.structs.replace(OPEN, host="0.0.0.0", allow_hosts=("memory.example",))
    assert (await asked(memories, options, headers={"Host": "memory.example"})).status_code == 200
    assert name_of(await asked(memories, options, headers={"Host": "other.example"})) == "wrong-host"


async def test_pages_of_other_sites_may_not_ask(memories: Memories) -> None:
    foreign = {"Origin": "https://evil.example"}
    publish = {"method": "POST", "path": "/v1/spaces/ada/events", "json": MESSAGE, "headers": foreign}
    assert name_of(await asked(memories, **publish)) == "wrong-origin"
    assert name_of(await asked(memories, headers=foreign)) == "wrong-origin"
    own = await asked(memories, headers={"Origin": BASE})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


async def test_a_site_that_is_allowed_may_ask(memories: Memories) -> None:
    options = msgspec.structs.replace(OPEN, allow_origins=("https://app.example",))
    answer = await asked(memories, options, headers={"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    refused = await asked(memories, options, headers={"Origin": "https://evil.example"})
    assert name_of(refused) == "wrong-origin"
    assert "access-control-allow-origin" not in refused.headers


def test_only_loopback_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "::1", "[::1]", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.example")))


# ---- what is refused -------------------------------------------------------------------------------------------

EVENTS = {"method": "POST", "path": "/v1/spaces/ada/events"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"content": b"{", "headers": JSON}, "malformed"),
        ({"content": b"", "headers": JSON}, "malformed"),
        ({"content": b"\xff\xfe", "headers": JSON}, "malformed"),
        ({"content": b'"' + b"[" * 100_000, "headers": JSON}, "malformed"),
        ({"content": b"[" * 100_000, "headers": JSON}, "invalid-input"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, "not-json"),
        ({"content": b"{}"}, "not-json"),
        ({"data": {"role": "user"}}, "not-json"),
        ({"json": {}}, "invalid-input"),
        ({"json": []}, "invalid-input"),
        ({"json": {**MESSAGE, "unknown": 1}}, "invalid-input"),
        ({"json": {**MESSAGE, "role": "king"}}, "invalid-input"),
        ({"json": {**MESSAGE, "seq": "1"}}, "invalid-input"),
        ({"json": {**MESSAGE, "content": "a\x00b"}}, "invalid-input"),
        ({"json": {**MESSAGE, "occurred_at": "2026-03-09T10:00:00"}}, "invalid-input"),
        ({"json": {**MESSAGE, "session": "s" * 300}}, "invalid-input"),
        ({"json": MESSAGE, "params": {"wait": "maybe"}}, "invalid-input"),
        ({"json": MESSAGE, "params": {"nothing": "1"}}, "invalid-input"),
        ({"json": MESSAGE, "params": [("wait", "true"), ("wait", "true")]}, "invalid-input"),
        ({"json": MESSAGE, "params": {"wait_s": "nan"}}, "invalid-input"),
        ({"json": MESSAGE, "params": {"wait_s": "1e9"}}, "invalid-input"),
    ],
)
async def test_what_cannot_be_accepted_is_refused_by_name(memories: Memories, given: Any, problem: str) -> None:
    assert name_of(await asked(memories, **EVENTS, **given)) == problem


async def test_a_body_that_is_too_large_is_not_read(memories: Memories) -> None:
    options = msgspec.structs.replace(OPEN, max_body_bytes=1_000)

    async def endless() -> Any:
        yield b'{"content": "'
        while True:
            yield b"a" * 400

    stated = await asked(memories, options, **EVENTS, json={**MESSAGE, "content": "a" * 2_000})
    assert name_of(stated) == "too-large"
    assert name_of(await asked(memories, options, **EVENTS, content=endless(), headers=JSON)) == "too-large"


async def test_a_batch_has_a_bound_and_names_each_event_once(memories: Memories) -> None:
    options = msgspec.structs.replace(OPEN, max_batch=2)
    path = {"method": "POST", "path": "/v1/spaces/ada/events/batch"}
    twice = [{**MESSAGE, "event_id": "e1"}] * 2
    assert name_of(await asked(memories, options, **path, json={"events": [MESSAGE] * 3})) == "too-large"
    assert name_of(await asked(memories, options, **path, json={"events": twice})) == "invalid-input"
    assert name_of(await asked(memories, options, **path, json={"events": []})) == "invalid-input"


@pytest.mark.parametrize(
    ("method", "path", "problem"),
    [
        ("GET", "/nowhere", "not-found"),
        ("GET", "/v1/spaces/ada/nowhere", "not-found"),
        ("GET", "/v1/spaces/..%2Fada/facts", "not-found"),
        ("GET", "/v1/spaces/a%00b/facts", "not-found"),
        ("GET", f"/v1/spaces/{'a' * 65}/facts", "not-found"),
        ("GET", "/v1/spaces/ada/facts", "not-found"),
        ("DELETE", "/v1/spaces/ada/facts", "method-not-allowed"),
        ("GET", "/v1/spaces/ada/events", "method-not-allowed"),
        ("GET", "/v1/spaces/ada/facts?limit=0", "invalid-input"),
        ("GET", "/v1/spaces/ada/facts?as_of=yesterday", "invalid-input"),
        ("GET", "/v1/spaces/ada/facts?wait=5", "invalid-input"),
        ("GET", "/v1/spaces/ada/changes", "invalid-input"),
    ],
)
async def test_paths_and_queries_are_refused_by_name(memories: Memories, method: str, path: str, problem: str) -> None:
    assert name_of(await asked(memories, method=method, path=path)) == problem


async def test_what_nobody_expected_tells_nothing_of_itself_and_is_logged_by_its_id(
    memories: Memories, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Request) -> Response:
        raise RuntimeError("the secret is /etc/shadow")

    app = create_app(memories, OPEN, [Route("/fails", fail)])
    async with client_of(app) as client:
        answer = await client.get("/fails")
    assert name_of(answer) == "internal"
    assert "shadow" not in answer.text
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.__dict__["request_id"] for record in errors] == [answer.json()["request_id"]]


async def test_a_request_that_takes_too_long_is_given_up() -> None:
    threads = Threads(1, timeout_s=0.05)
    go_on = threading.Event()
    with pytest.raises(Refused, match="too-slow"):
        await threads.run(lambda: go_on.wait(10))
    with pytest.raises(Refused, match="busy"):
        await threads.run(lambda: None)
    go_on.set()
    patient = Threads(1, timeout_s=10)
    assert await asyncio.gather(*(patient.run(lambda number=number: number) for number in range(5))) == list(range(5))
    threads.close()
    patient.close()


# ---- the log of accesses ---------------------------------------------------------------------------------------


async def test_a_request_is_logged_without_what_it_says(memories: Memories, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mnemolog.http")
    body = {"query": "hidden words"}
    answer = await asked(memories, method="POST", path="/v1/spaces/ada/recall", json=body)
    await asked(memories, path="/v1/spaces/ada/entities/hidden%20name?now=hidden")
    await asked(memories, path="/hidden/path")
    lines = [record for record in caplog.records if record.name == "mnemolog.http"]
    assert [line.__dict__["path"] for line in lines] == [
        "/v1/spaces/{space}/recall",
        "/v1/spaces/{space}/entities/{name}",
        "-",
    ]
    assert lines[0].__dict__["request_id"] == answer.headers["x-request-id"]
    assert (lines[0].__dict__["method"], lines[0].__dict__["status"], lines[0].__dict__["token"]) == ("POST", 404, "-")
    assert "hidden" not in caplog.text


async def test_the_name_of_a_token_is_logged_and_never_its_secret(
    memories: Memories, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = made(tmp_path, "reader", "read", ["ada"])
    await asked(memories, LOCKED, secret)
    await asked(memories, LOCKED, "mn_wrong")
    assert "reader" in caplog.text
    assert secret not in caplog.text
    assert "mn_wrong" not in caplog.text


# ---- what stands beside the table ------------------------------------------------------------------------------


async def test_the_document_describes_every_route_of_the_api(memories: Memories) -> None:
    app = create_app(memories, OPEN)
    served = {
        (operation.template, operation.method.lower())
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/v1/")
        for operation in OPERATIONS
        if operation.route == route.path and operation.method in (route.methods or ())
    }
    told = json.loads((await asked(memories, path="/openapi.json")).content)
    described = {(path, method) for path, methods in told["paths"].items() for method in methods}
    assert described == served
    assert len([route for route in app.routes if isinstance(route, Route) and route.path.startswith("/v1/")]) == len(
        served
    )


def test_the_document_describes_each_answer_and_each_problem() -> None:
    described = document(OPERATIONS)
    text = json.dumps(described)
    for operation in OPERATIONS:
        told = described["paths"][operation.template][operation.method.lower()]
        assert operation.media_type in told["responses"]["200"]["content"]
        for kind in operation.problems:
            problem = told["responses"][str(kind.status)]["content"]["application/problem+json"]
            assert kind.type in problem["schema"]["allOf"][1]["properties"]["type"]["enum"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= described["components"]["schemas"].keys()


def test_every_problem_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


async def test_routes_of_others_are_served_beside_the_api_and_meet_the_same_guard(memories: Memories) -> None:
    async def own(_: Request) -> Response:
        return Response("own")

    app = create_app(memories, OPEN, [Route("/own", own), Mount("/files", routes=[Route("/one", own)])])
    async with client_of(app) as client:
        assert (await client.get("/own")).text == "own"
        assert (await client.get("/files/one")).text == "own"
        assert name_of(await client.get("/own", headers={"Host": "evil.example"})) == "wrong-host"


# ---- how a server is well --------------------------------------------------------------------------------------


async def test_a_server_without_a_log_is_neither_well_nor_ready(memories: Memories) -> None:
    for path, status in (("/healthz", "unhealthy"), ("/readyz", "not-ready")):
        answer = await asked(memories, path=path)
        assert answer.status_code == 503
        assert answer.json()["status"] == status
        assert [one["reason"] for one in answer.json()["reasons"]] == ["log-unavailable"]


async def test_a_server_that_drains_is_not_ready(memories: Memories) -> None:
    drain = Drain()
    async with client_of(create_app(memories, OPEN, drain=drain)) as client:
        drain.begin()
        answer = await client.get("/readyz")
        assert [one["reason"] for one in answer.json()["reasons"]] == ["draining"]
        assert name_of(await client.get("/v1/spaces/ada/stream")) == "draining"


def sight(space: str = "ada", *, folded: int = 5, is_written: bool = True, oldest: int = 0) -> Sight:
    return Sight(space, Position(folded, 0), is_written, oldest)


def reasons(sights: list[Sight], before: dict[str, Seen], now_s: float = 100.0) -> list[tuple[str, int]]:
    found = judged(sights, before, now_ms=60_000, now_s=now_s, stalled_s=30.0)
    return [(one.reason, one.count) for one in found]


def test_a_space_that_is_behind_and_has_no_writer_is_noticed() -> None:
    assert reasons([sight(is_written=False)], {}) == [("no-writer", 1)]
    assert reasons([sight(is_written=False, oldest=59_000)], {}) == []


def test_a_writer_that_goes_on_is_well_however_far_it_is_behind() -> None:
    before = remembered([sight(folded=4)], {}, 10.0)
    now = remembered([sight(folded=5)], before, 100.0)
    assert reasons([sight(folded=5)], now) == []


def test_a_writer_that_says_that_it_runs_and_does_not_go_on_is_noticed() -> None:
    before = remembered([sight()], {}, 10.0)
    now = remembered([sight()], before, 100.0)
    assert reasons([sight()], now) == [("writer-stalled", 1)]
    assert reasons([sight()], now, now_s=39.0) == []
