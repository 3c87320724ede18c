"""How long it takes from the call of `publish` until a reader finds the message, at a steady rate.

Three processes, as in production: this one publishes, the writer folds (and makes vectors), the watcher reads.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from conversation import messages
from results import Figure, percentiles
from watcher import READY
from workbench import SEED, Workbench, environment

from mnemolog.producers import Message, Producer
from mnemolog.schema.settings import Settings

RATE = 500
WARM_UP = 200
TARGET_P99_MS = 50.0
#: How long the last message may take.
LATE_S = 60.0


def fresh(bench: Workbench, seconds: float, runs: int) -> list[Figure]:
    """In a space that is nearly empty at the start."""
    samples = []
    for run in range(runs):
        settings = bench.settings("recallable", f"fresh-{run}")
        with bench.producer(settings) as producer:
            producer.publish_many(messages(WARM_UP, SEED, "warm-up"))
        samples.append(_latencies(bench, settings, WARM_UP, f"fresh{run}x", seconds))
    return percentiles(f"recallable at {RATE}/s", samples, {50: None, 99: TARGET_P99_MS})


def filled(bench: Workbench, nodes: int, seconds: float, runs: int) -> list[Figure]:
    """In a space that holds many nodes at the start."""
    settings = bench.published(nodes, "filled")
    samples = []
    for run in range(runs):
        there = nodes + run * round(seconds * RATE)
        samples.append(_latencies(bench, settings, there, f"filled{run}x", seconds))
    return percentiles(f"recallable at {RATE}/s, {nodes:,} nodes", samples, {50: None, 99: TARGET_P99_MS})


def _latencies(bench: Workbench, settings: Settings, there: int, mark: str, seconds: float) -> list[float]:
    """Milliseconds until each of the messages published in `seconds` was found; `there` nodes must be there before."""
    marked = list(messages(round(seconds * RATE), SEED, mark, mark))
    with bench.writer(settings) as writer, bench.producer(settings) as producer:
        writer.wait(there)
        watcher = _Watcher(settings.file, mark, len(marked), seconds + LATE_S)
        due = _publish(producer, marked)
        found = watcher.found_at()
    return [(seen - at) / 1e6 for at, seen in zip(due, found, strict=True)]


def _publish(producer: Producer, marked: list[Message]) -> list[int]:
    """Publishes at RATE and gives when each message was due, in monotonic nanoseconds.

    Late calls count from when they were due, so that a pause of the log is not hidden by the publisher's own waiting.
    """
    interval = 1_000_000_000 // RATE
    gc.collect()
    start = time.monotonic_ns() + interval
    due = [start + index * interval for index in range(len(marked))]
    for message, at in zip(marked, due, strict=True):
        time.sleep(max(0, at - time.monotonic_ns()) / 1e9)
        producer.publish(message.role, message.content, message.session, occurred_at=message.occurred_at)
    return due


class _Watcher:
    def __init__(self, file: Path, mark: str, count: int, timeout_s: float) -> None:
        program = Path(__file__).with_name("watcher.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(file), mark, str(count), str(timeout_s)],
            env=environment(),
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != READY:
            raise RuntimeError(f"the watcher ended with status {self._process.wait()}")

    def found_at(self) -> list[int]:
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the watcher ended with status {self._process.returncode}")
        return msgspec.json.decode(output, type=list[int])
