"""What the rule engine is given and what it gives back."""

from __future__ import annotations

from typing import Literal

import msgspec

from mnemolog.schema.cells import Cell, Evidence
from mnemolog.schema.times import MINUTE

Role = Literal["user", "assistant", "system", "tool"]

#: The subject of what a user says whose name nobody gave.
NAMELESS = "user"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message: `occurred_at` in UTC milliseconds, `utc_offset_min` minutes east of UTC.

    `read` marks earlier context that makes no cells again, but which pronouns and a "yes" may refer to.
    """

    event_id: str
    role: Role
    content: str
    occurred_at: int
    speaker: str | None = None
    utc_offset_min: int = 0
    session: str = ""
    read: bool = False

    @property
    def subject(self) -> str:
        """Who "I" is."""
        return self.speaker or NAMELESS

    @property
    def local_ms(self) -> int:
        """The wall clock at the speaker's place, in milliseconds."""
        return self.occurred_at + self.utc_offset_min * MINUTE


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known already: keys of scenes, nearby live facts (newest last), names of people."""

    scenes: tuple[str, ...] = ()
    facts: tuple[Cell, ...] = ()
    people: tuple[str, ...] = ()


class ForgetRequest(msgspec.Struct, frozen=True):
    """Somebody asked in talk to forget something: it waits for a confirmation."""

    what: str
    subject: str
    evidence: Evidence


class Extraction(msgspec.Struct, frozen=True):
    """The cells of some messages, what was asked to be forgotten, and how many messages nobody here can read."""

    cells: tuple[Cell, ...] = ()
    forget: tuple[ForgetRequest, ...] = ()
    unknown_language: int = 0
