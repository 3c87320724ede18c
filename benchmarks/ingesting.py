"""How fast the writer folds a backlog, how fast vectors follow in the same process, and what it takes to hold it."""

from __future__ import annotations

import time

import msgspec
from results import Figure
from workbench import POLL_S, Progress, Workbench

from mnemolog.projections.status import archive_facts
from mnemolog.schema.stream import Stream

TARGET_EVENTS_PER_S = 10_000
TARGET_VECTORS_PER_S = 4_000
TARGET_WRITER_MB = 400


class Run(msgspec.Struct, frozen=True):
    """One backlog worked off. `curve` holds (seconds since the first node was seen, nodes, vectors)."""

    events_per_s: float
    vectors_per_s: float
    processor_s: float
    writer_mb: float
    file_mb: float
    archive_mb: float
    curve: list[tuple[float, int, int]]


def backlog(bench: Workbench, nodes: int, runs: int) -> list[Figure]:
    """Folds messages that stand on the stream already, each run into a folder of its own."""
    space = bench.published(nodes).space
    done = [_run(bench, f"ingest-{run}", space, nodes) for run in range(runs)]
    memory_bytes = Stream(bench.client, space).memory_bytes()
    memory = [] if memory_bytes is None else [memory_bytes / 1e6]
    return [
        Figure(
            name=f"ingest of {nodes:,} messages",
            unit="events/s",
            values=[run.events_per_s for run in done],
            better="more",
            target=TARGET_EVENTS_PER_S,
            samples=[run.curve for run in done],
        ),
        Figure(
            name="vectors, following the ingest",
            unit="vectors/s",
            values=[run.vectors_per_s for run in done],
            better="more",
            target=TARGET_VECTORS_PER_S,
        ),
        Figure(name="processor time of both", unit="s", values=[run.processor_s for run in done]),
        Figure(
            name=f"writer's peak memory, {nodes:,} nodes",
            unit="MB",
            values=[run.writer_mb for run in done],
            target=TARGET_WRITER_MB,
        ),
        Figure(name="file", unit="MB", values=[run.file_mb for run in done]),
        Figure(name="archive", unit="MB", values=[run.archive_mb for run in done]),
        *([Figure(name="stream in Redis", unit="MB", values=memory)] if memory else []),
    ]


def _run(bench: Workbench, name: str, space: str, nodes: int) -> Run:
    settings = bench.settings(name, space)
    with bench.writer(settings) as writer:
        with writer.reading() as connection:
            seen = [(time.perf_counter(), now) for now in writer.follow(connection, nodes)]
        peak, processor_s = writer.peak_rss_mb, writer.processor_s
    # The process started before; it is the folding that is measured.
    curve = [(at, now) for at, now in seen if now.nodes]
    events_per_s, vectors_per_s = _rates(curve, nodes)
    done = Run(
        events_per_s=events_per_s,
        vectors_per_s=vectors_per_s,
        processor_s=round(processor_s, 2),
        writer_mb=round(peak, 1),
        file_mb=round(settings.file.stat().st_size / 1e6, 1),
        archive_mb=round(archive_facts(settings.archive).bytes / 1e6, 1),
        curve=[(round(at - curve[0][0], 4), now.nodes, now.vectors) for at, now in curve],
    )
    bench.remove(name)
    return done


def _rates(curve: list[tuple[float, Progress]], nodes: int) -> tuple[float, float]:
    """Nodes and vectors a second from the first look that saw a node to the first that saw all of them."""
    start, first = curve[0]
    folded_at = next(at for at, now in curve if now.nodes >= nodes)
    indexed_at = curve[-1][0]
    return (
        round((nodes - first.nodes) / max(folded_at - start, POLL_S)),
        round((nodes - first.vectors) / max(indexed_at - start, POLL_S)),
    )
