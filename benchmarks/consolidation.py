"""What memory costs: model calls and tokens, jobs per second, and how soon what was said is a fact.

Talk is one long session, so that all windows are full. The stand-in for a model makes a cell of every other message,
without slot or object, in one of a few scenes, and finds no conflicts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from conversation import Vocabulary
from drained import WINDOW, Line, drain, model, reading, run, running, spent, wait_until, write
from results import Figure, percentiles
from workbench import SEED, Workbench

from mnemolog.gateway.model_server import Request
from mnemolog.producers import Message
from mnemolog.projections.connection import open_reader
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import parse

FIRST_AT = parse("2024-01-01T09:00:00Z")
SCENES = ("career", "garden", "music", "travel", "health", "food")
MOST_CALLS = {"extract": 1.0, "all": 1.3}
WORKERS = (1, 2, 4)
SPEED_UP = 3.5
MODEL_S = 1.0
#: What the rules are given to read: about every second one makes a cell.
SENTENCES = (
    "I live in {}.",
    "Did you see the game last night?",
    "I work at {} these days.",
    "That was a long meeting.",
    "I really like {}.",
    "The weather in {} was awful.",
    "My sister Mia moved to {}.",
    "Let us talk about it tomorrow.",
)


def _lines(contents: list[str]) -> list[Line]:
    return [
        Line(id=f"m{number}", session="long", content=content, at=FIRST_AT + number * 40_000, speaker="Ada")
        for number, content in enumerate(contents)
    ]


class Listener:
    """A model that makes a cell of every other message after a while."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self.first_asked_at: float | None = None

    def __call__(self, request: Request) -> dict[str, Any]:
        if self.first_asked_at is None:
            self.first_asked_at = time.time()
        if self._delay_s:
            time.sleep(self._delay_s)
        if request.kind == "extract":
            return {"cells": [_cell(message) for message in request.messages[1::2]]}
        return {"verdicts": [], "summary": "What was said."}


def _cell(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "content": message["content"],
        "cell_type": "fact",
        "subject": "I",
        "scene": SCENES[len(message["content"]) % len(SCENES)],
        "evidence": [{"event_id": message["event_id"], "quote": message["content"]}],
    }


def costs(bench: Workbench, messages: int) -> list[Figure]:
    """Model calls and prompt tokens for the messages of one long session."""
    vocabulary = Vocabulary(SEED)
    file = write(bench.folder / "costs.jsonl", _lines([vocabulary.sentence() for _ in range(messages)]))
    with model(Listener()) as (_, env):
        settings = drain(bench, "costs", file, env)
    with reading(settings) as connection:
        cost = spent(connection)
    return [
        Figure(
            name="model calls for 8 messages, extraction",
            unit="calls",
            values=[cost.per_8_messages("extract")],
            target=MOST_CALLS["extract"],
        ),
        Figure(
            name="model calls for 8 messages, all",
            unit="calls",
            values=[cost.per_8_messages()],
            target=MOST_CALLS["all"],
        ),
        Figure(name="model calls for 100 messages", unit="calls", values=[100 * cost.all_calls / cost.messages]),
        Figure(
            name="prompt tokens for 100 messages",
            unit="tokens",
            values=[100 * sum(cost.tokens_in.values()) / cost.messages],
        ),
    ]


def _said(bench: Workbench, name: str, windows: int, content: Callable[[int], str]) -> Settings:
    """A space in whose stream so many full windows wait for a writer."""
    settings = bench.settings("jobs", name)
    with bench.producer(settings) as producer:
        producer.publish_many(_messages(windows * WINDOW, content))
    return settings


def _messages(count: int, content: Callable[[int], str]) -> Iterator[Message]:
    for number in range(count):
        yield Message(
            role="user",
            content=content(number),
            session="long",
            speaker="Ada",
            occurred_at=FIRST_AT + number * 40_000,
        )


_DONE = "SELECT count(*), min(ms), max(ms) FROM outcomes WHERE kind = 'extract' AND accepted"


def _extracted(settings: Settings, windows: int) -> tuple[float, float]:
    """When the first and the last of so many windows were extracted, in seconds."""
    wait_until(settings.file.exists, "the writer to begin")

    def done() -> bool:
        with reading(settings) as connection:
            there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outcomes'").get
            return bool(there) and connection.execute(_DONE).get[0] >= windows

    wait_until(done, f"{windows} extractions", 300.0)
    with reading(settings) as connection:
        _, first, last = connection.execute(_DONE).get
    return first / 1000, last / 1000


def _working(settings: Settings, workers: int, windows: int, env: dict[str, str]) -> tuple[float, float]:
    with (
        running(settings, "ingest", env=env),
        running(settings, "worker", "--queue", "extract", "-n", str(workers), env=env),
    ):
        return _extracted(settings, windows)


def rules_speed(bench: Workbench, windows: int, runs: int) -> list[Figure]:
    """Windows extracted per second by one worker with the rules, from the first to the last of a backlog."""
    names = Vocabulary(SEED)
    rates = []
    for turn in range(runs):
        settings = _said(bench, f"rules-{turn}", windows, lambda n: SENTENCES[n % WINDOW].format(names.name()))
        first, last = _working(settings, 1, windows, {})
        rates.append(round((windows - 1) / (last - first), 1))
    return [Figure(name="jobs with the rules, 1 worker", unit="jobs/s", values=rates, better="more")]


def model_speed(bench: Workbench, windows: int) -> list[Figure]:
    """Windows extracted per second with a model that takes a second, by 1, 2 and 4 workers."""
    names = Vocabulary(SEED)
    rates = {}
    for workers in WORKERS:
        settings = _said(bench, f"model-{workers}", windows, lambda _: names.sentence())
        listener = Listener(MODEL_S)
        with model(listener) as (_, env):
            _, last = _working(settings, workers, windows, env)
        assert listener.first_asked_at is not None
        rates[workers] = windows / (last - listener.first_asked_at)
    figures = [
        Figure(
            name=f"jobs, {MODEL_S:g} s model, {workers} worker{'s' * (workers > 1)}",
            unit="jobs/s",
            values=[round(rate, 2)],
            better="more",
        )
        for workers, rate in rates.items()
    ]
    speed_up = round(rates[4] / rates[1], 2)
    return [
        *figures,
        Figure(name="4 workers against 1", unit="times", values=[speed_up], better="more", target=SPEED_UP),
    ]


def soon(bench: Workbench, windows: int) -> list[Figure]:
    """Milliseconds from when a window's last message is acknowledged until a reader finds the window's facts.

    Beside them the model calls that talk costs when each window is worked off before the next one is full.
    """
    names = Vocabulary(SEED)
    settings = bench.settings("jobs", "soon")
    with model(Listener()) as (_, env), bench.producer(settings) as producer, running(settings, "up", env=env):
        taken = []
        for window in range(windows + 1):
            producer.publish_many(_window(window, names))
            acknowledged = time.monotonic()
            if not window:
                wait_until(settings.file.exists, "the writer to begin")
            _facts(settings, (window + 1) * WINDOW // 2)
            taken.append((time.monotonic() - acknowledged) * 1000)
        run(settings, "wait")
        with reading(settings) as connection:
            cost = spent(connection)
    # The first waits for processes to start.
    return [
        *percentiles("closed window to live fact", [taken[1:]], {50: None, 95: None}),
        Figure(name="calls for 8 messages, one by one", unit="calls", values=[cost.per_8_messages()]),
    ]


def _window(window: int, names: Vocabulary) -> Iterator[Message]:
    for number in range(window * WINDOW, (window + 1) * WINDOW):
        yield Message(
            role="user",
            content=names.sentence(),
            session="long",
            speaker="Ada",
            occurred_at=FIRST_AT + number * 40_000,
        )


def _facts(settings: Settings, count: int) -> None:
    connection = open_reader(settings.file)
    try:
        there = "SELECT count(*) FROM sqlite_master WHERE name = 'cells'"
        wait_until(lambda: connection.execute(there).get == 1, "tables")
        wait_until(lambda: connection.execute("SELECT count(*) FROM cells").get >= count, f"{count} facts")
    finally:
        connection.close()


def jobs(bench: Workbench, messages: int, runs: int) -> list[Figure]:
    """Both speeds, in a size that fits the number of messages wanted of a large space."""
    rounds = max(1, min(6, messages // 1_000))
    return [*rules_speed(bench, min(messages // WINDOW, 200), runs), *model_speed(bench, max(WORKERS) * rounds)]
