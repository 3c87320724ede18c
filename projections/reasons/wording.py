"""Wording: what in a memory says some text: word for word, as a part, with its words, or nearly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import apsw
import msgspec

from mnemolog.projections.dead_letters import DeadLetter, listed
from mnemolog.projections.indexes.analysis import is_single_character, query_terms, terms
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import NewerEvent, Undecodable
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.log import event_of
from mnemolog.schema.quotes import plain
from mnemolog.schema.requests import Statement

#: How much of a text something says, best first.
How = Literal["exact", "part", "words", "near"]
HOWS: tuple[How, ...] = ("exact", "part", "words", "near")

#: From this share of a text's words on, something says it in other words.
LEAST_SHARE = 0.8
_LOOKED_AT = 100
_NEAR = 5

_MATCHING = """
SELECT n.number, n.node_id, n.type, n.content, n.speaker FROM fulltext f JOIN nodes n ON n.number = f.rowid
WHERE f.fulltext MATCH ? ORDER BY f.rank, n.number LIMIT ?
"""
_HOLDING = "SELECT number, node_id, type, content, speaker FROM nodes WHERE instr(content, ?) ORDER BY number LIMIT ?"


class Match(msgspec.Struct, frozen=True):
    """A node that says a text, by its local number, and how; `share` is that of the text's words which it has."""

    number: int
    node_id: str
    is_message: bool
    content: str
    how: How
    share: float


class Unfolded(msgspec.Struct, frozen=True):
    """An entry of the log that the file does not have yet, with the text that somebody published."""

    entry: Entry
    event_id: str
    content: str
    how: How


def matches(connection: apsw.Connection, text: str) -> list[Match]:
    """The nodes that say a text, live or not, best first.

    Those that say it in other words stand in where none says it, and those that nearly do so where none does that.
    The caller spans it with a read transaction.
    """
    rows: dict[int, Any] = {row[0]: row for row in _rows(connection, text)}
    wanted = Wanted(text)
    found = [
        Match(number, node_id, type_ == "episodic", content, *wanted.fit(content, speaker))
        for number, node_id, type_, content, speaker in rows.values()
    ]
    found.sort(key=lambda match: (HOWS.index(match.how), -match.share, len(match.content)))
    surely = [match for match in found if match.how in ("exact", "part")]
    said = surely or [match for match in found if match.how == "words"]
    return said or [match for match in found if match.share][:_NEAR]


def _rows(connection: apsw.Connection, text: str) -> list[Any]:
    asked = query_terms(text)
    words = asked.words or tuple(dict.fromkeys(asked.spoken))
    if not words:
        return connection.execute(_HOLDING, (text, _LOOKED_AT)).fetchall() if text.strip() else []
    quoted = [f'"{word}"*' if is_single_character(word) else f'"{word}"' for word in words]
    together, apart = (f"{{content}} : ({operator.join(quoted)})" for operator in (" AND ", " OR "))
    return [
        *connection.execute(_MATCHING, (together, _LOOKED_AT)).fetchall(),
        *connection.execute(_MATCHING, (apart, _LOOKED_AT)).fetchall(),
    ]


class Wanted:
    """A text that something may say."""

    def __init__(self, text: str) -> None:
        self._plain = plain(text)
        self._terms = frozenset(query_terms(text).terms)

    def fit(self, content: str, speaker: str | None = None) -> tuple[How, float]:
        """How some content says the text, and the share of its words in it; whose words they are counts as a word."""
        said = plain(content)
        if said == self._plain:
            return "exact", 1.0
        if self._plain and self._plain in said:
            return "part", 1.0
        share = self._share(terms(f"{content} {speaker or ''}"))
        return ("words" if share >= LEAST_SHARE else "near"), share

    def _share(self, said: Sequence[str]) -> float:
        return len(self._terms.intersection(said)) / len(self._terms) if self._terms else 0.0


def unfolded(entries: Iterable[Entry], text: str) -> list[Unfolded]:
    """Those of some entries which publish a text."""
    wanted = Wanted(text)
    found = []
    for entry in entries:
        try:
            event = event_of(entry)
        except (Undecodable, NewerEvent):
            continue
        content = _published(event.payload)
        if content is not None and (how := wanted.fit(content)[0]) != "near":
            found.append(Unfolded(entry, event.id, content, how))
    return found


def _published(payload: object) -> str | None:
    if isinstance(payload, MessagePublished):
        return payload.content
    return payload.text if isinstance(payload, Statement) else None


def parked(connection: apsw.Connection, text: str) -> list[tuple[DeadLetter, str, How]]:
    """The entries that could not be folded and hold a text, with the piece of text that does."""
    wanted = Wanted(text)
    found: list[tuple[DeadLetter, str, How]] = []
    for letter in listed(connection, everything=True):
        fits = [(piece, wanted.fit(piece)[0]) for piece in _texts_in(letter.body)] if letter.state != "requeued" else []
        said = sorted((fit for fit in fits if fit[1] != "near"), key=lambda fit: HOWS.index(fit[1]))
        found += [(letter, *fit) for fit in said[:1]]
    return found


def _texts_in(body: bytes) -> list[str]:
    """The texts that stand in an entry, whatever it is."""
    try:
        return _strings(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [body.decode("utf-8", "replace")]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]
