"""How long it takes to erase one of the speakers of a large space, step by step, and to replay it with a snapshot.

.venv/bin/python benchmarks/erasing.py                          100,000 messages, and a fact for each eighth
.venv/bin/python benchmarks/erasing.py --nodes 20000
.venv/bin/python benchmarks/erasing.py --events 1000000         only the replay of so many events
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from conversation import messages
from workbench import SEED, Workbench, workbench

from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.cells import Cell, Evidence
from mnemolog.schema.controls import ErasureRequested, salted
from mnemolog.schema.outcomes import CellsExtracted, Engine, ExtractedCell
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.erasing import carrying, plans
from mnemolog.workers.outbox import append
from mnemolog.workers.rebuilding import replay, snapshots
from mnemolog.workers.writer import space_writer
from mnemolog.workers.writer.space_writer import SpaceWriter

PAGE = 500
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("plan: what goes, and what was made of it", carrying, "select"),
    ("archive rewritten", carrying.rewriting, "rewrite"),
    ("stream begun anew", carrying, "begin_stream"),
    ("file built from the log", space_writer, "build"),
    ("vectors", space_writer, "index_vectors"),
    ("file swapped in", space_writer, "swap"),
    ("write-ahead log emptied", carrying, "_empty_wal"),
    ("Redis and its files cleaned", carrying.Cleaning, "clean"),
)
_WINDOWS = """
    SELECT j.job_key, j.generation, n.event_id, n.content, ifnull(n.speaker, 'user') FROM jobs j
    JOIN nodes n ON n.node_id = json_extract(j.inputs, '$[0]') WHERE j.kind = 'extract' AND j.state = 'due'
    ORDER BY j.position_ms, j.position_seq
"""
_SPEAKERS = (
    "SELECT speaker, count(*) FROM nodes WHERE type = 'episodic' AND speaker IS NOT NULL GROUP BY speaker ORDER BY 2, 1"
)


@contextmanager
def writing(bench: Workbench, settings: Settings) -> Iterator[SpaceWriter]:
    """The writer of a space, in this process."""
    writer = SpaceWriter(settings, Stream(bench.client, settings.space), WordLlamaEmbedder())
    writer.open()
    try:
        yield writer
    finally:
        writer.close()


def fold(writer: SpaceWriter) -> None:
    """Folds what is published."""
    while entries := writer.stream.range(writer.position, PAGE):
        writer.fold(entries)


def extract(bench: Workbench, writer: SpaceWriter) -> int:
    """Concludes a fact from each window, as a worker would; gives how many."""
    rows: list[Any] = writer.connection.execute(_WINDOWS).fetchall()
    for key, generation, event_id, content, speaker in rows:
        cell = Cell(
            content=content,
            cell_type="fact",
            subject=speaker,
            scene=content.split()[0].casefold(),
            evidence=(Evidence(event_id, content),),
        )
        outcome = CellsExtracted(
            job_key=key,
            generation=generation,
            engine=Engine(name="none"),
            raw=content,
            cells=(ExtractedCell(cell=cell),),
        )
        append(bench.client, writer.space, f"outcome-{key}", outcome)
    fold(writer)
    return len(rows)


@contextmanager
def timed(steps: Iterable[tuple[str, Any, str]], seconds: dict[str, float]) -> Iterator[None]:
    """Adds up how long each of some functions takes."""

    def wrapped(name: str, real: Any) -> Any:
        def run(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **more)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began

        return run

    kept = [(owner, attribute, getattr(owner, attribute)) for _, owner, attribute in steps]
    for (name, owner, attribute), (_, _, real) in zip(steps, kept, strict=True):
        setattr(owner, attribute, wrapped(name, real))
    try:
        yield
    finally:
        for owner, attribute, real in kept:
            setattr(owner, attribute, real)


def erase(bench: Workbench, settings: Settings) -> None:
    """Erases the speaker who said least, and tells how long each step took."""
    with writing(bench, settings) as writer:
        facts = extract(bench, writer)
        speakers: list[Any] = writer.connection.execute(_SPEAKERS).fetchall()
        name, said = speakers[0]
        nodes = writer.connection.execute("SELECT count(*) FROM nodes").get
        click.echo(
            f"{nodes:,} nodes, {facts:,} of them facts; erasing one of {len(speakers)} speakers ({said:,} messages)"
        )
        salt = str(writer.connection.execute("SELECT salt FROM space").get)
        request = ErasureRequested(what="speaker", hash=salted(salt, "speaker", name))
        position = append(bench.client, settings.space, "erase", request)
        seconds: dict[str, float] = {}
        began = time.perf_counter()
        with timed(STEPS, seconds):
            fold(writer)
        whole = time.perf_counter() - began
    for step, took in seconds.items():
        click.echo(f"    {took:8.2f} s  {step}")
    click.echo(f"    {whole:8.2f} s  in all")
    receipt = plans.receipt_of(settings, str(position))
    assert receipt is not None
    click.echo(f"    {msgspec.json.encode(receipt.erased).decode()}")


def replay_twice(bench: Workbench, settings: Settings, events: int) -> None:
    """Replays a space of so many events from a snapshot of nine tenths of them, and from the beginning."""
    for full in (False, True):
        stream = Stream(bench.client, settings.space)
        began = time.perf_counter()
        done = replay.replay(settings, stream, WordLlamaEmbedder(), full=full, progress=lambda _: None)
        took = time.perf_counter() - began
        assert done.equal
        click.echo(
            f"    {took:8.2f} s  replay of {events:,} events {'from the beginning' if full else 'from a snapshot'}"
        )


@click.command()
@click.option("--nodes", default=100_000, help="Messages in the space that is erased from; 0 leaves it out.")
@click.option("--events", default=0, help="Events in the space that is replayed; 0 leaves it out.")
def main(nodes: int, events: int) -> None:
    """Measures erasing, or replay, or both."""
    with workbench() as bench:
        if nodes and not events:
            erase(bench, bench.loaded(nodes))
        if events:
            settings = bench.loaded(events * 9 // 10)
            assert snapshots.take(settings) is not None
            with bench.producer(settings) as producer:
                producer.publish_many(messages(events - events * 9 // 10, SEED, prefix="later"))
            with writing(bench, settings) as writer:
                fold(writer)
            replay_twice(bench, settings, events)


if __name__ == "__main__":
    main()
