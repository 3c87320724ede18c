"""Claims: what Redis says of the home of each space. Every change compares what was there with what was read before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import redis

from mnemolog.schema import keys
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import InvalidInput, LogRefused, StaleWriter
from mnemolog.schema.ids import Position, is_space
from mnemolog.schema.stream import Stream
from mnemolog.workers.homes.machine import Machine


class Offer(msgspec.Struct, frozen=True):
    """Where the old home stopped: its last entry, the space's id, the hash of its file, and the bundle's file name."""

    position: str
    space_id: str
    hash: str
    bundle: str


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim to a space; `since` is in UTC milliseconds, `epoch` counts the claims there were.

    `to` is the machine that the space is being moved to: nobody writes it then. `offer` is there once the old home has
    stopped. A claim without a machine keeps others from taking the space by themselves.
    """

    machine: str
    name: str
    epoch: int
    since: int
    to: Machine | None = None
    offer: Offer | None = None

    @property
    def holder(self) -> str:
        """The home for people's eyes."""
        return f"{self.name} ({self.machine})" if self.machine else "no machine"


def encoded(claim: Claim) -> bytes:
    """The claim as Redis and files keep it."""
    return msgspec.json.encode(claim)


def decoded(raw: bytes, where: str) -> Claim:
    """The claim that was kept. Raises LogRefused, naming `where`."""
    try:
        return msgspec.json.decode(raw, type=Claim)
    except msgspec.DecodeError as error:
        raise LogRefused(f"{where} holds no claim to a space ({error}): was it written by another program?") from None


def _told(space: str, raw: bytes) -> Claim:
    return decoded(raw, f"the key {keys.home(space)} of Redis")


class Claims:
    """The claims on one Redis. Every method raises LogUnavailable, LogFull or LogRefused for what Redis does."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def of(self, space: str) -> Claim | None:
        """The claim to a space."""
        return self.of_all([space]).get(space)

    def of_all(self, spaces: Iterable[str]) -> dict[str, Claim]:
        """The claims to those of the spaces that have one."""
        found = self._values(keys.home, spaces)
        return {space: _told(space, raw) for space, raw in found.items()}

    def progress(self, spaces: Iterable[str]) -> dict[str, Position]:
        """How far the writers of spaces are that said so within the last seconds."""
        found = self._values(keys.progress, spaces)
        return {space: Position.parse(raw.decode("ascii", "replace")) for space, raw in found.items()}

    def _values(self, key_of: Callable[[str], str], spaces: Iterable[str]) -> dict[str, bytes]:
        asked = list(spaces)

        def read() -> Sequence[Any]:
            with self._client.pipeline(transaction=False) as pipe:
                for space in asked:
                    pipe.get(key_of(space))
                return pipe.execute()

        found = self._do("read the homes of spaces", read)
        return {space: raw for space, raw in zip(asked, found, strict=True) if raw is not None}

    def claimed(self) -> list[str]:
        """The spaces that have a claim, sorted."""
        marks = keys.home("*").split("*")

        def look() -> list[bytes]:
            return list(self._client.scan_iter(match=keys.home("*"), count=1000))

        names = [
            key.decode("utf-8", "replace").removeprefix(marks[0]).removesuffix(marks[1])
            for key in self._do("look for the homes of spaces", look)
        ]
        return sorted(filter(is_space, names))

    def change(self, space: str, old: Claim | None, new: Claim) -> bool:
        """Puts a new claim in the place of the one that was read; whether that was still there."""
        return self._if_unchanged(space, old, lambda pipe: pipe.set(keys.home(space), encoded(new)))

    def remove(self, space: str, old: Claim) -> bool:
        """Takes a claim away, if it is still there."""
        return self._if_unchanged(space, old, lambda pipe: pipe.delete(keys.home(space)))

    def trim(self, stream: Stream, claim: Claim, first: Position) -> int:
        """Trims a space's stream as its home, at one moment with the look at the claim; gives how many entries went.

        Raises StaleWriter when the claim is over: what is trimmed might not be in the archive of the new home.
        """
        gone: list[int] = []

        def trim(pipe: Any) -> None:
            pipe.xtrim(stream.key, minid=str(first), approximate=False)

        if not self._if_unchanged(stream.space, claim, trim, gone):
            raise StaleWriter(f"space {stream.space!r} has another home by now: its stream is not trimmed from here")
        return gone[0]

    def _if_unchanged(
        self, space: str, old: Claim | None, change: Callable[[Any], object], answers: list[int] | None = None
    ) -> bool:
        def attempt() -> bool:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(keys.home(space))
                raw: Any = pipe.get(keys.home(space))
                if (None if raw is None else _told(space, raw)) != old:
                    return False
                pipe.multi()
                change(pipe)
                try:
                    found = pipe.execute()
                except redis.WatchError:
                    return False
                if answers is not None:
                    answers.extend(found)
                return True

        done: bool = self._do(f"change the home of space {space!r}", attempt)
        return done

    # ---- machines ----------------------------------------------------------------------------------------------

    def introduce(self, machine: Machine) -> None:
        """Says that there is such a machine."""
        self._do("name this machine", lambda: self._client.hset(keys.machines(), machine.id, machine.name))

    def machines(self) -> list[Machine]:
        """The machines that there are or were, by name."""
        found = self._do("look for machines", lambda: self._client.hgetall(keys.machines()))
        known = [
            Machine(id_.decode("utf-8", "replace"), name.decode("utf-8", "replace")) for id_, name in found.items()
        ]
        return sorted(known, key=lambda machine: (machine.name, machine.id))

    def machine(self, named: str) -> Machine:
        """The machine of this id or name. Raises InvalidInput when there is none, or several have the name."""
        known = self.machines()
        found = [one for one in known if one.id == named] or [one for one in known if one.name == named]
        if len(found) == 1:
            return found[0]
        shown = ", ".join(map(str, found or known)) or "none yet"
        what = f"several machines are called {named!r}, so give an id" if found else f"no machine is known as {named!r}"
        raise InvalidInput(f"{what}: {shown}. A machine is known once `mnemolog ingest --all` has run on it")

    def _do(self, what: str, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except redis.RedisError as error:
            raise translate(error, what) from error
