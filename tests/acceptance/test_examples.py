"""The examples, each run as it stands there: what is said in one start is known in the next."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest
from acceptance.memory import Memory
from support.commands import environment
from support.processes import Process
from support.redis_server import free_port
from support.stories import rows
from support.upstream import Asked, Upstream
from support.waiting import wait_until

from mnemolog.schema.recalled import BEGIN

EXAMPLES = Path(__file__).parents[2] / "examples"
LIKES = "I prefer Rust."
ASKS = "Which language do I prefer?"


def needs(package: str) -> None:
    """Skips a test of an example whose framework is not installed: only those who use it have it."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def from_memory(asked: Asked) -> str:
    """A model that repeats what was recalled for it, and has nothing else to say."""
    last = str(asked.last)
    return f"You told me: {last}" if BEGIN in last else "Noted."


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(from_memory) as upstream:
        yield upstream


def run(name: str, *args: str, memory: Memory, url: str, text: str = "") -> str:
    """What an example prints, `text` on its standard input."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *args],
        env=environment({**memory.env, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k", "USER": "Ada"}),
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def until_folded(memory: Memory, text: str) -> None:
    said = "SELECT 1 FROM nodes WHERE type = 'episodic' AND content = ?"
    wait_until(lambda: rows(memory.file, said, text), 20, f"{text!r} to be known")


def test_the_chat_bot_keeps_nothing_and_knows_it_all(memory: Memory, upstream: Upstream) -> None:
    options = ("--upstream", upstream.url, "--port", "0")
    with memory.up(), memory.start("proxy", *options) as proxy:
        proxy.wait_for("mnemolog proxy is up")
        (url,) = re.findall(r"is up: (\S+)", proxy.output)
        assert run("chat_bot.py", "Ada", memory=memory, url=url, text=f"{LIKES}\n") == "Noted.\n"
        until_folded(memory, LIKES)
        shown = run("chat_bot.py", "Ada", memory=memory, url=url, text=f"{ASKS}\nThanks.\n")
        assert LIKES in shown
        wait_until(lambda: memory.json("status")["nodes"]["episodic"] == 6, what="all turns to be known")


def test_the_agent_knows_what_was_said_before_and_uses_its_tools(memory: Memory, upstream: Upstream) -> None:
    def use_tools(asked: Asked) -> str | dict[str, Any]:
        if asked.json["messages"][-1]["role"] == "tool":
            return f"The tool says: {asked.last}"
        if "remember" not in str(asked.last):
            return from_memory(asked)
        call = {"name": "remember", "arguments": '{"text": "I drink tea."}'}
        return {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}

    upstream.answer = use_tools
    with memory.up():
        run("openai_agent.py", LIKES, memory=memory, url=upstream.url)
        until_folded(memory, LIKES)
        assert LIKES.rstrip(".") in run("openai_agent.py", ASKS, memory=memory, url=upstream.url)
        shown = run("openai_agent.py", "Please remember that I drink tea.", memory=memory, url=upstream.url)
        assert shown == "The tool says: noted\n"
        assert any("tea" in fact["content"] for fact in memory.json("facts"))


def test_a_chain_of_langchains_knows_what_was_said_before(memory: Memory, upstream: Upstream) -> None:
    needs("langchain_core")
    with memory.up():
        run("langchain_agent.py", LIKES, "I drink tea.", memory=memory, url=upstream.url)
        until_folded(memory, "I drink tea.")
        assert len(upstream.last.json["messages"]) == 4
        assert LIKES.rstrip(".") in run("langchain_agent.py", ASKS, memory=memory, url=upstream.url)


def test_the_backend_remembers_each_user_apart(memory: Memory, upstream: Upstream) -> None:
    needs("fastapi")
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "--port", port, "fastapi_chat:app"]
    env = {**memory.env, "OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "k"}
    with memory.up("--all"), Process(*command, env=env) as backend:
        backend.wait_for("Application startup complete")
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def say(user: str, text: str) -> str:
                answer = client.post(f"/chat/{user}/monday", json={"text": text})
                assert answer.status_code == 200, answer.text
                return str(answer.json()["text"])

            assert say("ada", LIKES) == "Noted."
            until_folded(memory.of_space("user-ada"), LIKES)
            assert LIKES.rstrip(".") in say("ada", ASKS)
            assert say("ben", ASKS) == "Noted."
            assert client.get("/facts/ben").json() == []
            assert client.post("/chat/..%2Fada/monday", json={"text": "Hi"}).status_code in {404, 422}
