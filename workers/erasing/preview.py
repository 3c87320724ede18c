"""What an erasure would take, before anybody asks for it: told with its words, from the file and the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive
from mnemolog.schema.controls import ErasedWhat, salted
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.workers.erasing.carrying import OUT_OF_REACH, counted
from mnemolog.workers.erasing.matching import Asked
from mnemolog.workers.erasing.plans import Erased
from mnemolog.workers.erasing.selection import END, select

_MESSAGES = """
    SELECT node_id, event_id, session, speaker, occurred_at, content FROM nodes
    WHERE node_id IN (SELECT value FROM json_each(?)) ORDER BY occurred_at, seq, event_id
"""
_FACTS = """
    SELECT node_id, scene, content FROM nodes WHERE node_id IN (SELECT value FROM json_each(?)) ORDER BY node_id
"""
_OUTCOMES = "SELECT ms, seq, kind, engine, model FROM outcomes ORDER BY ms, seq"


class ErasedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that goes; `occurred_at` in UTC milliseconds."""

    node_id: str
    event_id: str
    session: str
    speaker: str | None
    occurred_at: int
    content: str


class ErasedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that goes; one that is derived `again` comes back from what is left, if that says it."""

    node_id: str
    scene: str
    content: str
    again: bool


class ErasedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that goes, or loses its recorded reply only."""

    position: Position
    kind: str
    engine: str
    model: str
    reply_only: bool


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would go. `others_said` counts the messages that others said in the same conversations, which stay."""

    what: ErasedWhat
    erased: Erased
    messages: tuple[ErasedMessage, ...]
    facts: tuple[ErasedFact, ...]
    scenes: tuple[str, ...]
    outcomes: tuple[ErasedOutcome, ...]
    recalls: tuple[str, ...]
    requests: tuple[Position, ...]
    others_said: int
    out_of_reach: tuple[str, ...]


def hash_of(connection: apsw.Connection, what: ErasedWhat, name: str) -> str:
    """What stands for a name on the log; nothing for the whole space. Raises InvalidInput for an empty name."""
    if what == "space":
        return ""
    if not name:
        raise InvalidInput(f"say which {what} is to be erased")
    return salted(str(connection.execute("SELECT salt FROM space").get), what, name)


def preview(
    connection: apsw.Connection,
    settings: Settings,
    what: ErasedWhat,
    name: str = "",
    tick: Callable[[], None] = lambda: None,
) -> Preview:
    """What would go if it was erased now; what is not folded yet is not in it.

    The caller spans it with a read transaction. Raises InvalidInput where nothing is of that name, and DamagedFile for
    an archive that does not add up.
    """
    until = position_of(connection)
    asked = Asked(what, hash_of(connection, what, name), END)
    found = select(connection, lambda: archive.read(settings.archive, START, until), [asked], tick)
    if not found.bodies:
        raise InvalidInput(f"nothing was said that is of this {what}: there is nothing to erase")
    again = set(found.again)
    replies = set(found.replies)
    told = {*found.outcomes, *replies}
    return Preview(
        what=what,
        erased=counted(found),
        messages=tuple(ErasedMessage(**row) for row in _rows(connection, _MESSAGES, found.messages)),
        facts=tuple(
            ErasedFact(**row, again=row["node_id"] in again)
            for row in _rows(connection, _FACTS, (*found.facts, *found.again))
        ),
        scenes=found.scenes,
        outcomes=tuple(
            ErasedOutcome(
                position=Position(ms, seq), kind=kind, engine=engine, model=model, reply_only=(ms, seq) in replies
            )
            for ms, seq, kind, engine, model in connection.execute(_OUTCOMES)
            if (ms, seq) in told
        ),
        recalls=found.recalls,
        requests=found.requests,
        others_said=found.others_said,
        out_of_reach=OUT_OF_REACH,
    )


def _rows(connection: apsw.Connection, sql: str, node_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, (msgspec.json.encode(node_ids).decode("utf-8"),))
    return [dict(zip([column[0] for column in cursor.get_description()], row, strict=True)) for row in cursor]
