"""Ids: positions on the log, event ids (monotonic UUIDv7), node ids derived from event ids, space names."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from typing import NamedTuple, NewType
from uuid import UUID

from mnemolog.schema.errors import InvalidInput, InvalidSpaceName

EventId = NewType("EventId", str)
NodeId = NewType("NodeId", str)

MAX_ID_CHARS = 200
MAX_STREAM_PART = 2**63 - 1  # SQLite's integers are signed; Redis allows 2**64 - 1

_POSITION = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?")
_SPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Position(NamedTuple):
    """A stream id as two integers. Tuples compare as the stream orders; text does not ('9-0' > '10-0')."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: str | bytes) -> Position:
        """The position that `text` ('ms-seq') names. Raises InvalidInput when it names none."""
        word = text.decode("ascii", "replace") if isinstance(text, bytes) else text
        parts = _POSITION.fullmatch(word)
        if parts is None:
            raise InvalidInput(f"{word[:100]!r} is not a position: it looks like 1757000000000-0")
        return cls(int(parts[1]), int(parts[2] or 0))


START = Position(0, 0)


class EventIds:
    """Mints monotonic UUIDv7 event ids (RFC 9562, section 5.7, with method 2: a 74-bit random counter).

    Ids of one process sort in the order of minting, also within a millisecond and when the clock is set back.
    """

    _COUNTER_BITS = 74

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ms = 0
        self._counter = 0

    def mint(self) -> EventId:
        """A new id, greater than every id this object minted before."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._ms:
                self._ms = now
                # The top bit starts at 0, so that a millisecond has room for 2**73 increments.
                self._counter = int.from_bytes(os.urandom(10), "big") >> 7
            else:
                # A wide step: a forked process counts on from the same number.
                self._counter += 1 + int.from_bytes(os.urandom(4), "big")
            ms, counter = self._ms, self._counter
        rand_a = counter >> 62
        rand_b = counter & ((1 << 62) - 1)
        value = (ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
        return EventId(str(UUID(int=value)))


def is_space(name: str) -> bool:
    """Whether a name can name a space."""
    return bool(_SPACE.fullmatch(name)) and ".." not in name


def check_space(name: str) -> str:
    """The name itself, if it can name a space. Raises InvalidSpaceName otherwise."""
    if not is_space(name):
        raise InvalidSpaceName(name)
    return name


def _short_hash(kind: str, *parts: str) -> str:
    return hashlib.blake2b("\x1f".join((kind, *parts)).encode("utf-8"), digest_size=10).hexdigest()


def episode_id(event_id: str) -> NodeId:
    """The id of the episodic node that a message becomes: `ep-` and 20 hexadecimal digits derived from its event id."""
    return NodeId("ep-" + _short_hash("episode", event_id))


def imported_id(canonical_line: bytes) -> EventId:
    """The event id of an imported line that has none: `line-` and a hash of what the line says."""
    return EventId("line-" + hashlib.blake2b(canonical_line, digest_size=16).hexdigest())
