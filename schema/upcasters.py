"""Upcasters: how a payload of an older version becomes one of the next, step by step, before it is validated.

A key is (type, version it takes); the value turns the decoded JSON object of that version into the next one's. The
object may be damaged: an upcaster may raise AttributeError, LookupError, TypeError or ValueError then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mnemolog.schema.errors import Undecodable

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


def upcast(
    type_: str, version: int, target: int, payload: dict[str, Any], steps: Mapping[tuple[str, int], Upcaster]
) -> dict[str, Any]:
    """The payload in the shape of version `target`.

    Raises Undecodable: unknown_version where a step is missing, invalid_payload for what is not of its version.
    """
    for number in range(version, target):
        step = steps.get((type_, number))
        if step is None:
            raise Undecodable("unknown_version", f"{type_} version {number} has no upcaster")
        try:
            payload = step(payload)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise Undecodable("invalid_payload", f"this is not {type_} version {number}: {error!r}") from None
    return payload
