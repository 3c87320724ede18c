"""One story, told through every door: CLI, HTTP, MCP and the proxy. It ends in the same content_hash.

Ids and times are part of a story. The proxy makes those of its messages itself, and MCP takes none for a correction: so
the proxy is told first, then MCP, and the others are told the same with the ids and times that stand on those logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import msgspec
import pytest
from acceptance.memory import Memory
from support.mcp_clients import over_stdio
from support.upstream import Upstream

from mnemolog.schema import archive
from mnemolog.schema.events import Event, MessagePublished
from mnemolog.schema.log import event_of
from mnemolog.schema.requests import FactCorrected
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import show

SAID = {
    "monday": "I prefer Python.",
    "tuesday": "I'm writing in Rust now.",
    "wednesday": "I work at Acme.",
    "thursday": "I like jazz.",
}
RIGHT = "I work at Bolt."
CORRECTION = "the-correction"
DOORS = ("proxy", "mcp", "cli", "http")


class Message(msgspec.Struct, frozen=True):
    """A message as it stands on a log."""

    event_id: str
    role: str
    content: str
    session: str
    speaker: str | None
    at: str

    @property
    def fields(self) -> dict[str, Any]:
        """The same for HTTP."""
        given = msgspec.structs.asdict(self)
        given["occurred_at"] = given.pop("at")
        return given


def events(memory: Memory) -> list[Event]:
    """What stands on the log of a memory that is at rest."""
    settings = Settings(data=memory.data, space=memory.env["MNEMOLOG_SPACE"])
    return [event_of(entry) for entry in archive.read(settings.archive)]


def employer(memory: Memory) -> str:
    """The node id of the fact that is to be corrected."""
    found = next(fact for fact in memory.json("facts") if fact["slot"] == "employer")
    return str(found["node_id"])


# ---- the doors ---------------------------------------------------------------------------------------------------


def tell_proxy(memory: Memory) -> list[Message]:
    """Chats through the proxy; gives the messages that this put on the log, in its order."""
    with Upstream() as upstream, started(memory, r"is up: (\S+) before", "proxy", "--upstream", upstream.url) as url:
        for session, text in SAID.items():
            answer = httpx2.post(
                f"{url}/chat/completions",
                json={"model": "m", "messages": [{"role": "user", "content": text}]},
                headers={"Mnemolog-Session": session, "Mnemolog-Speaker": "Ada"},
                timeout=30,
            )
            assert answer.status_code == 200
    memory.run("wait")
    return [
        Message(
            one.id,
            one.payload.role,
            one.payload.content,
            one.payload.session,
            one.payload.speaker,
            show(one.at if one.payload.occurred_at is None else one.payload.occurred_at),
        )
        for one in events(memory)
        if isinstance(one.payload, MessagePublished)
    ]


def tell_mcp(memory: Memory, story: list[Message]) -> str:
    """Publishes, corrects and forgets with tools; gives the time of the correction."""

    async def tell() -> None:
        async with over_stdio("mcp", env=memory.env) as client:
            for message in story:
                fields = {name: value for name, value in message.fields.items() if value is not None}
                await client.answer("publish", **fields, last=message.role == "assistant")
            await anyio.to_thread.run_sync(lambda: memory.run("wait"))
            facts = (await client.answer("facts"))["facts"]
            wrong = next(fact for fact in facts if "Acme" in fact["text"])
            await client.answer("correct", node=wrong["id"], text=RIGHT, event_id=CORRECTION)
            meant = (await client.answer("forget", text="that I like jazz"))["facts"]
            for fact in meant:
                await client.answer("forget", node=fact["id"], confirmed=True)

    anyio.run(tell)
    memory.run("wait")
    return next(show(one.at) for one in events(memory) if isinstance(one.payload, FactCorrected))


def finish_by_command(memory: Memory, corrected_at: str) -> None:
    memory.run("wait")
    memory.json("correct", employer(memory), RIGHT, "--at", corrected_at, "--event-id", CORRECTION)
    assert memory.json("forget", "that I like jazz", "--yes")["folded"] is True


def tell_cli(memory: Memory, story: list[Message], corrected_at: str) -> None:
    """Imports a file, corrects and forgets with commands."""
    file = memory.data / "story.jsonl"
    names = {"event_id": "id"}
    lines = [{names.get(name, name): value for name, value in msgspec.structs.asdict(one).items()} for one in story]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    memory.run("import", file)
    finish_by_command(memory, corrected_at)


def tell_http(memory: Memory, client: httpx2.Client, story: list[Message], corrected_at: str) -> None:
    """Publishes, closes, corrects and forgets by requests."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"/v1/spaces/http/{path}", json=body)
        assert answer.status_code // 100 == 2, answer.text
        return answer.json()

    for message in story:
        post("events", message.fields)
    for session in SAID:
        post(f"sessions/{session}/close", {})
    memory.run("wait")
    facts = client.get("/v1/spaces/http/facts").json()["facts"]
    wrong = next(fact["node_id"] for fact in facts if fact["slot"] == "employer")
    post(f"facts/{wrong}/correct", {"text": RIGHT, "occurred_at": corrected_at, "event_id": CORRECTION})
    assert post("forget", {"text": "that I like jazz"})["forgotten"] is False
    assert post("forget", {"text": "that I like jazz", "preview": False})["folded"] is True


@contextmanager
def started(memory: Memory, ready: str, *args: str) -> Iterator[str]:
    """A command that listens at a free port, until the end of the block; gives the URL that it tells."""
    with memory.start(*args, "--port", "0") as process:
        process.wait_for("Ctrl-C" if args[0] == "serve" else "is up")
        found = re.search(ready, process.output)
        assert found is not None, process.output
        yield found[1].rstrip(";")
        process.interrupt()
        process.wait()


# ---- the story ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Memory]:
    """A space for each door, told the story through it, and at rest."""
    home = Memory(tmp_path_factory.mktemp("doors") / "data")
    found = {door: home.of_space(door) for door in DOORS}
    with home.up("--all"), started(home, r"at (http://\S+);", "serve", "--no-token") as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            story = tell_proxy(found["proxy"])
            for session in SAID:
                client.post(f"/v1/spaces/proxy/sessions/{session}/close", json={}).raise_for_status()
            corrected_at = tell_mcp(found["mcp"], story)
            finish_by_command(found["proxy"], corrected_at)
            tell_cli(found["cli"], story, corrected_at)
            tell_http(found["http"], client, story, corrected_at)
        for memory in found.values():
            memory.run("wait")
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("door", DOORS)
def test_the_story_is_known_however_it_was_told(spaces: dict[str, Memory], door: str) -> None:
    facts = {fact["content"]: fact for fact in spaces[door].json("facts", "--all")}
    rust = facts["Ada prefers Rust as programming language."]
    assert facts["Ada prefers Python as programming language."]["superseded_by"] == rust["node_id"]
    assert {content: fact["status"] for content, fact in facts.items()} == {
        "Ada prefers Python as programming language.": "superseded",
        "Ada prefers Rust as programming language.": "live",
        "Ada works at Acme.": "corrected",
        "Ada works at Bolt.": "live",
        "Ada likes jazz.": "forgotten",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("door", DOORS)
def test_the_same_story_ends_in_the_same_content_hash_through_every_door(spaces: dict[str, Memory], door: str) -> None:
    assert spaces[door].json("verify")["content_hash"] == spaces["cli"].json("verify")["content_hash"]


@pytest.mark.timeout(300)
def test_another_story_has_another_content_hash(spaces: dict[str, Memory], tmp_path: Path) -> None:
    other = Memory(tmp_path / "data")
    other.run("publish", SAID["monday"], "--role", "user", "--session", "monday", "--speaker", "Ada")
    with other.up():
        other.run("wait")
    assert other.json("verify")["content_hash"] != spaces["cli"].json("verify")["content_hash"]
