"""Publish and recall over HTTP against calling the library: requests a second and latencies, in one run.

    python benchmarks/http_load.py --messages 10000 --clients 1 4 --seconds 5

Runs `mnemolog up` and `mnemolog serve` on a data folder of its own, fills a space, and measures each with so many
clients at once: over HTTP with keep-alive connections from processes of their own, of the library with threads of this
process. Each client sends its next request when the one before is answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from conversation import messages
from msgspec import UNSET

from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import Settings

SPACE = "load"
SEED = 20261121
QUESTIONS = ("What does Ada like to drink?", "Who moved to Lisbon?", "When is the deadline?", "What about the garden?")
MNEMOLOG = str(Path(sysconfig.get_path("scripts")) / "mnemolog")


def interactions(count: int, mark: str) -> list[Interaction]:
    return [
        Interaction(role=one.role, content=one.content, session=one.session, speaker=one.speaker)
        for one in messages(count, SEED, mark, mark)
    ]


@contextmanager
def running(data: Path, *command: str) -> Iterator[str]:
    """A long-running command, and the line with which it says that it is ready."""
    process = subprocess.Popen([MNEMOLOG, "--data", str(data), *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        ready = next((line for line in process.stderr if "drains and stops" in line), "")
        # What it logs must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        assert ready, f"{command} did not start"
        yield ready
    finally:
        process.terminate()
        process.wait(60)


def timed(call: Callable[[int], None], seconds: float, offset: int) -> list[float]:
    """Milliseconds of each call for so long, one after the other."""
    took = []
    until = time.perf_counter() + seconds
    number = offset
    while (started := time.perf_counter()) < until:
        call(number)
        took.append((time.perf_counter() - started) * 1000)
        number += 1
    return took


def over_http(port: int, path: str, bodies: list[bytes], seconds: float, offset: int) -> list[float]:
    """The same for requests of one client over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": "application/json"}

    def call(number: int) -> None:
        connection.request("POST", path, bodies[number % len(bodies)], headers)
        answer = connection.getresponse()
        told = answer.read()
        assert answer.status == 200, told

    return timed(call, seconds, offset)


def report(name: str, clients: int, samples: list[list[float]], seconds: float) -> None:
    took = sorted(value for sample in samples for value in sample)
    p99 = took[min(len(took) - 1, round(0.99 * len(took)))]
    rate = len(took) / seconds
    print(f"{name:32} {clients:2} clients {rate:8.0f}/s  p50 {statistics.median(took):7.2f} ms  p99 {p99:7.2f} ms")
    sys.stdout.flush()


def measure(memory: Memory, port: int, clients: int, seconds: float) -> None:
    mark = f"c{clients}"
    said = interactions(2_000, mark)
    bodies = {
        "events": [json.dumps({"role": o.role, "content": o.content, "session": o.session}).encode() for o in said],
        "recall": [json.dumps({"query": question}).encode() for question in QUESTIONS],
    }
    calls: dict[str, Callable[[int], None]] = {
        "events": lambda number: void(memory.publish(said[number % len(said)])),
        "recall": lambda number: void(memory.recall(QUESTIONS[number % len(QUESTIONS)])),
    }
    context = multiprocessing.get_context("spawn")
    for what, call in calls.items():
        with ThreadPoolExecutor(clients) as threads:
            found = [threads.submit(timed, call, seconds, number * 97) for number in range(clients)]
            report(f"{what}, library", clients, [one.result() for one in found], seconds)
        with ProcessPoolExecutor(clients, context) as processes:
            list(processes.map(abs, range(clients)))
            path = f"/v1/spaces/{SPACE}/{what}"
            sent = [
                processes.submit(over_http, port, path, bodies[what], seconds, number * 97) for number in range(clients)
            ]
            report(f"{what}, HTTP", clients, [one.result() for one in sent], seconds)


def void(_: object) -> None:
    """Takes an answer, and gives none."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="in the space before anything is measured")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4], help="how many at once")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    given = parser.parse_args()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(running(data, "--space", SPACE, "ingest"))
        options = ("--no-token", "--port", "0", "--requests-per-s", "1000000")
        ready = stack.enter_context(running(data, "serve", *options))
        port = int(ready.partition("http://127.0.0.1:")[2].partition(";")[0])
        memories = stack.enter_context(Memories(Settings(data=data, space=SPACE), model_settings({})))
        memory = stack.enter_context(memories.using())
        sent = memory.publish_many(interactions(given.messages, "fill"))
        assert memory.wait(str(sent[-1].position), 300.0)
        while (vectors := memory.status().vectors) is UNSET or vectors.missing:
            time.sleep(0.1)
        for clients in given.clients:
            measure(memory, port, clients, given.seconds)


if __name__ == "__main__":
    main()
