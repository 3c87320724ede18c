"""`mnemolog proxy` as it is run: beside `mnemolog up`, stopped while it answers, and refusing what it must not do."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import openai
import pytest
from acceptance.memory import Memory
from support.processes import Process
from support.upstream import Upstream
from support.waiting import wait_until

from mnemolog.schema.endpoint import RedisFolder
from mnemolog.workers.redis_program import redis_program


@pytest.fixture
def memory(tmp_path: Path, redis_url: str) -> Memory:
    redis_program(RedisFolder(tmp_path))
    return Memory(tmp_path / "data")


@contextmanager
def proxied(memory: Memory, upstream: Upstream, *options: str) -> Iterator[tuple[Process, str]]:
    """The command at work, and the URL that clients are given."""
    with memory.start("proxy", "--upstream", upstream.url, "--port", "0", *options) as process:
        process.wait_for("mnemolog proxy is up")
        found = re.search(r"is up: (\S+) before", process.output)
        assert found is not None
        yield process, found[1]


def ask(url: str, text: str) -> str:
    with openai.OpenAI(base_url=url, api_key="sk-secret", max_retries=0) as client:
        reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content or ""


def test_what_was_said_in_one_chat_is_known_in_the_next(memory: Memory) -> None:
    with Upstream() as upstream, memory.up(), proxied(memory, upstream, "--speaker", "Ada") as (process, url):
        ask(url, "I moved to Lisbon last week.")
        wait_until(lambda: memory.ask("Where did I move?", "--no-record"), 20, "the message to be folded")
        assert "I moved to Lisbon" in ask(url, "To which city did I move?")
        process.interrupt()
        assert process.wait() == 0
        assert "Traceback" not in process.output
        assert "sk-secret" not in process.output
        found = memory.ask("moved to Lisbon", "--no-record")
        assert ("Ada", "I moved to Lisbon last week.") in [(one["speaker"], one["content"]) for one in found]


@pytest.mark.parametrize("number", [2, 15])
def test_an_answer_that_has_begun_comes_to_its_end_when_the_proxy_is_stopped(memory: Memory, number: int) -> None:
    with Upstream() as upstream, proxied(memory, upstream) as (process, url):
        upstream.hold = threading.Event()
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        with httpx2.stream("POST", f"{url}/chat/completions", json=body, timeout=20) as answer:
            assert answer.headers["mnemolog-published"].startswith("unavailable; its log cannot be reached")
            chunks = answer.iter_raw()
            next(chunks)
            process.signal(number)
            wait_until(lambda: not _takes_connections(url), what="the proxy to take no more")
            upstream.hold.set()
            assert b"".join(chunks).endswith(b"data: [DONE]\n\n")
        assert process.wait() == 0
        assert "Traceback" not in process.output


def _takes_connections(url: str) -> bool:
    try:
        httpx2.get(url.replace("/v1", "/mnemolog/healthz"), timeout=5)
    except httpx2.TransportError:
        return False
    return True


def test_a_chat_goes_on_while_redis_is_away_and_what_was_said_then_is_not_lost(memory: Memory) -> None:
    with Upstream(lambda _: "Fine.") as upstream, proxied(memory, upstream, "--session", "monday") as (_, url):
        with memory.up():
            ask(url, "I moved to Lisbon.")
            wait_until(lambda: memory.ask("Lisbon", "--no-record"), 20, "the message to be folded")
        assert ask(url, "I bought a violin.") == "Fine."
        with memory.up():
            client = openai.OpenAI(base_url=url, api_key="k", max_retries=0)
            history = [("user", "I moved to Lisbon."), ("assistant", "Fine."), ("user", "I bought a violin.")]
            messages = [
                {"role": role, "content": text} for role, text in [*history, ("assistant", "Fine."), ("user", "More.")]
            ]

            def heard() -> bool:
                client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
                return bool(memory.ask("violin", "--no-record"))

            wait_until(heard, 30, "what was said meanwhile to be known")
            client.close()
        said = memory.ask("violin", "--no-record")
        assert [found["content"] for found in said if "violin" in found["content"]] == ["I bought a violin."]


def test_what_it_is_told_wrongly_is_refused(memory: Memory) -> None:
    assert "http or https URL" in memory.run("proxy", "--upstream", "openai.com", status=2).stderr
    refused = memory.run("proxy", "--upstream", "http://u", "--host", "0.0.0.0", status=2)
    assert "--tokens, or --allow-remote" in refused.stderr
    assert "regular expression" in memory.run("proxy", "--upstream", "http://u", "--errand", "(", status=2).stderr
    with Upstream() as upstream:
        port = str(upstream.port)
        assert "in use" in memory.run("proxy", "--upstream", "http://u", "--port", port, status=1).stderr


def test_headers_without_an_end_are_not_held_in_memory(memory: Memory) -> None:
    with Upstream() as upstream, proxied(memory, upstream) as (_, url):
        address = ("127.0.0.1", int(url.split(":")[2].partition("/")[0]))
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
            with suppress(ConnectionResetError, BrokenPipeError):
                for _ in range(1_000):
                    client.sendall(b"x" * 1_000)
                assert client.recv(12) == b"HTTP/1.1 400"
            assert httpx2.get(f"{url}/models").status_code == 200
        assert len(upstream.asked) == 1
