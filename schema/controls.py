"""Controls over the log itself: which of its entries have no effect any more."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from mnemolog.schema.events import Payload, StreamPart
from mnemolog.schema.ids import Position

#: How many outcomes one event may void; more of them take several events.
MAX_VOIDED = 50_000
MAX_REASON_CHARS = 2_000

VoidedEntry = tuple[StreamPart, StreamPart]


class OutcomesVoided(Payload, frozen=True, kw_only=True):
    """Outcomes, or earlier voids, have no effect any more: the state is the fold of the log without them.

    `positions` are (ms, seq) of entries before this one.
    """

    TYPE: ClassVar[str] = "outcomes_voided"

    positions: Annotated[tuple[VoidedEntry, ...], msgspec.Meta(min_length=1, max_length=MAX_VOIDED)]
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARS)] = ""

    @property
    def entries(self) -> tuple[Position, ...]:
        """The entries that are meant."""
        return tuple(Position(*position) for position in self.positions)


CONTROLS: tuple[type[Payload], ...] = (OutcomesVoided,)
