"""What there is to say of a space: how far it is, what it holds, who writes it, how safe its log is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import apsw
import msgspec
import redis

from mnemolog.projections import pending
from mnemolog.projections.indexes import vectors
from mnemolog.projections.indexes.vectors import VectorState
from mnemolog.projections.integrity import fast_hash, position_of
from mnemolog.schema import archive, troubles
from mnemolog.schema.endpoint import translate
from mnemolog.schema.ids import Position
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

#: Lag is counted entry by entry, up to this many.
MOST_LAG = 100_000

JOB_STATES = ("due", "failed", "done", "void")


class Counts(msgspec.Struct, frozen=True):
    """What a file holds, by kind, in one read transaction.

    `unknown_language` counts the messages whose language the engine that read them does not know.
    """

    position: Position
    fold_version: int
    hash: str
    events: int
    sessions: int
    nodes: dict[str, int]
    edges: dict[str, int]
    vectors: VectorState
    jobs: dict[str, int]
    jobs_by_kind: dict[str, dict[str, int]]
    last_failure: str | None
    requests_pending: int
    dead_letters: int
    unknown_language: int


class Holder(msgspec.Struct, frozen=True):
    """Who holds the space's lease, or held it last; `renewed_s_ago` is None when it was given back."""

    host: str
    pid: int
    epoch: int
    renewed_s_ago: float | None


class ArchiveFacts(msgspec.Struct, frozen=True):
    """What the archive has: entries, segments and bytes on disk, and its end."""

    entries: int
    segments: int
    bytes: int
    end: str | None


class StreamFacts(msgspec.Struct, frozen=True):
    """What the stream has: entries, its bounds, and its memory in Redis as Redis estimates it.

    `trimmed_before` is the position before which everything is in the archive alone; None when nothing was trimmed.
    """

    entries: int
    first: str | None
    top: str
    memory_bytes: int | None
    trimmed_before: str | None


class Retention(msgspec.Struct, frozen=True):
    """How many entries, and bytes of Redis' memory, of what is folded a stream may keep; 0 stands for any number."""

    stream_events: int
    stream_bytes: int


def counts(connection: apsw.Connection) -> Counts:
    """Counts of a file, all from one read transaction."""
    with connection:
        kinds = _jobs(connection)
        found: dict[str, Any] = {
            "position": position_of(connection),
            "fold_version": connection.execute("SELECT fold_version FROM space").get,
            "hash": fast_hash(connection),
            "events": connection.execute("SELECT count(*) FROM events").get,
            "sessions": connection.execute("SELECT count(*) FROM sessions").get,
            "nodes": dict(connection.execute("SELECT type, count(*) FROM nodes GROUP BY type")),
            "edges": dict(connection.execute("SELECT kind, count(*) FROM edges GROUP BY kind")),
            "vectors": vectors.state(connection),
            "jobs": {state: sum(kind[state] for kind in kinds.values()) for state in JOB_STATES},
            "jobs_by_kind": kinds,
            "last_failure": last_failure(connection),
            "requests_pending": pending.waiting(connection),
            "dead_letters": connection.execute("SELECT count(*) FROM dead_letters WHERE state = 'parked'").get,
            "unknown_language": connection.execute("SELECT coalesce(sum(unknown_language), 0) FROM outcomes").get,
        }
    return Counts(**found)


def _jobs(connection: apsw.Connection) -> dict[str, dict[str, int]]:
    """How many jobs of each kind are in each state."""
    kinds = {kind: dict.fromkeys(JOB_STATES, 0) for kind in QUEUES}
    rows: list[Any] = connection.execute("SELECT kind, state, count(*) FROM jobs GROUP BY kind, state").fetchall()
    for kind, state, count in rows:
        kinds[kind][state] = count
    return {str(kind): states for kind, states in kinds.items()}


def last_failure(connection: apsw.Connection) -> str | None:
    """Why the last job that is failed and not requeued was given up; None when there is none."""
    reason: str | None = connection.execute(
        "SELECT j.reason FROM jobs j JOIN outcomes o USING (job_key, generation) "
        "WHERE j.state = 'failed' ORDER BY o.ms DESC, o.seq DESC LIMIT 1"
    ).get
    return reason


def holder(connection: apsw.Connection) -> Holder:
    """Who writes the space."""
    epoch, host, pid, renewed_at = connection.execute("SELECT epoch, host, pid, renewed_at FROM lease").get
    ago = None if pid == 0 else round(max(0.0, time.time() - renewed_at / 1000), 1)
    return Holder(host, pid, epoch, ago)


def archive_facts(folder: Path) -> ArchiveFacts:
    """What the archive has. Raises DamagedFile where its end cannot be read."""
    last = archive.last_entry(folder)
    sizes = [path.stat().st_size for path in folder.glob("*.jsonl*")] if folder.is_dir() else []
    return ArchiveFacts(
        archive.count(folder), len(archive.numbers(folder)), sum(sizes), str(last.position) if last else None
    )


def stream_facts(stream: Stream, folder: Path) -> StreamFacts | None:
    """What the stream of an archive's space has, or None when there is no stream.

    Raises the errors of Stream, and DamagedFile where the archive's beginning cannot be read.
    """
    bounds = stream.bounds()
    if bounds is None:
        return None
    archived = next(archive.read(folder), None)
    first = str(bounds.first) if bounds.first else None
    trimmed = bounds.first is not None and archived is not None and archived.position < bounds.first
    return StreamFacts(bounds.length, first, str(bounds.top), stream.memory_bytes(), first if trimmed else None)


def retention(settings: Settings) -> Retention:
    """What the settings say of how much a stream may keep."""
    return Retention(settings.stream_events, settings.stream_bytes)


def waiting(stream: Stream) -> dict[str, str]:
    """The jobs that wait for a budget, and why. Raises the errors of Stream."""
    try:
        return troubles.waiting(stream.client, stream.space)
    except redis.RedisError as error:
        raise translate(error, f"read the troubles of space {stream.space!r}") from error


def lag(stream: Stream, position: Position) -> int:
    """How many entries are published and not folded, counted up to MOST_LAG. Raises the errors of Stream."""
    return stream.count_after(position, MOST_LAG)


def durability(client: redis.Redis) -> str:
    """What an acknowledged event survives: `power` (a power cut), `process` (any process), `nothing`, or `unknown`.

    As Redis' own settings say: `appendfsync always`, or an append-only file at all.
    """
    try:
        config: Any = client.config_get("append*")
    except redis.RedisError:
        return "unknown"
    plain = {_plain(name): _plain(value) for name, value in config.items()}
    if plain.get("appendonly") != "yes":
        return "nothing"
    return "power" if plain.get("appendfsync") == "always" else "process"


def _plain(text: bytes | str) -> str:
    return text.decode("ascii", "replace") if isinstance(text, bytes) else text
