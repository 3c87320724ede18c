"""Answers as the recall log keeps them: by ids, in bounded sizes, and without a query's text where so wished. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import (
    MAX_LINES,
    MAX_OPTION_CHARS,
    MAX_OPTION_VALUES,
    MAX_QUERY_CHARS,
    Answer,
    AnswerLine,
    Kind,
    OptionValue,
    hashed_options,
    query_hash,
    text_digest,
)
from mnemolog.schema.settings import RecallLog

#: What JSON and the tables cannot hold stands as this.
_REPLACEMENT = "\ufffd"


def answered(
    *,
    kind: Kind,
    query: str,
    text: str,
    lines: Sequence[AnswerLine],
    position: Position,
    at: int,
    about: int,
    options: Mapping[str, OptionValue | None],
    reinforces: bool,
    salt: str,
    keep: RecallLog,
    message: str | None = None,
) -> Answer:
    """What is recorded of an answer (see Answer), of any query, with any options; an option that is None is left out.

    `text` is the exact answer, of which the digest is kept alone. With `keep` hash no text of the user's is kept,
    neither of a query that was a message with this event id.
    """
    given = {name: _bounded(value) for name, value in options.items() if value is not None}
    return Answer(
        at=at,
        about=about,
        kind=kind,
        query=_storable(query[:MAX_QUERY_CHARS]) if keep == "text" and message is None else "",
        query_chars=len(query),
        query_hash=query_hash(salt, query),
        message=message,
        ms=position.ms,
        seq=position.seq,
        options=hashed_options(salt, given) if keep == "hash" else given,
        lines=tuple(lines[:MAX_LINES]),
        digest=text_digest(salt, text),
        reinforces=reinforces,
    )


def _bounded(value: OptionValue) -> OptionValue:
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, str):
        return _storable(value[:MAX_OPTION_CHARS])
    if isinstance(value, tuple):
        return tuple(_storable(text[:MAX_OPTION_CHARS]) for text in value[:MAX_OPTION_VALUES])
    return value


def _storable(text: str) -> str:
    """The text without NUL and without halves of characters."""
    whole = text.replace("\x00", _REPLACEMENT)
    return "".join(_REPLACEMENT if "\ud800" <= character <= "\udfff" else character for character in whole)
