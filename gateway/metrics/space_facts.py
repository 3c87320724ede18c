"""What metrics say of one space: counts from its file, read again only where its log went on, and sizes on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.integrity import position_of
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings

#: Upper bounds of the durations of jobs, in seconds.
BUCKETS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

_UNDER = ", ".join(f"sum(o.took_ms <= {int(1000 * bound)})" for bound in BUCKETS_S)
_OUTCOMES = f"""
    SELECT o.kind, CASE WHEN NOT o.accepted THEN 'refused' WHEN e.type = 'job_failed' THEN 'failed' ELSE 'done' END
        AS result, count(*), sum(o.took_ms), {_UNDER}
    FROM outcomes o JOIN events e USING (event_id) GROUP BY o.kind, result
"""
_SPENT = "SELECT total(calls), total(tokens_in), total(tokens_out), total(cost_usd) FROM outcomes"
#: The writer keeps the number of rows of each table: nothing is counted for these.
_ROWS = "SELECT table_name, row_count FROM checksums"


class Outcomes(msgspec.Struct, frozen=True):
    """What came back for the jobs of a kind: how many, how long they took together, how many took up to each bound."""

    kind: str
    result: str
    count: int
    took_s: float
    under: tuple[int, ...]


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds: it changes with its position or its epoch, and with nothing else."""

    position: Position = START
    epoch: int = 0
    rows: dict[str, int] = {}
    jobs: dict[tuple[str, str], int] = {}
    outcomes: tuple[Outcomes, ...] = ()
    calls: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    cost_usd: float = 0.0
    supersessions: int = 0
    verdicts_held: int = 0
    refusals: dict[str, int] = {}
    dead_letters: int = 0


class SpaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A space as it is now. `silent_s` is how long ago its writer renewed its lease; None where none holds it."""

    folded: Folded = Folded()
    silent_s: float | None = None
    file_bytes: int = 0
    archive_bytes: int = 0


def read(settings: Settings, before: Folded | None) -> SpaceFacts:
    """What there is to say of a space now; what was folded `before` is not counted again where nothing was since.

    Raises apsw.Error and OSError where the file cannot be read; a space without a file has nothing.
    """
    sized = SpaceFacts(file_bytes=_bytes(settings.folder), archive_bytes=_bytes(settings.archive))
    try:
        connection = open_reader(settings.file)
    except SpaceNotFound:
        return sized
    with closing(connection), read_transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get:
            return sized
        position = position_of(connection)
        epoch, pid, renewed_at = connection.execute("SELECT epoch, pid, renewed_at FROM lease").get
        silent_s = max(0.0, time.time() - renewed_at / 1000) if pid else None
        known = before is not None and (before.position, before.epoch) == (position, epoch)
        folded = before if known and before is not None else _folded(connection, position, epoch)
    return msgspec.structs.replace(sized, folded=folded, silent_s=silent_s)


def _folded(connection: apsw.Connection, position: Position, epoch: int) -> Folded:
    calls, tokens_in, tokens_out, cost_usd = connection.execute(_SPENT).get
    jobs: list[Any] = connection.execute("SELECT kind, state, count(*) FROM jobs GROUP BY kind, state").fetchall()
    return Folded(
        position=position,
        epoch=epoch,
        rows=dict(connection.execute(_ROWS)),
        jobs={(kind, state): count for kind, state, count in jobs},
        outcomes=tuple(_outcomes(connection)),
        calls=calls,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=cost_usd,
        supersessions=connection.execute("SELECT count(*) FROM edges WHERE kind = 'supersedes'").get,
        verdicts_held=connection.execute("SELECT count(*) FROM verdicts WHERE state = 'held'").get,
        refusals=dict(connection.execute("SELECT reason, count(*) FROM refusals GROUP BY reason")),
        dead_letters=connection.execute("SELECT count(*) FROM dead_letters WHERE state = 'parked'").get,
    )


def _outcomes(connection: apsw.Connection) -> Iterator[Outcomes]:
    rows: list[Any] = connection.execute(_OUTCOMES).fetchall()
    for kind, result, count, took_ms, *under in rows:
        yield Outcomes(kind, result, count, took_ms / 1000, tuple(under))


def _bytes(folder: Path) -> int:
    """The bytes of the files that stand in a folder; those that vanish meanwhile have none."""
    total = 0
    try:
        with os.scandir(folder) as found:
            for entry in found:
                total += _size(entry)
    except FileNotFoundError:
        return 0
    return total


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size if entry.is_file() else 0
    except FileNotFoundError:
        return 0
