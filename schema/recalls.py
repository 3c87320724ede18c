"""What is recorded of a recall: who asked what of which file, and by ids what the answer told. No text of the memory.

An answer can be given again from the file as of the recorded position; the digest says whether it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec

from mnemolog.schema.cells import Name
from mnemolog.schema.events import Counter, Id, StreamPart, TimeMs
from mnemolog.schema.ids import Position

Kind = Literal["recall", "context"]

#: As much of a query's text is recorded, in characters.
MAX_QUERY_CHARS = 2_000
#: As many lines of an answer are recorded.
MAX_LINES = 1_000
MAX_OPTIONS = 40
MAX_OPTION_VALUES = 100
MAX_OPTION_CHARS = 200
MAX_DETAIL = 16
#: As many answers stand in one event.
MAX_ANSWERS = 10_000

#: Options whose texts are times and types, never a user's words.
_NOT_HASHED = frozenset({"types", "after", "before", "as_of", "known_at", "time_zone"})

Word = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z_]{0,39}\Z")]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
#: Whole numbers that every reader of JSON reads alike.
Number = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
OptionText = Annotated[str, msgspec.Meta(max_length=MAX_OPTION_CHARS)]
OptionValue = (
    bool | Number | float | OptionText | Annotated[tuple[OptionText, ...], msgspec.Meta(max_length=MAX_OPTION_VALUES)]
)
Options = Annotated[dict[Word, OptionValue], msgspec.Meta(max_length=MAX_OPTIONS)]


class AnswerLine(msgspec.Struct, frozen=True, array_like=True):
    """A line of an answer: its kind, the node that it tells or the key of a scene, and numbers that it is made with."""

    kind: Word
    id: Name
    detail: Annotated[tuple[Number, ...], msgspec.Meta(max_length=MAX_DETAIL)] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recall through a door.

    `at` is when it was asked and `about` the time asked about, in UTC milliseconds; `query` is the text, at most
    MAX_QUERY_CHARS of its `query_chars` characters, empty where only `query_hash` (see `query_hash`) is to be kept, or
    where the query was itself the message `message` (an event id). `ms` and `seq` are the position of the file that
    was read; `lines` are the answer's in order, `digest` that of its exact text (see `text_digest`). `reinforces` says
    whether it counted as a use of its facts.
    """

    at: TimeMs
    about: TimeMs
    kind: Kind
    query: Annotated[str, msgspec.Meta(max_length=MAX_QUERY_CHARS)] = ""
    query_chars: Counter = 0
    query_hash: Digest
    message: Id | None = None
    ms: StreamPart
    seq: StreamPart
    options: Options = {}
    lines: Annotated[tuple[AnswerLine, ...], msgspec.Meta(max_length=MAX_LINES)] = ()
    digest: Digest
    reinforces: bool = False

    @property
    def position(self) -> Position:
        """How far the log was folded into the file that was read."""
        return Position(self.ms, self.seq)


def recall_id(event_id: str, number: int) -> str:
    """The id of an event's answer of this number: `rc-` and 20 hexadecimal digits."""
    return "rc-" + blake2b(f"recall\x1f{event_id}\x1f{number}".encode(), digest_size=10).hexdigest()


def query_hash(salt: str, query: str) -> str:
    """The salted hash that a query is found by: the same for other spaces and other case."""
    return _salted(salt, "query", " ".join(query.split()).casefold())


def text_digest(salt: str, text: str) -> str:
    """The salted digest of an answer's exact text."""
    return _salted(salt, "answer", text)


def scene_key(salt: str, scene: str) -> str:
    """What stands for a scene in an answer's lines, since a scene's name is text of the memory."""
    return "sc-" + _salted(salt, "scene", scene)


def hashed_options(salt: str, options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """The options with a salted hash for each text that a user chose."""

    def hashed(value: OptionValue) -> OptionValue:
        if isinstance(value, tuple):
            return tuple("#" + _salted(salt, "option", text) for text in value)
        return "#" + _salted(salt, "option", value) if isinstance(value, str) else value

    return {name: value if name in _NOT_HASHED else hashed(value) for name, value in options.items()}


def _salted(salt: str, *parts: str) -> str:
    whole = "\x1f".join((salt, *parts))
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
