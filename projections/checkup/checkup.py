"""Checkups: what is looked at on a machine, what was found, and how it is mended."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "warning", "problem"]

_UNITS = (("GB", 10**9), ("MB", 10**6), ("KB", 10**3))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: `mend` says what to do about it, `fixable` that it can be done without asking.

    `fixed` is what was done.
    """

    name: str
    state: State
    found: str
    mend: str = ""
    fixable: bool = False
    fixed: str | None = None


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name=name, state="ok", found=found)


def warning(name: str, found: str, mend: str, *, fixable: bool = False) -> Finding:
    """Somebody should know."""
    return Finding(name=name, state="warning", found=found, mend=mend, fixable=fixable)


def problem(name: str, found: str, mend: str, *, fixable: bool = False) -> Finding:
    """Something is wrong, or will be."""
    return Finding(name=name, state="problem", found=found, mend=mend, fixable=fixable)


def told(count: int, what: str) -> str:
    """A number of things: `1 job`, `2 jobs`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def sized(count: int) -> str:
    """A number of bytes for people's eyes."""
    unit, size = next(((unit, size) for unit, size in _UNITS if count >= size), ("bytes", 1))
    return f"{count / size:,.1f} {unit}" if size > 1 else f"{count:,} bytes"
