"""How fast questions in natural language are answered from a file that the writer made."""

from __future__ import annotations

import time

import apsw
import msgspec
from conversation import questions
from results import Figure, percentiles
from workbench import SEED, Workbench

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.recall import recall

LIMIT = 10
WARM_UP = 20
#: Milliseconds that the 95th percentile may take, by nodes.
TARGETS_P95_MS = {10_000: 15.0, 100_000: 40.0}


def answers(bench: Workbench, nodes: int, count: int, runs: int) -> list[Figure]:
    """Milliseconds of each recall, embedding the question included, while no writer runs; no question is asked twice.

    Beside them stand the processor time, which other processes of a busy machine lengthen less, and how many questions
    found something, because an empty answer is a quick one.
    """
    settings = bench.loaded(nodes)
    connection = open_reader(settings.file)
    try:
        done = [_ask(connection, questions(WARM_UP + count, SEED + 1 + run)) for run in range(runs)]
    finally:
        connection.close()
    name = f"recall, {nodes:,} nodes"
    return [
        *percentiles(name, [run.took_ms for run in done], {50: None, 95: TARGETS_P95_MS.get(nodes)}),
        *percentiles(f"{name}, processor", [run.processor_ms for run in done], {50: None, 95: None}),
        Figure(name=f"{name}, answered", unit="%", values=[run.answered for run in done], better="more"),
    ]


class _Asked(msgspec.Struct, frozen=True):
    took_ms: list[float]
    processor_ms: list[float]
    answered: float


def _ask(connection: apsw.Connection, asked: list[str]) -> _Asked:
    embedder = WordLlamaEmbedder()
    now = time.time_ns() // 1_000_000
    took, processor = [], []
    answered = 0
    for question in asked:
        started, used = time.perf_counter_ns(), time.process_time_ns()
        found = recall(connection, question, embedder=embedder, limit=LIMIT, now=now)
        took.append((time.perf_counter_ns() - started) / 1e6)
        processor.append((time.process_time_ns() - used) / 1e6)
        answered += bool(found)
    return _Asked(took[WARM_UP:], processor[WARM_UP:], round(100 * answered / len(asked), 1))
