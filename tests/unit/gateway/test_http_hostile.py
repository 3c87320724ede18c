"""Who tries to get past the HTTP API's guard, without a log: headers, tokens, sites, and what a bound token claims."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.http_api import BASE, LOCKED, OPEN, client_of, made, memories_in

from mnemolog.gateway.http import health
from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.http.beside import Beside
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import TYPE_PREFIX, Refused
from mnemolog.gateway.http.speaking import check_event_id, spoken, stated_by
from mnemolog.gateway.http.tokens import Token, TokenFile
from mnemolog.gateway.memory import Memories
from mnemolog.gateway.memory.publishing import Interaction

NOTE = Token(name="web", scope="write", spaces=("ada",), created_at=0)
SAID = Interaction(role="user", content="I like tea.", session="web-1")


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[Memories]:
    with memories_in(tmp_path) as opened:
        yield opened


async def kind_of(memories: Memories, options: HttpOptions, path: str = "/v1/spaces", **headers: str) -> str | int:
    """The name of the problem that answers a request; its status where none does."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    app = create_app(memories, options, Beside(memories).routes())
    async with client_of(app) as client:
        answer = await client.get(path, headers=names)
    if answer.headers["content-type"] != "application/problem+json":
        return answer.status_code
    return str(answer.json()["type"]).removeprefix(TYPE_PREFIX)


# ---- other sites -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "", "file://", "ws://127.0.0.1:8420"])
async def test_an_origin_that_is_none_or_another_is_refused_and_breaks_nothing(memories: Memories, origin: str) -> None:
    assert await kind_of(memories, OPEN, origin=origin) == "wrong-origin"


async def test_an_origin_of_nothing_is_no_match_for_a_request_that_names_no_host(
    memories: Memories, tmp_path: Path
) -> None:
    secret = made(tmp_path, "reader", "read", ["ada"])
    remote = msgspec.structs.replace(LOCKED, host="0.0.0.0")
    given = {"authorization": f"Bearer {secret}", "host": ""}
    assert await kind_of(memories, remote, **given) == 200
    assert await kind_of(memories, remote, origin="null", **given) == "wrong-origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_page_cannot_load_an_answer_as_a_picture_or_a_script(memories: Memories, site: str) -> None:
    loads = {"sec_fetch_site": site, "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"}
    assert await kind_of(memories, OPEN, **loads) == "wrong-origin"
    framed = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
    assert await kind_of(memories, OPEN, path="/", **framed) == "wrong-origin"
    followed = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert await kind_of(memories, OPEN, path="/", **followed) == 200
    assert await kind_of(memories, OPEN, **{**loads, "sec_fetch_site": "same-origin", "origin": BASE}) == 200


async def test_answers_may_be_loaded_framed_or_run_by_no_other_page(memories: Memories) -> None:
    async with client_of(create_app(memories, OPEN)) as client:
        for path in ("/v1/spaces", "/v1/spaces/ada/facts", "/nothing", "/openapi.json"):
            headers = (await client.get(path)).headers
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


# ---- tokens ----------------------------------------------------------------------------------------------------


async def test_wrong_tokens_of_others_do_not_shut_out_who_has_a_right_one(memories: Memories, tmp_path: Path) -> None:
    secret = made(tmp_path, "reader", "read", ["ada"])
    few = msgspec.structs.replace(LOCKED, wrong_tokens_per_min=3)
    async with client_of(create_app(memories, few)) as client:
        for expected in (401, 401, 401, 429, 429):
            answer = await client.get("/v1/spaces", headers={"Authorization": "Bearer mn_guess"})
            assert answer.status_code == expected
        assert int(answer.headers["retry-after"]) > 0
        right = await client.get("/v1/spaces", headers={"Authorization": f"Bearer {secret}"})
        assert right.status_code == 200


async def test_a_file_of_tokens_that_cannot_be_used_lets_in_nobody_and_tells_strangers_no_path(
    memories: Memories, tmp_path: Path
) -> None:
    secret = made(tmp_path, "reader", "read", ["ada"])
    (tmp_path / "tokens.json").chmod(0o644)
    os.utime(tmp_path / "tokens.json")
    async with client_of(create_app(memories, LOCKED)) as client:
        for given in ("mn_guess", secret):
            answer = await client.get("/v1/spaces", headers={"Authorization": f"Bearer {given}"})
            assert answer.status_code == 500
            assert str(tmp_path) not in answer.text


async def test_metrics_tell_of_every_space_and_so_need_a_token_of_all(memories: Memories, tmp_path: Path) -> None:
    secrets = {
        "of one": made(tmp_path, "one", "admin", ["ada"]),
        "of all": made(tmp_path, "all", "admin", ["*"]),
        "reader": made(tmp_path, "reader", "read", ["*"]),
    }
    told = {
        who: await kind_of(memories, LOCKED, "/metrics", authorization=f"Bearer {secret}")
        for who, secret in secrets.items()
    }
    assert told == {"of one": "not-allowed", "of all": 200, "reader": "not-allowed"}


# ---- bound tokens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bound",
    [
        {"role": "assistant"},
        {"role": "tool", "speaker": "guest"},
        {"role": "user"},
        {"session_prefix": "web-"},
    ],
)
def test_a_token_that_is_bound_to_no_speaker_or_another_role_has_nothing_remembered(bound: dict[str, Any]) -> None:
    token = msgspec.structs.replace(NOTE, **bound)
    for speaker in (None, "guest", "Ada"):
        with pytest.raises(Refused, match="not-allowed"):
            stated_by(token, speaker)


def test_who_is_bound_to_a_speaker_has_remembered_what_that_one_says() -> None:
    guest = msgspec.structs.replace(NOTE, speaker="guest", role="user", session_prefix="web-")
    assert stated_by(guest, None) == "guest"
    assert stated_by(NOTE, "Ada") == "Ada"
    with pytest.raises(Refused, match="not-allowed"):
        stated_by(guest, "Ada")


def test_a_bound_token_takes_no_event_id_that_another_door_gives() -> None:
    guest = msgspec.structs.replace(NOTE, speaker="guest")
    theirs = msgspec.structs.replace(SAID, event_id="turn-0123456789abcdef")
    with pytest.raises(Refused, match="not-allowed"):
        spoken(guest, theirs)
    with pytest.raises(Refused, match="not-allowed"):
        check_event_id(guest, "message-17")
    assert spoken(guest, msgspec.structs.replace(SAID, event_id="web:17")).event_id == "web:17"
    assert spoken(NOTE, theirs) == theirs
    check_event_id(guest, None)


def test_a_token_that_is_revoked_while_its_file_is_read_again_is_known_no_more(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    secret = tokens.add(msgspec.structs.replace(NOTE, speaker="guest"))
    held = tokens.of_secret(secret, 0)
    assert held is not None
    TokenFile(tmp_path).revoke("web")
    TokenFile(tmp_path).add(msgspec.structs.replace(NOTE, speaker="guest"))
    assert not tokens.holds(held, 0)


# ---- what is asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**63, 2**64, 10**20 - 1])
@pytest.mark.parametrize("path", ["facts?known_at={}-1", "changes?since=1-0&until={}-1", "facts?wait=1-{}&wait_s=0"])
async def test_a_position_that_no_log_can_have_is_refused_and_no_fault_of_the_server(
    memories: Memories, path: str, number: int
) -> None:
    assert await kind_of(memories, OPEN, f"/v1/spaces/ada/{path.format(number)}") == "invalid-input"


async def test_probes_that_hang_hold_up_nobody_who_asks(
    memories: Memories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(health.Checks, "troubles", lambda _: (released.wait(10), ())[1])
    secret = made(tmp_path, "reader", "read", ["ada"])
    few = msgspec.structs.replace(LOCKED, threads=2)
    async with client_of(create_app(memories, few)) as client:
        probes = [asyncio.create_task(client.get("/healthz")) for _ in range(8)]
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            answer = await client.get("/v1/spaces", headers={"Authorization": f"Bearer {secret}"})
            assert (answer.status_code, any(probe.done() for probe in probes)) == (200, False)
        finally:
            released.set()
        assert {(await probe).status_code for probe in probes} == {200}
