"""How a space stands, as doors tell it: how far it is, what it holds, who writes it, what an event survives."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mnemolog.gateway.memory.objects import PositionText
from mnemolog.gateway.memory.place import Place
from mnemolog.projections import status as facts
from mnemolog.projections.erasing import Erasing, standing
from mnemolog.projections.indexes.vectors import VectorState
from mnemolog.projections.spending import Spent, by_day
from mnemolog.projections.status import ArchiveFacts, Holder, Retention, StreamFacts
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, SpaceNotFound
from mnemolog.schema.ids import START, Position


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The log: what archive and stream have, whether Redis runs, and how much a stream may keep."""

    archive: ArchiveFacts
    stream: StreamFacts | None
    redis: str
    retention: Retention


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a space stands. What only a file tells is left out where there is none yet.

    `lag_events` are published and not folded yet, None where Redis does not say. `durability` is what an acknowledged
    event survives: `power`, `process`, `nothing`, or `unknown`. `jobs_waiting` are the jobs that wait for a budget.
    `erasing` is left out where nothing of an erasure is left to do.
    """

    space: str
    position: PositionText
    lag_events: int | None
    durability: str
    jobs_waiting: dict[str, str]
    fold_version: int | UnsetType = UNSET
    hash: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    sessions: int | UnsetType = UNSET
    nodes: dict[str, int]
    edges: dict[str, int]
    vectors: VectorState | UnsetType = UNSET
    jobs: dict[str, int] | UnsetType = UNSET
    jobs_by_kind: dict[str, dict[str, int]] | UnsetType = UNSET
    last_failure: str | UnsetType | None = UNSET
    requests_pending: int | UnsetType = UNSET
    dead_letters: int | UnsetType = UNSET
    unknown_language: int | UnsetType = UNSET
    writer: Holder | UnsetType = UNSET
    spent_by_day: dict[str, Spent] | UnsetType = UNSET
    log: Log
    file_bytes: int
    erasing: Erasing | UnsetType = UNSET


class _LogFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis says of the log; None and the reason where it does not answer."""

    durability: str
    redis: str
    lag_events: int | None = None
    stream: StreamFacts | None = None
    waiting: dict[str, str] = {}


def status(place: Place) -> Status:
    """Everything that there is to say of a space. Raises SpaceNotFound where there is neither a file nor a stream."""
    settings = place.settings
    held = _held(place)
    position: Position = held.pop("position")
    log = _log_facts(place, position)
    if "writer" not in held and log.stream is None:
        raise SpaceNotFound(
            f"there is no space {settings.space!r} in {settings.data}: publish something, and run `mnemolog up`"
        )
    return Status(
        space=settings.space,
        position=str(position),
        lag_events=log.lag_events,
        durability=log.durability,
        jobs_waiting=log.waiting,
        **held,
        log=Log(
            archive=facts.archive_facts(settings.archive),
            stream=log.stream,
            redis=log.redis,
            retention=facts.retention(settings),
        ),
        file_bytes=settings.file.stat().st_size if settings.file.exists() else 0,
        erasing=standing(settings) or UNSET,
    )


def _held(place: Place) -> dict[str, Any]:
    """What the file tells."""
    try:
        with place.reader() as connection:
            counts: dict[str, Any] = msgspec.structs.asdict(facts.counts(connection))
            return {**counts, "writer": facts.holder(connection), "spent_by_day": by_day(connection)}
    except SpaceNotFound:
        return {"position": START, "nodes": {}, "edges": {}}


def _log_facts(place: Place, position: Position) -> _LogFacts:
    stream = place.stream()
    if stream is None:
        # The embedded server is started with what the settings ask for.
        return _LogFacts(durability=place.settings.durability, redis="not running")
    try:
        return _LogFacts(
            stream=facts.stream_facts(stream, place.settings.archive),
            lag_events=facts.lag(stream, position),
            waiting=facts.waiting(stream),
            durability=facts.durability(stream.client),
            redis="running",
        )
    except (LogUnavailable, LogRefused, LogFull) as error:
        return _LogFacts(durability="unknown", redis=str(error))
