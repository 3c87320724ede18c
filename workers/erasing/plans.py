"""The plan of an erasure: on disk before anything is changed, so that whoever comes after a crash goes on with it.

erasing/plan.jsonl     what takes the place of which entries, while the erasure is under way; without any content
erasing/again.json     when Redis is to be cleaned once more, of what workers put there meanwhile
erasing/MS-SEQ.json    the receipt of the erasure that was asked for at that position
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from mnemolog.projections.erasing import Again, again_file, folder_of, plan_file
from mnemolog.schema.archive import Entry, decode_line, encode_line, write_whole
from mnemolog.schema.controls import ErasedWhat
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure took, in numbers; `again` are facts that are derived again from what is left."""

    messages: int
    statements: int
    facts: int
    again: int
    scenes: int
    outcomes: int
    replies: int
    recalls: int
    requests: int
    entries: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased when, what it took, and what is out of its reach. Times are UTC milliseconds."""

    position: str
    what: ErasedWhat
    requested_at: int
    done_at: int
    erased: Erased
    seconds: float
    out_of_reach: tuple[str, ...]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One of the erasures that a plan carries out."""

    position: str
    what: ErasedWhat
    requested_at: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan begins with; `parked` are the entries that could not be folded before, either."""

    asked: tuple[Ask, ...]
    erased: Erased
    parked: tuple[str, ...]
    begun_at: int


class Plan(msgspec.Struct, frozen=True):
    """An erasure that is under way."""

    head: Head
    bodies: Mapping[Position, bytes]


def is_under_way(settings: Settings) -> bool:
    """Whether an erasure was begun and is not done."""
    return plan_file(settings).exists()


def read(settings: Settings) -> Plan | None:
    """The plan of the erasure that is under way. Raises DamagedFile for one that cannot be read."""
    try:
        head, *lines = plan_file(settings).read_bytes().splitlines()
        entries = [decode_line(line, plan_file(settings).name) for line in lines]
        return Plan(msgspec.json.decode(head, type=Head), {entry.position: entry.body for entry in entries})
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ValueError) as error:
        raise DamagedFile(f"{plan_file(settings)} cannot be read: {error}") from error


def write(settings: Settings, plan: Plan) -> None:
    """Puts a plan on the disk: from here on the erasure is under way."""
    folder_of(settings).mkdir(mode=0o700, exist_ok=True)
    lines = [encode_line(Entry(position, body)) for position, body in sorted(plan.bodies.items())]
    write_whole(plan_file(settings), msgspec.json.encode(plan.head) + b"\n" + b"".join(lines))


def finish(settings: Settings, receipts: list[Receipt]) -> None:
    """Keeps the receipts, and ends the erasure."""
    for receipt in receipts:
        write_whole(folder_of(settings) / f"{receipt.position}.json", msgspec.json.encode(receipt))
    plan_file(settings).unlink()


def receipt_of(settings: Settings, position: str) -> Receipt | None:
    """The receipt of the erasure that was asked for at a position, once it is carried out."""
    try:
        return msgspec.json.decode((folder_of(settings) / f"{position}.json").read_bytes(), type=Receipt)
    except FileNotFoundError:
        return None


# ---- cleaning again ----------------------------------------------------------------------------------------------


def clean_at(settings: Settings, due: tuple[int, ...]) -> None:
    """Sets when Redis is to be cleaned again; never, where there is no time."""
    if not due:
        again_file(settings).unlink(missing_ok=True)
        return
    folder_of(settings).mkdir(mode=0o700, exist_ok=True)
    write_whole(again_file(settings), msgspec.json.encode(Again(tuple(sorted(set(due))))))


# ---- copies ------------------------------------------------------------------------------------------------------


def remove_copies(settings: Settings) -> None:
    """Deletes every file of a space but its file, its archive and what is kept of erasures.

    Snapshots, side files of questions, a shadow, what interrupted work left: who is at work on one of them loses it.
    So does what moving the space from and to this machine left in the data folder.
    """
    for name in ("snapshots", "known", "shadow"):
        shutil.rmtree(settings.folder / name, ignore_errors=True)
    live = {settings.file.name + suffix for suffix in ("", "-wal", "-shm")}
    found = [*settings.folder.glob("*.db*"), *settings.folder.glob("*.tmp"), *settings.archive.glob("*.tmp")]
    for path in [*found, *_moved(settings)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in live:
            path.unlink(missing_ok=True)


def _moved(settings: Settings) -> Iterator[Path]:
    """Bundles for other machines, folders that were set aside, and what an interrupted import left."""
    space = re.escape(settings.space)
    for folder, names in (
        (settings.data / "moving", rf"\.?{space}-\d+\.tar(\.\d+\.partial)?"),
        (settings.folder.parent, rf"\.was-{space}-\d+(\.\d+)?|\.importing-{space}-\d+"),
    ):
        if folder.is_dir():
            yield from (path for path in folder.iterdir() if re.fullmatch(names, path.name))
