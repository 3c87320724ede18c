"""Promotion: a shadow's outcomes take the place of those that they replace, in one step on the log.

What is appended together: the voids, then the shadow's own log, then what people decided since the shadow was made,
folded again where its facts came anew, and the conflicts between what was learnt since and what the shadow found. The
writer lets all of it come into force by one rebuild, so no job of it is ever handed out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec
import redis
import stamina

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.reasons.decisions import Decision
from mnemolog.schema import keys
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import LogUnavailable, MnemologError, StreamLost
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import EventIds, Position
from mnemolog.schema.requests import JobRequeued
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.shadows import shadow as shadows
from mnemolog.workers.shadows.shadow import Plan
from mnemolog.workers.voids.restoring import restore
from mnemolog.workers.voids.trial import Effects, effects, folded_without, live
from mnemolog.workers.writer.batches import Batches

_ids = EventIds()

#: The conflicts of what was learnt since: those that were judged, and where there were none, one of the shadow's own.
_SINCE = """
    SELECT DISTINCT j.job_key FROM jobs j, json_each(j.inputs) AS input
    JOIN cells c ON c.node_id = input.value
    WHERE j.kind = 'resolve' AND j.state = 'done' AND (j.position_ms, j.position_seq) > (?1, ?2)
        AND c.subject IN (
            SELECT subject FROM cells JOIN nodes USING (node_id)
            WHERE (position_ms, position_seq) > (?1, ?2) AND (position_ms, position_seq) <= (?3, ?4))
    ORDER BY j.position_ms, j.position_seq, j.job_key
"""


class DecisionsLost(MnemologError):
    """People's decisions would no longer find their fact, and nobody said that this is wanted."""

    exit_status = 2


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion appends, encoded, and what it makes of the memory as it is now."""

    bodies: tuple[bytes, ...]
    voids: tuple[str, ...]
    effects: Effects

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What people decided that would no longer find its fact."""
        return self.effects.decisions


def prepared(settings: Settings, embedder: Embedder, plan: Plan, progress: Progress) -> Promotion:
    """What a promotion would append and do, by folding it onto the log as it is now.

    Raises SpaceNotFound without a file, DamagedFile for an archive that does not add up, and InvalidInput while
    another process is at work on the shadow.
    """
    now = live(settings)
    tail = [entry.body for entry in shadows.appended(settings)]
    path = shadows.folder_of(settings) / "promoted.db"
    with (
        shadows.held(settings),
        folded_without(settings, embedder, path, now.position, plan.void_events, progress) as side,
    ):
        trial = _Trial(side, now.position)
        for body in tail:
            trial.fold(body)
        restore(side, settings.archive, now, trial.append)
        for key in _since(side, plan.at, now.position):
            trial.append(JobRequeued(job_key=key))
        found = effects(now, side)
    return Promotion(
        bodies=(*(void.encode("utf-8") for void in plan.voids), *trial.folded),
        voids=tuple(void.id for void in plan.void_events),
        effects=found,
    )


class _Trial:
    """A side file that events are folded into at positions after the log's end."""

    def __init__(self, connection: apsw.Connection, end: Position) -> None:
        self._batches = Batches(connection)
        self._end = end
        self.folded: list[bytes] = []

    def append(self, payload: Payload, event_id: str | None = None) -> None:
        self.fold(encode(event_id or _ids.mint(), self._end.ms, payload))

    def fold(self, body: bytes) -> None:
        self._end = Position(self._end.ms, self._end.seq + 1)
        self._batches.fold([(Entry(self._end, body), decode(body))])
        self.folded.append(body)


def _since(side: apsw.Connection, made: Position, now: Position) -> list[str]:
    """The jobs whose cells have to be judged with what was learnt after the shadow was made."""
    rows: list[Any] = side.execute(_SINCE, (*made, *now)).fetchall()
    return [key for (key,) in rows]


def promote(client: redis.Redis, space: str, promotion: Promotion, *, tries: int = 6) -> Position:
    """Appends a promotion in one transaction and gives the position of its last event.

    Sent again with the same ids when a reply was lost, it is the same promotion. Raises StreamLost when the space has
    no stream, LogUnavailable after some tries, LogFull or LogRefused.
    """
    for attempt in stamina.retry_context(LogUnavailable, attempts=tries, timeout=60.0, wait_max=2.0):
        with attempt:
            added = _add(client, space, promotion.bodies)
    if None in added:
        raise StreamLost(f"space {space!r} has no stream on this Redis: nothing was appended")
    return Position.parse(added[-1])


def _add(client: redis.Redis, space: str, bodies: Iterable[bytes]) -> list[Any]:
    try:
        with client.pipeline(transaction=True) as together:
            for body in bodies:
                together.execute_command("XADD", keys.stream(space), "NOMKSTREAM", "*", keys.BODY_FIELD, body)
            return list(together.execute())
    except redis.RedisError as error:
        raise translate(error, f"append to the stream of space {space!r}") from error
