"""How fast what is derived is built again: the whole file from its log, the vectors from the nodes."""

from __future__ import annotations

import subprocess
import time

import msgspec
from results import Figure
from workbench import PATIENCE_S, Workbench, environment, mnemolog

from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.writer.space_writer import SpaceWriter

TARGET_REPLAY_PER_S = 10_000
TARGET_VECTORS_PER_S = 4_000


class _Replayed(msgspec.Struct, frozen=True):
    equal: bool
    events_per_s: float


def replay(bench: Workbench, nodes: int, runs: int) -> list[Figure]:
    """Events a second of `mnemolog replay --verify`. Raises RuntimeError when the rebuilt file is another one."""
    settings = bench.loaded(nodes)
    rates = [_replay(settings) for _ in range(runs)]
    return [
        Figure(
            name=f"replay of {nodes:,} messages",
            unit="events/s",
            values=rates,
            better="more",
            target=TARGET_REPLAY_PER_S,
        )
    ]


def _replay(settings: Settings) -> float:
    command = mnemolog(settings, "replay", "--verify", "--json")
    ended = subprocess.run(
        command, env=environment(), capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"replay ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return msgspec.json.decode(ended.stdout, type=_Replayed).events_per_s


def vectors_alone(bench: Workbench, nodes: int, runs: int) -> list[Figure]:
    """Vectors a second of `reindex vectors`: read, embedded, stored and swapped in, with nothing beside it."""
    settings = bench.loaded(nodes)
    rates = [_reindex(bench, settings, nodes) for _ in range(runs)]
    return [Figure(name="vectors, alone", unit="vectors/s", values=rates, better="more", target=TARGET_VECTORS_PER_S)]


def _reindex(bench: Workbench, settings: Settings, nodes: int) -> float:
    embedder = WordLlamaEmbedder()
    embedder.embed(["warm up"])
    writer = SpaceWriter(settings, Stream(bench.client, settings.space), embedder)
    writer.take()
    try:
        started = time.perf_counter()
        vectors.rebuild(writer.connection, embedder, writer.transaction, lambda _done, _total: None)
        return round(nodes / (time.perf_counter() - started))
    finally:
        writer.close()
