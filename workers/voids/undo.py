"""Undo: which outcomes are meant, and what the memory would be without them."""

from __future__ import annotations

import os
from typing import Any

import apsw
import msgspec

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import Event
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.voids.trial import Effects, effects, folded_without, live, voiding

_OUTCOMES = "SELECT ms, seq FROM outcomes o WHERE accepted"
_ORDER = "ORDER BY ms, seq"
_OF_SOURCE = """
    AND kind = 'extract' AND EXISTS (
        SELECT 1 FROM jobs j, json_each(j.inputs) AS input JOIN nodes n ON n.node_id = input.value
        WHERE j.job_key = o.job_key AND j.generation = o.generation AND ? IN (n.session, n.source_type))
"""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be undone: outcomes that fit all that is given, or an earlier `void`.

    `source` is a session, or where messages came from (`chat`, `import`); `engine` an engine's or a model's name.
    """

    source: str | None = None
    job_key: str | None = None
    engine: str | None = None
    since: Position | None = None
    void: Position | None = None


class Undoing(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing would do: the entries that are voided by so many `events`, and the effects."""

    outcomes: tuple[Position, ...]
    effects: Effects
    events: tuple[Event, ...]


def chosen(connection: apsw.Connection, wanted: Wanted) -> tuple[Position, ...]:
    """The entries that are meant, in the log's order. Raises InvalidInput where there is none, or nothing was given."""
    if wanted == Wanted():
        raise InvalidInput("say what is to be undone: --source, --job, --engine, --since or --void")
    rows = _void(connection, wanted.void) if wanted.void is not None else _outcomes(connection, wanted)
    if not rows:
        raise InvalidInput("no outcome that counts fits: `mnemolog jobs list --all` shows what there is")
    return tuple(Position(ms, seq) for ms, seq in rows)


def _void(connection: apsw.Connection, position: Position) -> list[Any]:
    rows: list[Any] = connection.execute(
        "SELECT ms, seq FROM events WHERE (ms, seq) = (?, ?) AND type = ?", (*position, OutcomesVoided.TYPE)
    ).fetchall()
    if not rows:
        raise InvalidInput(f"nothing was undone at {position}")
    return rows


def _outcomes(connection: apsw.Connection, wanted: Wanted) -> list[Any]:
    sql, values = [_OUTCOMES], list[Any]()
    if wanted.source is not None:
        sql.append(_OF_SOURCE)
        values.append(wanted.source)
    if wanted.job_key is not None:
        sql.append("AND job_key = ?")
        values.append(wanted.job_key)
    if wanted.engine is not None:
        sql.append("AND ? IN (engine, model)")
        values.append(wanted.engine)
    if wanted.since is not None:
        sql.append("AND (ms, seq) > (?, ?)")
        values += wanted.since
    return connection.execute(" ".join([*sql, _ORDER]), values).fetchall()


def tried(
    settings: Settings, embedder: Embedder, positions: tuple[Position, ...], reason: str, progress: Progress
) -> Undoing:
    """What the memory would be without some entries, by folding its log without them into a side file.

    Raises SpaceNotFound without a file, DamagedFile for an archive that does not add up.
    """
    before = live(settings)
    events = voiding(positions, reason)
    side_file = settings.file.with_name(f"undo-{os.getpid()}.db")
    with folded_without(settings, embedder, side_file, before.position, events, progress) as side:
        return Undoing(outcomes=positions, effects=effects(before, side), events=tuple(events))
