"""Drafts: what a frame read in a clause, before it becomes a cell."""

from __future__ import annotations

import msgspec

from mnemolog.schema.cells import Basis, CellType, Mention, Modality
from mnemolog.workers.rules.dates import Phrase


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a clause.

    `shown` is the object as written, `phrases` its dates, `closed` says that it held before and no longer does,
    `starts` that it began at its date, `content` is set where no phrase of the slot says it, `cause` is the clause
    that gives the reason, `event` marks what happened at its date and did not last.
    """

    subject: str
    slot: str
    object: str
    shown: str = ""
    polarity: int = 1
    modality: Modality = "asserted"
    cell_type: CellType | None = None
    content: str | None = None
    ends: str | None = None
    change: bool = False
    addition: bool = False
    correction: bool = False
    plural: bool = False
    closed: bool = False
    starts: bool = False
    event: bool = False
    scope: str = ""
    basis: Basis | None = None
    salience: float | None = None
    scene: str | None = None
    phrases: tuple[Phrase, ...] = ()
    mentions: tuple[Mention, ...] = ()
    cause: str = ""
