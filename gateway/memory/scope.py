"""Who asks, what a search is limited to, and which time it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mnemolog.gateway.memory.axes import Axes, Time, Times, axes_of, time_of
from mnemolog.projections.search.filters import Filters
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import show, utc_offset_min

NODE_TYPES = ("episodic", "semantic", "procedural", "opinion")
#: The most results of a search.
MOST_RESULTS = 1_000
_NAMES = ("sessions", "speakers", "scenes", "entities")


class Narrowing(Times, total=False):
    """What a question is limited to: times at which something was said or held, and names of which one must fit.

    `asker` is the speaker that I and my in it mean, `time_zone` the one in which last week is meant.
    """

    after: Time | None
    before: Time | None
    sessions: Sequence[str]
    speakers: Sequence[str]
    scenes: Sequence[str]
    entities: Sequence[str]
    asker: str | None
    time_zone: str | None


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a question. Where what was true at a time is asked for, what was said after it is left out."""

    axes: Axes
    filters: Filters
    asker: str | None
    time_zone: str | None

    def options(self, time_zone: str, at: int) -> dict[str, Any]:
        """The arguments of `recall` and `context` at a time, with what stands for a time zone that was not given.

        Raises InvalidTime for an unknown time zone.
        """
        return {
            "filters": self.filters,
            "asker": self.asker,
            "utc_offset_min": utc_offset_min(self.time_zone or time_zone, at),
        }

    @property
    def told(self) -> dict[str, Any]:
        """The options as the recall log keeps them."""
        given = msgspec.structs.asdict(self.filters) | {"asker": self.asker, "time_zone": self.time_zone}
        times = {name: show(given[name]) for name in ("after", "before") if given[name] is not None}
        names = {name: given[name] for name in (*_NAMES, "asker", "time_zone") if given[name]}
        return {**self.axes.told, **times, **names}


def scope_of(given: Narrowing) -> Scope:
    """The scope that a caller's options mean. Raises InvalidTime for a time that is none, TypeError for other names."""
    if unknown := given.keys() - Narrowing.__annotations__.keys() - Times.__annotations__.keys():
        raise TypeError(f"a question has no option {min(unknown)!r}")
    axes = axes_of(given)
    filters = Filters(
        after=time_of(given.get("after")),
        before=time_of(given.get("before")),
        sessions=tuple(given.get("sessions", ())),
        speakers=tuple(given.get("speakers", ())),
        scenes=tuple(given.get("scenes", ())),
        entities=tuple(given.get("entities", ())),
        said_until=axes.as_of,
    )
    return Scope(axes=axes, filters=filters, asker=given.get("asker"), time_zone=given.get("time_zone"))


def checked_types(types: Sequence[str] | None) -> tuple[str, ...] | None:
    """Types of nodes; None stands for all. Raises InvalidInput for a word that is none."""
    if wrong := [name for name in types or () if name not in NODE_TYPES]:
        raise InvalidInput(f"a type of node is one of {', '.join(NODE_TYPES)}, not {wrong[0][:100]!r}")
    return tuple(types) if types else None


def bounded(what: str, number: int, most: int, least: int = 1) -> int:
    """A number within its bounds. Raises InvalidInput for another."""
    if not least <= number <= most:
        raise InvalidInput(f"{what} is from {least} to {most}, not {number}")
    return number
