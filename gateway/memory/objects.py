"""The form of answers: what a projection found as an object for JSON, with times in ISO 8601 and positions as text."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from mnemolog.projections.names import Named
from mnemolog.schema.ids import Position
from mnemolog.schema.times import MAX_MS, MIN_MS, show

Answer = TypeVar("Answer")

#: A time in an answer.
When = Annotated[str, msgspec.Meta(description="ISO 8601 in UTC", extra_json_schema={"format": "date-time"})]
#: A position of the log in an answer.
PositionText = Annotated[str, msgspec.Meta(description="A position of the log", examples=["1757000000000-0"])]

#: Fields that hold UTC milliseconds.
_TIMES = frozenset(
    (
        *("at", "about", "asked_at", "changed_at", "due", "fades_at", "occurred_at", "recorded_at", "since", "until"),
        *("updated_at", "valid_from", "valid_until", "first_at", "last_at", "closed_at"),
    )
)


def as_object(value: Any, name: str = "") -> Any:
    """A struct for JSON: its fields, times as ISO 8601 in UTC, positions as text."""
    if isinstance(value, Named):
        # It has no times, and `about` counts facts.
        return msgspec.to_builtins(value)
    if isinstance(value, msgspec.Struct):
        return {field: as_object(getattr(value, field), field) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): as_object(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, Position):
        return [as_object(item) for item in value]
    return _scalar(value, name)


def _scalar(value: Any, name: str) -> Any:
    if isinstance(value, Position):
        return str(value)
    if name in _TIMES and isinstance(value, int) and not isinstance(value, bool):
        return show(min(max(value, MIN_MS), MAX_MS))
    return value


def told(answer: type[Answer], value: Any, **more: Any) -> Answer:
    """A struct of a projection as the struct of an answer that has the fields of the same names, and `more`."""
    return msgspec.convert({**as_object(value), **as_object(more)}, answer)
