"""The recall log: what was asked of a memory through a door, and what the answers told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import apsw
import msgspec

from mnemolog.projections.lines.rendering import Kind as LineKind
from mnemolog.projections.lines.rendering import Line, render_again
from mnemolog.projections.lines.rendering import Recorded as Rendered
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import AnswerLine, Options, query_hash, scene_key
from mnemolog.schema.times import show

DEFAULT_LIMIT = 50
_IDS_SHOWN = 5

_SELECT = """
SELECT r.recall_id, r.event_id, r.asked_at, r.about, r.kind, coalesce(n.content, r.query), r.query_chars, r.query_hash,
    r.message, r.position_ms, r.position_seq, r.options, r.digest, r.reinforces
FROM recalls r LEFT JOIN nodes n ON n.node_id = r.message
"""
_LINES = "SELECT kind, node_id, detail FROM recalled_nodes WHERE recall_id = ? ORDER BY place"
_HOLDS = "r.recall_id IN (SELECT recall_id FROM recalled_nodes WHERE node_id = ?)"
_ASKS = "(r.query_hash = ? OR instr(lower(coalesce(n.content, r.query)), lower(?)) > 0)"

_NODE = "SELECT occurred_at, coalesce(nullif(speaker, ''), role, type), content FROM nodes WHERE node_id = ?"

#: For an end that is the end of the text.
_TO_THE_END = -1
_WHOLE = (0, _TO_THE_END, 0)

_options = msgspec.json.Decoder(Options)
_details = msgspec.json.Decoder(tuple[int, ...])


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recall that was recorded (see `schema.recalls.Answer`); `message` is the id of the node that was the query.

    `query` is empty where its text was not kept, or the message that it was is not there any more.
    """

    recall_id: str
    event_id: str
    asked_at: int
    about: int
    kind: str
    query: str
    query_chars: int
    query_hash: str
    message: str | None
    position: Position
    options: dict[str, Any]
    lines: tuple[AnswerLine, ...]
    digest: str
    reinforces: bool


def recalls(
    connection: apsw.Connection,
    *,
    since: int | None = None,
    query: str | None = None,
    node_id: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> list[Recorded]:
    """The recalls since a time (UTC milliseconds), of a query, that told a node; the newest first.

    `query` is part of a query's text, or the whole of one of which only the hash was kept.
    """
    conditions: dict[str, tuple[Any, ...]] = {}
    if since is not None:
        conditions["r.asked_at >= ?"] = (since,)
    if query is not None:
        conditions[_ASKS] = (query_hash(salt_of(connection), query), query)
    if node_id is not None:
        conditions[_HOLDS] = (node_id,)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    values = [value for bound in conditions.values() for value in bound]
    rows = connection.execute(f"{_SELECT} {where} ORDER BY r.asked_at DESC, r.recall_id LIMIT ?", (*values, limit))
    return [_recorded(connection, row) for row in rows.fetchall()]


def recalls_of(connection: apsw.Connection, node_id: str, limit: int = DEFAULT_LIMIT) -> list[Recorded]:
    """The recalls that told a node, the newest first."""
    return recalls(connection, node_id=node_id, limit=limit)


def recall_of(connection: apsw.Connection, prefix: str) -> Recorded:
    """The one recall whose id begins so. Raises InvalidInput when there is none, or more than one."""
    rows = connection.execute(
        f"{_SELECT} WHERE r.recall_id >= ?1 AND r.recall_id < ?1 || '~' ORDER BY r.recall_id LIMIT ?2",
        (prefix, _IDS_SHOWN + 1),
    ).fetchall()
    if len(rows) == 1 and prefix:
        return _recorded(connection, rows[0])
    if not rows or not prefix:
        raise InvalidInput(f"there is no recall {prefix!r}: `mnemolog recalls list` shows their ids")
    shown = ", ".join(str(row[0]) for row in rows[:_IDS_SHOWN]) + (", …" if len(rows) > _IDS_SHOWN else "")
    raise InvalidInput(f"{prefix!r} begins the ids of several recalls: {shown}")


def answer_lines(connection: apsw.Connection, lines: Iterable[Line]) -> tuple[AnswerLine, ...]:
    """The lines of a context as they are recorded: of scenes, too, without a name."""
    salt = salt_of(connection)
    return tuple(
        AnswerLine(
            line.kind,
            scene_key(salt, line.id) if line.kind == "scene" else line.id,
            (line.start, _TO_THE_END if line.end is None else line.end, line.changes),
        )
        for line in lines
    )


def results_text(connection: apsw.Connection, lines: Iterable[AnswerLine]) -> str:
    """The results of a recall in words, one a line: when, who, what. One that the file does not have is left out."""
    rows: list[Any] = [connection.execute(_NODE, (line.id,)).fetchone() for line in lines]
    return "\n".join(f"{show(at)}  {who}: {content}" for at, who, content in filter(None, rows))


def text_again(connection: apsw.Connection, recorded: Recorded) -> str:
    """The text of a past answer, from the file as of the recorded position.

    It is the exact text if `text_digest` of it is the recorded digest; lines that the file does not have are left
    out. The caller spans it with a read transaction.
    """
    if recorded.kind == "recall":
        return results_text(connection, recorded.lines)
    scenes = _scenes(connection)
    return render_again(connection, Rendered(recorded.about, tuple(_line(line, scenes) for line in recorded.lines)))


def missing(connection: apsw.Connection, recorded: Recorded) -> list[str]:
    """The ids in an answer that the file does not have: what they stood for was erased, or is not in it yet."""
    scenes = _scenes(connection)
    return [
        line.id
        for line in recorded.lines
        if line.id not in scenes and connection.execute(_NODE, (line.id,)).fetchone() is None
    ]


def _scenes(connection: apsw.Connection) -> dict[str, str]:
    """The scenes by their keys."""
    salt = salt_of(connection)
    return {scene_key(salt, scene): scene for (scene,) in connection.execute("SELECT scene FROM scenes")}


def _line(line: AnswerLine, scenes: Mapping[str, str]) -> Line:
    start, end, changes = line.detail if len(line.detail) == len(_WHOLE) else _WHOLE
    until = None if end == _TO_THE_END else end
    return Line(cast("LineKind", line.kind), scenes.get(line.id, line.id), start, until, changes)


def salt_of(connection: apsw.Connection) -> str:
    """The salt of the space, with which what must not be read is hashed."""
    return str(connection.execute("SELECT salt FROM space").get)


def _recorded(connection: apsw.Connection, row: tuple[Any, ...]) -> Recorded:
    key, event_id, asked_at, about, kind, query, chars, hashed, message, ms, seq, options, digest, reinforces = row
    told: list[Any] = connection.execute(_LINES, (key,)).fetchall()
    return Recorded(
        recall_id=key,
        event_id=event_id,
        asked_at=asked_at,
        about=about,
        kind=kind,
        query=query,
        query_chars=chars,
        query_hash=hashed,
        message=message,
        position=Position(ms, seq),
        options=_options.decode(options),
        lines=tuple(AnswerLine(line_kind, node_id, _details.decode(detail)) for line_kind, node_id, detail in told),
        digest=digest,
        reinforces=bool(reinforces),
    )
