"""The MCP server over HTTP: real processes, tokens, hosts, limits."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from acceptance.memory import STORY, Memory
from support import Process
from support.mcp_clients import MODES, over_http

from mnemolog.gateway.http.tokens import Scope, Token, TokenFile


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory that has been told a story, and of which nothing runs."""
    memory = Memory(tmp_path_factory.mktemp("told") / "data")
    memory.run("import", STORY, "--drain")
    return memory


def token(memory: Memory, name: str, scope: Scope, *spaces: str, **more: Any) -> str:
    """The secret of a new token."""
    return TokenFile(memory.data).add(Token(name=name, scope=scope, spaces=spaces, created_at=0, **more))


@contextmanager
def listening(memory: Memory, *args: str) -> Iterator[tuple[Process, str]]:
    """A server, and its address."""
    with memory.start("mcp", "--http", "--port", "0", *args) as process:
        output = process.wait_for("Ctrl-C stops")
        found = re.search(r"http://\S+/mcp", output)
        assert found
        yield process, found[0]


@pytest.fixture(scope="module")
def secrets(told: Memory) -> dict[str, str]:
    """Tokens: of each scope for the space, of another space, and one that speaks as Ben alone."""
    return {
        "read": token(told, "reader", "read", "default"),
        "write": token(told, "writer", "write", "default"),
        "other": token(told, "other", "write", "other"),
        "ben": token(told, "ben", "write", "default", speaker="Ben", session_prefix="ben-"),
    }


@pytest.fixture(scope="module")
def url(told: Memory, secrets: dict[str, str]) -> Iterator[str]:
    """The address of a server that asks for tokens, of a memory whose writer runs."""
    with told.up(), listening(told) as (process, address):
        yield address
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "Traceback" not in process.output


@pytest.mark.parametrize("mode", MODES)
async def test_a_writing_token_remembers_and_a_reading_one_recalls_it(
    url: str, secrets: dict[str, str], mode: str
) -> None:
    statement = f"Ada's locker in {mode} is number 17."
    async with over_http(url, secrets["write"], mode) as asking:
        assert (await asking.answer("remember", text=statement, speaker="Ada"))["counts"] is True
    async with over_http(url, secrets["read"], mode) as asking:
        found = (await asking.answer("recall", query=f"locker in {mode}"))["results"]
        assert any(f"locker in {mode}" in one["text"] for one in found)
        assert (await asking.client.read_resource("mnemolog://default/facts")).contents


async def test_a_reading_token_changes_nothing(url: str, secrets: dict[str, str]) -> None:
    async with over_http(url, secrets["read"]) as asking:
        for tool, arguments in (
            ("remember", {"text": "I was here."}),
            ("publish", {"role": "user", "content": "I was here."}),
            ("correct", {"node": "ce-1f0c", "text": "I was here."}),
            ("forget", {"text": "everything"}),
        ):
            assert "scope write" in await asking.refusal(tool, **arguments)
        assert not any("here" in one["text"] for one in (await asking.answer("timeline"))["messages"])


async def test_a_bound_token_speaks_for_one_alone(url: str, secrets: dict[str, str]) -> None:
    async with over_http(url, secrets["ben"]) as asking:
        done = await asking.answer("remember", text="I play the violin.")
        assert "Ben" in done["facts"][0]["text"]
        assert "one speaker" in await asking.refusal("remember", text="I pay.", speaker="Ada")
        assert "ben-" in await asking.refusal("publish", role="user", content="Hi.", session="ada-1")
        assert "changes nothing else" in await asking.refusal("forget", text="the violin")


def post(url: str, body: Any = None, **headers: str) -> httpx2.Response:
    """The answer to a request as no client of the SDK sends it."""
    given = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", **headers}
    content = body if isinstance(body, (str, bytes)) else json.dumps(body or {})
    return httpx2.post(url, content=content, headers=given, timeout=20)


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def test_who_has_no_token_of_the_space_learns_nothing(url: str, secrets: dict[str, str]) -> None:
    for secret in (None, "mn_wrong", secrets["other"]):
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        refused = post(url, LIST, **headers)
        assert refused.status_code == (404 if secret == secrets["other"] else 401)
        assert "recall" not in refused.text
        assert "problem+json" in refused.headers["content-type"]
    assert "WWW-Authenticate" in post(url, LIST).headers


def test_pages_of_other_sites_and_other_names_of_the_server_are_refused(url: str, secrets: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {secrets['read']}"}
    assert post(url, LIST, **bearer, Host="evil.example").status_code == 421
    assert post(url, LIST, **bearer, Origin="https://evil.example").status_code == 403
    assert post(url, LIST, **bearer, Host="localhost").status_code == 200


def test_no_stream_is_held_open_for_what_is_never_sent(url: str, secrets: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {secrets['read']}", "Accept": "application/json, text/event-stream"}
    for method in ("GET", "DELETE", "PUT"):
        refused = httpx2.request(method, url, headers=bearer, timeout=5)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_a_token_that_is_bound_to_no_speaker_has_nothing_remembered(told: Memory, url: str) -> None:
    secret = token(told, "model", "write", "default", role="assistant")
    async with over_http(url, secret) as asking:
        assert "no speaker" in await asking.refusal("remember", text="I pay for Ada.", speaker="Ada")
        assert "begin with 'model:'" in await asking.refusal(
            "publish", role="assistant", content="Hi.", event_id="turn-0123"
        )


def test_bodies_that_are_no_messages_are_refused_and_the_next_is_answered(url: str, secrets: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {secrets['read']}"}
    for body in ("no json", b"\xff\xfe", "[]", "17", "{}", '{"jsonrpc": "1.0"}', "[" * 100_000):
        refused = post(url, body, **bearer)
        assert 400 <= refused.status_code < 500, (body[:20], refused.text[:200])
        assert "Traceback" not in refused.text
    assert post(url, "x" * 5_000_000, **bearer).status_code == 413
    assert post(url, LIST, **{**bearer, "Content-Type": "text/plain"}).status_code in {400, 415}
    assert len(post(url, LIST, **bearer).json()["result"]["tools"]) == 9


async def test_without_a_token_this_machine_alone_is_let_in_when_asked_for(memory_of_one: Memory) -> None:
    refused = memory_of_one.run("mcp", "--http", status=2)
    assert "token" in refused.stderr
    refused = memory_of_one.run("mcp", "--http", "--no-token", "--host", "0.0.0.0", status=2)
    assert "--no-token" in refused.stderr
    with listening(memory_of_one, "--no-token", "--up") as (process, address):
        async with over_http(address) as asking:
            assert (await asking.answer("remember", text="Ada's locker is number 17."))["counts"] is True
        assert post(address, LIST, Host="evil.example").status_code == 421
        process.interrupt()
        assert process.wait() == 0
    assert memory_of_one.server() is None


@pytest.fixture
def memory_of_one(tmp_path: Path) -> Memory:
    """A data folder that does not exist yet."""
    return Memory(tmp_path / "data")
