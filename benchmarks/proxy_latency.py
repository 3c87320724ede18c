"""What the proxy adds to the time of a request: against the upstream itself, by turns, in the same run.

    python benchmarks/proxy_latency.py --messages 10000 --requests 500

The upstream answers at once, so that what is left is the proxy's: finding a context among so many messages, publishing
what was said, and passing the answer on. Prints a table and, with --json, the figures.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import uvicorn
from conversation import messages, questions
from workbench import SEED, environment, mnemolog

from mnemolog.gateway.memory import Memories
from mnemolog.producers import Producer
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import Settings

PATIENCE_S = 600.0
WARM_UP = 30
UP = re.compile(r"(http://\S+)")
ANSWER = {"role": "assistant", "content": "Noted; I would look at the garden and the train first."}
HISTORY = 10


async def upstream(scope: Any, receive: Any, send: Any) -> None:
    """A model that answers at once; streamed answers come in 20 pieces."""
    if scope["type"] != "http":
        return
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    is_streamed = body and json.loads(body).get("stream")
    kind = b"text/event-stream" if is_streamed else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    for chunk in _events() if is_streamed else [json.dumps({"choices": [{"index": 0, "message": ANSWER}]}).encode()]:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _events() -> Iterator[bytes]:
    for number in range(20):
        delta = {"choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]}
        yield f"data: {json.dumps(delta)}\n\n".encode()
    yield b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@contextmanager
def process(command: list[str], ready: str) -> Iterator[str]:
    """A process, and the line in which it said that it is ready."""
    with tempfile.TemporaryFile("w+") as log:
        running = subprocess.Popen(command, stderr=log, stdout=log, env=environment())
        try:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                log.seek(0)
                found = next((line for line in log if ready in line), None)
                if found:
                    break
                if running.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    sys.exit(f"{command} did not start:\n{log.read()}")
                time.sleep(0.02)
            yield found
        finally:
            running.terminate()
            running.wait(60)


def body_of(history: list[dict[str, str]], question: str, *, stream: bool) -> dict[str, Any]:
    """A request as a frontend sends it that shows its model the last turns."""
    return {"model": "m", "stream": stream, "messages": [*history[-HISTORY:], {"role": "user", "content": question}]}


def first_byte_ms(client: httpx2.Client, url: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[float, str]:
    """Milliseconds to the first byte of the answer, which is then read to its end, and what the memory said."""
    began = time.perf_counter_ns()
    with client.stream("POST", f"{url}/chat/completions", json=body, headers=headers) as answer:
        chunks = answer.iter_raw()
        next(chunks)
        took = (time.perf_counter_ns() - began) / 1e6
        list(chunks)
    return took, answer.headers.get("mnemolog-memory", "")


def whole_ms(client: httpx2.Client, url: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[float, str]:
    """Milliseconds to the end of the answer, and what the memory said."""
    began = time.perf_counter_ns()
    answer = client.post(f"{url}/chat/completions", json=body, headers=headers)
    return (time.perf_counter_ns() - began) / 1e6, answer.headers.get("mnemolog-memory", "")


def figures(direct: list[float], proxied: list[float]) -> dict[str, float]:
    """Percentiles of both, and their differences."""
    found = {}
    for share in (50, 99):
        one, other = (float(np.percentile(samples, share)) for samples in (direct, proxied))
        found |= {f"direct_p{share}": one, f"proxy_p{share}": other, f"added_p{share}": other - one}
    return {name: round(value, 2) for name, value in found.items()}


def measured(
    name: str,
    one: Callable[..., tuple[float, str]],
    urls: tuple[str, str],
    asked: list[str],
    headers: dict[str, str],
) -> dict[str, Any]:
    """One conversation: for each question a request to the upstream, then the same through the proxy."""
    direct, proxied, told, history = [], [], [], []
    here = {**headers, "Mnemolog-Session": name}
    with httpx2.Client(timeout=60) as client:
        for number, question in enumerate(asked):
            body = body_of(history, question, stream=one is first_byte_ms)
            direct.append(one(client, urls[0], body, here)[0])
            took, memory = one(client, urls[1], body, here)
            proxied.append(took)
            told.append(memory.partition(" ")[0].rstrip(";"))
            history += [{"role": "user", "content": question}, {"role": "assistant", "content": f"Noted: {number}."}]
    counted = {word: told[WARM_UP:].count(word) for word in sorted(set(told[WARM_UP:]))}
    return {"what": name, **figures(direct[WARM_UP:], proxied[WARM_UP:]), "memory": counted}


def contexts(settings: Settings, asked: list[str]) -> dict[str, Any]:
    """How long the library takes for the same contexts."""
    took = []
    with Memories(settings, model_settings({})) as memories, memories.using() as memory:
        for question in asked:
            began = time.perf_counter_ns()
            memory.context(question, record=False)
            took.append((time.perf_counter_ns() - began) / 1e6)
    shares = {f"p{share}": round(float(np.percentile(took[WARM_UP:], share)), 2) for share in (50, 99)}
    return {"what": "a context from the library", **shares}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="messages in the memory")
    parser.add_argument("--requests", type=int, default=300, help="requests of each kind")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        config = uvicorn.Config(upstream, port=0, log_level="info", access_log=False)
        uvicorn.Server(config).run()
        return
    found = run(given.messages, given.requests)
    if given.json:
        print(json.dumps({"messages": given.messages, "requests": given.requests, "figures": found}))
        return
    for row in found:
        print(row["what"], *(f"{key}={value}" for key, value in row.items() if key != "what"), sep="  ")


def run(count: int, requests: int) -> list[dict[str, Any]]:
    """The figures of a memory of so many messages."""
    with ExitStack() as stack:
        settings = Settings(data=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mnemolog-proxy-"))))
        stack.enter_context(process(mnemolog(settings, "up"), "mnemolog is up"))
        with Producer(data=settings.data) as producer:
            producer.publish_many(messages(count, SEED))
        subprocess.run(mnemolog(settings, "wait"), check=False, capture_output=True, env=environment())
        behind = stack.enter_context(process([sys.executable, __file__, "--upstream"], "running on"))
        found = UP.search(behind)
        assert found is not None
        base = f"{found[1]}/v1"
        said = stack.enter_context(
            process(mnemolog(settings, "proxy", "--upstream", base, "--port", "0"), "proxy is up")
        )
        front = UP.search(said)
        assert front is not None
        urls = (base, front[1])
        asked = [questions(requests + WARM_UP, SEED + at) for at in (1, 2)]
        return [
            contexts(settings, asked[0]),
            measured("whole answer", whole_ms, urls, asked[0], {}),
            measured("first byte of a streamed answer", first_byte_ms, urls, asked[1], {}),
            measured("whole answer, memory off", whole_ms, urls, asked[0], {"Mnemolog-Use": "off"}),
        ]


if __name__ == "__main__":
    main()
