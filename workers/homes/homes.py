"""The homes of spaces as one machine sees them: what it may write, what it has to let go of, and what others keep.

A claim never expires: the home has the only archive, so that nobody else may begin with an empty file. Beside the
archive, `home.json` keeps the last claim that was seen, for a Redis that has lost its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec
import redis

from mnemolog.schema.errors import SpaceHeld, StaleWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.homes.claims import Claim, Claims, decoded, encoded
from mnemolog.workers.homes.machine import this_machine

RECORD = "home.json"


def now_ms() -> int:
    """The machine's clock, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def recorded(folder: Path) -> Claim | None:
    """The claim that was last seen to the space of a folder."""
    file = folder / RECORD
    return decoded(file.read_bytes(), str(file)) if file.exists() else None


def record(folder: Path, claim: Claim) -> None:
    """Keeps a claim beside the archive, unless it is there. The folder must exist."""
    if recorded(folder) == claim:
        return
    written = folder / f".{RECORD}.{os.getpid()}"
    written.write_bytes(encoded(claim) + b"\n")
    written.replace(folder / RECORD)


class Standing(msgspec.Struct, frozen=True):
    """Spaces by whose they are: this machine's, nobody's yet, other machines', and those that wait for a hand."""

    ours: list[str]
    new: list[str]
    elsewhere: list[str]
    waiting: dict[str, str]


class Lost(NamedTuple):
    """Why a space must not be written here any more, and whether that was decided here or by giving it up."""

    reason: str
    in_order: bool


class Homes:
    """What one machine may write. Raises as Claims does, and DamagedFile and OSError for its own record."""

    def __init__(self, client: redis.Redis, data: Path) -> None:
        self._client = client
        self.claims = Claims(client)
        self.machine = this_machine(data)
        self._data = data
        self._held: dict[str, Claim] = {}

    # ---- taking ------------------------------------------------------------------------------------------------

    def take(self, settings: Settings) -> bool:
        """Makes sure that this machine is home to a space before it writes; whether it was not before.

        Raises SpaceHeld for a space of another machine, and one that is being moved.
        """
        claim = self.claims.of(settings.space)
        fresh = claim is None
        if claim is None:
            claim = self._first(settings)
            if not self.claims.change(settings.space, None, claim):
                return self.take(settings)
        if reason := self._refusal(settings.space, claim):
            raise SpaceHeld(reason)
        self._held[settings.space] = claim
        return fresh

    def _first(self, settings: Settings) -> Claim:
        """A claim to a space without one. Raises SpaceHeld when it is known here that it went to another machine."""
        known = recorded(settings.folder)
        if known is not None and (known.machine != self.machine.id or known.to is not None):
            went = known.to if known.to is not None else known.holder
            raise SpaceHeld(
                f"space {settings.space!r} went from here to {went}, and Redis knows no home of it any more: start the "
                f"writer there, or take it back with `mnemolog home claim {settings.space} --force`"
            )
        return self.claim_after(known)

    def claim_after(self, old: Claim | None) -> Claim:
        """The claim of this machine that follows another."""
        epoch = 1 if old is None else old.epoch + 1
        return Claim(machine=self.machine.id, name=self.machine.name, epoch=epoch, since=now_ms())

    def keep(self, settings: Settings) -> None:
        """Records the claim beside the archive, once the space has been opened."""
        record(settings.folder, self._held[settings.space])

    def give_up(self, space: str) -> None:
        """Takes a claim back under which nothing could be written."""
        claim = self._held.pop(space)
        self.claims.remove(space, claim)

    def forget(self, space: str) -> None:
        """Ceases to look after a space that this process writes no more; the claim stays."""
        self._held.pop(space, None)

    def seize(self, settings: Settings, claim: Claim | None) -> Claim:
        """Claims a space for this machine in the place of `claim`, whosever it is; an offer to another is void then.

        Raises SpaceHeld when the claim was changed meanwhile.
        """
        mine = self.claim_after(claim or recorded(settings.folder))
        self.swap(settings.space, claim, mine)
        if settings.folder.exists():
            record(settings.folder, mine)
        return mine

    def swap(self, space: str, old: Claim | None, new: Claim) -> None:
        """Puts a claim in the place of the one that was read. Raises SpaceHeld when that is there no more."""
        if not self.claims.change(space, old, new):
            raise SpaceHeld(
                f"the home of space {space!r} was changed by somebody else just now: see `mnemolog home list`"
            )

    # ---- keeping -----------------------------------------------------------------------------------------------

    def lost(self) -> dict[str, Lost]:
        """The spaces of this process that it must not write any more. A claim that Redis lost is put there again."""
        claims = self.claims.of_all(self._held)
        lost = {}
        for space, held in list(self._held.items()):
            claim = claims.get(space)
            if claim is None:
                self.claims.change(space, None, held)
            elif claim != held:
                # This machine's own people did it, or gave the space up.
                in_order = claim.machine in ("", self.machine.id)
                lost[space] = Lost(self._refusal(space, claim) or f"space {space!r} was claimed again", in_order)
        return lost

    def stream(self, space: str) -> Stream:
        """The stream of a space that this process has taken."""
        return HomeStream(self, self._client, space)

    def trim(self, stream: Stream, first: Position) -> int:
        """Trims the stream of a space that this process writes. Raises StaleWriter when its claim is over."""
        held = self._held.get(stream.space)
        if held is None:
            raise StaleWriter(f"space {stream.space!r} is not written here any more")
        return self.claims.trim(stream, held, first)

    # ---- looking round -----------------------------------------------------------------------------------------

    def standing(self, spaces: Iterable[str]) -> Standing:
        """Whose these spaces are; for those that wait for somebody to do something, what that is."""
        found = Standing([], [], [], {})
        asked = sorted(spaces)
        claims = self.claims.of_all(asked)
        for space in asked:
            claim = claims.get(space)
            if claim is None:
                found.new.append(space)
            elif claim.machine == self.machine.id and claim.to is None:
                found.ours.append(space)
            elif claim.machine not in ("", self.machine.id) and not self.is_offered(claim):
                found.elsewhere.append(space)
            else:
                found.waiting[space] = self._refusal(space, claim)
        return found

    def is_offered(self, claim: Claim) -> bool:
        """Whether a space is to move to this machine."""
        return claim.to is not None and claim.to.id == self.machine.id

    def order(self, space: str) -> bytes:
        """The place of a space in this machine's own order of all."""
        return blake2b(space.encode(), key=self.machine.id.encode(), digest_size=8).digest()

    def _refusal(self, space: str, claim: Claim) -> str:
        """Why this machine must not write a space; nothing where it may."""
        keep = f"mnemolog home claim {space}"
        if claim.machine == self.machine.id:
            if claim.to is None:
                return ""
            if claim.offer is None:
                return (
                    f"space {space!r} is on its way to {claim.to} and not packed yet: go on with `mnemolog home move "
                    f"{space} --to {claim.to.id}`, or keep it here with `{keep}`"
                )
            return (
                f"space {space!r} waits for {claim.to} to claim what was packed at {claim.offer.position}; "
                f"or keep it here with `{keep}`"
            )
        if not claim.machine:
            return f"space {space!r} was released by {claim.name} and has no home: give it one with `{keep}`"
        if claim.offer is not None and self.is_offered(claim):
            return (
                f"space {space!r} comes here from {claim.holder}: bring {claim.offer.bundle} and run "
                f"`{keep} --bundle {claim.offer.bundle}`"
            )
        return f"space {space!r} is at home on {claim.holder}: run its writer there, or move it with `mnemolog home`"

    def clear_away(self, space: str) -> Path | None:
        """Sets the folder of a space aside that went from here in order, once its new home has it; where it is then.

        So that nobody asks a memory that stands still. It may be deleted; nothing of it is deleted by itself. A folder
        of a space that another machine took is left in its place, and marked as that machine's.
        """
        folder = self._data / "spaces" / space
        known = recorded(folder)
        claim = self.claims.of(space)
        if known is None or claim is None or claim.epoch <= known.epoch or claim.machine == self.machine.id:
            return None
        if known.offer is not None:
            return set_aside(folder, known.epoch)
        record(folder, claim)
        return None


class HomeStream(Stream):
    """The stream of a space as its home has it: trimmed only while the claim stands, at one moment with a look at it.

    Everything else that a home that is over does can be mended: what it folds is in a file that nobody asks any more,
    and what it appends says the same as what the new home appends. What it trimmed might be in no archive but its own.
    """

    def __init__(self, homes: Homes, client: redis.Redis, space: str) -> None:
        super().__init__(client, space)
        self._homes = homes

    def trim(self, first: Position) -> int:
        """Removes what stands before the entry that is to be the first. Raises StaleWriter when the claim is over."""
        return self._homes.trim(self, first)


def set_aside(folder: Path, epoch: int) -> Path:
    """Renames the folder of a space, which is no space then; gives the new name."""
    kept = folder.with_name(f".was-{folder.name}-{epoch}")
    number = 0
    while kept.exists():
        number += 1
        kept = folder.with_name(f".was-{folder.name}-{epoch}.{number}")
    folder.rename(kept)
    return kept
