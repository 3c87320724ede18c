"""How fast messages are acknowledged, with the writer folding them meanwhile."""

from __future__ import annotations

import time

from conversation import messages
from results import Figure, percentiles
from workbench import SEED, Workbench

TARGET_P99_MS = 5.0


def one_at_a_time(bench: Workbench, count: int, runs: int) -> list[Figure]:
    """Milliseconds of each call of `publish`, one after the other without a pause; without those of the first 100."""
    samples = [_calls(bench, f"publish-{run}", count) for run in range(runs)]
    return percentiles("publish, one at a time", samples, {50: None, 99: TARGET_P99_MS})


def _calls(bench: Workbench, space: str, count: int) -> list[float]:
    settings = bench.settings("publish", space)
    warm_up = min(100, count)
    took = []
    with bench.writer(settings) as writer, bench.producer(settings) as producer:
        producer.publish_many(messages(warm_up, SEED, "warm-up"))
        writer.wait(warm_up)
        for message in list(messages(count, SEED)):
            started = time.perf_counter_ns()
            producer.publish(
                message.role,
                message.content,
                message.session,
                speaker=message.speaker,
                occurred_at=message.occurred_at,
            )
            took.append((time.perf_counter_ns() - started) / 1e6)
    return took


def pipelined(bench: Workbench, count: int, runs: int) -> list[Figure]:
    """Messages a second through `publish_many`, from messages to acknowledgements; no writer runs."""
    rates = [_rate(bench, f"pipelined-{run}", count) for run in range(runs)]
    return [Figure(name="publish, pipelined", unit="messages/s", values=rates, better="more")]


def _rate(bench: Workbench, space: str, count: int) -> float:
    settings = bench.settings("publish", space)
    prepared = list(messages(count, SEED))
    with bench.producer(settings) as producer:
        started = time.perf_counter()
        producer.publish_many(prepared)
        return round(count / (time.perf_counter() - started))
