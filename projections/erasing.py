"""How erasures stand beside the log: one that is under way, and when Redis is to be cleaned once more."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mnemolog.schema.settings import Settings
from mnemolog.schema.times import show


class Again(msgspec.Struct, frozen=True):
    """When Redis is to be cleaned, in UTC milliseconds."""

    due: tuple[int, ...]


class _Ask(msgspec.Struct, frozen=True):
    position: str


class _Head(msgspec.Struct, frozen=True):
    asked: tuple[_Ask, ...]
    begun_at: int


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that was begun and is not done: where on the log it was asked for, and since when."""

    asked: tuple[str, ...]
    begun_at: str


class Erasing(msgspec.Struct, frozen=True, kw_only=True):
    """How erasures stand: `cleaning_due` is when Redis is cleaned again, None where that is done."""

    under_way: UnderWay | None
    cleaning_due: str | None


def folder_of(settings: Settings) -> Path:
    """Where the erasures of a space are kept."""
    return settings.folder / "erasing"


def plan_file(settings: Settings) -> Path:
    """What is to be done of an erasure that is under way."""
    return folder_of(settings) / "plan.jsonl"


def again_file(settings: Settings) -> Path:
    """When Redis is to be cleaned again."""
    return folder_of(settings) / "again.json"


def cleanings(settings: Settings) -> tuple[int, ...]:
    """When Redis is to be cleaned again, in UTC milliseconds: at once where the file cannot be read."""
    try:
        return msgspec.json.decode(again_file(settings).read_bytes(), type=Again).due
    except FileNotFoundError:
        return ()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return (0,)


def standing(settings: Settings) -> Erasing | None:
    """How erasures of a space stand; None where nothing of them is left to do."""
    due, under_way = cleanings(settings), _under_way(settings)
    if under_way is None and not due:
        return None
    return Erasing(under_way=under_way, cleaning_due=show(min(due)) if due else None)


def _under_way(settings: Settings) -> UnderWay | None:
    try:
        with plan_file(settings).open("rb") as file:
            head = msgspec.json.decode(file.readline(), type=_Head)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UnderWay(asked=(), begun_at="unknown")
    return UnderWay(asked=tuple(one.position for one in head.asked), begun_at=show(head.begun_at))
