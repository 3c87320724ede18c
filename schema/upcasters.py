"""Upcasters: how a payload of an older version becomes one of the next, step by step, before it is validated.

A key is (type, version it takes); the value turns the decoded JSON object of that version into the next one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


def upcast(
    type_: str, version: int, target: int, payload: dict[str, Any], steps: Mapping[tuple[str, int], Upcaster]
) -> dict[str, Any]:
    """The payload in the shape of version `target`. Raises KeyError where a step is missing."""
    for number in range(version, target):
        payload = steps[type_, number](payload)
    return payload
