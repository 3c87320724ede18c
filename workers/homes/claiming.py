"""Claiming a space by hand: what was moved here, what has no home, and, when asked to, what is another machine's."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import archive
from mnemolog.schema.errors import DivergedLog, InvalidInput, SpaceHeld
from mnemolog.schema.ids import START
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.bundles import unbundling
from mnemolog.workers.homes.claims import Claim
from mnemolog.workers.homes.homes import Homes
from mnemolog.workers.homes.moving import receive
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.writer import reconcile


class Claimed(msgspec.Struct, frozen=True):
    """A claim that was made; `before` is who was home, `missing` what of the log is neither here nor in the stream."""

    claim: Claim
    before: str
    missing: str


def claim(
    homes: Homes,
    settings: Settings,
    stream: Stream,
    bundle: Path | None,
    embedder: Embedder,
    progress: Progress = lambda _: None,
    *,
    force: bool,
) -> Claimed:
    """Makes this machine the home of a space, out of `bundle` where one is given.

    Raises SpaceHeld for a space of another machine, and for one of which something would be missing here, unless
    `force` is given; as `receive` for one that was moved here.
    """
    old = homes.claims.of(settings.space)
    before = old.holder if old else "no machine"
    if old is not None and old.machine == homes.machine.id and old.to is None:
        return Claimed(old, before, "")
    if old is not None and old.offer is not None and homes.is_offered(old):
        receive(homes, settings, bundle, embedder, progress)
        return Claimed(_claim_of(homes, settings), before, "")
    if old is not None and old.machine not in ("", homes.machine.id) and not force:
        raise SpaceHeld(
            f"space {settings.space!r} is at home on {before}: move it from there (`mnemolog home move "
            f"{settings.space} --to {homes.machine.id}`). If that machine is lost, import the newest bundle with "
            f"--bundle and --force: what it folded after that, and the stream no longer holds, is lost with it"
        )
    if bundle is not None:
        unbundling.restore(settings, bundle, settings.space, embedder, progress)
    missing = missing_here(settings, stream)
    if missing and not force:
        raise SpaceHeld(
            f"space {settings.space!r} is not whole here: {missing}. Bring what is missing with --bundle; with --force "
            "it is given up"
        )
    if old is None and not force:
        homes.take(settings)
        return Claimed(_claim_of(homes, settings), before, "")
    return Claimed(homes.seize(settings, old), before, missing)


def _claim_of(homes: Homes, settings: Settings) -> Claim:
    found = homes.claims.of(settings.space)
    if found is None:
        raise SpaceHeld(f"the claim to space {settings.space!r} is gone from Redis already: try again")
    return found


def release(homes: Homes, settings: Settings) -> Claim:
    """Gives up a space of this machine, which then has no home until a machine claims it by hand; gives the claim.

    Its writer lets go of it within a second. Raises InvalidInput for a space that is not at home here.
    """
    old = homes.claims.of(settings.space)
    if old is None or old.machine != homes.machine.id:
        holder = old.holder if old else "no machine"
        raise InvalidInput(f"space {settings.space!r} is at home on {holder}, not here: it is released there")
    released = msgspec.structs.replace(old, machine="", epoch=old.epoch + 1, to=None, offer=None)
    homes.swap(settings.space, old, released)
    return released


def missing_here(settings: Settings, stream: Stream) -> str:
    """What of a space's log neither this machine nor the stream has; nothing where they have it all."""
    bounds = stream.bounds()
    last = archive.last_entry(settings.archive)
    end = last.position if last else START
    if bounds is None or bounds.first is None:
        return "" if last else "this machine has no archive of it, and its stream is empty"
    if bounds.first <= end or (last is None and _is_whole(settings, stream)):
        return ""
    here = f"the archive here ends at {end}" if last else "this machine has no archive"
    return f"its stream begins at {bounds.first}, and {here}"


def _is_whole(settings: Settings, stream: Stream) -> bool:
    """Whether the stream begins with the space's creation."""
    try:
        reconcile.inspect(stream, reconcile.Folded(START, b"", ""), settings.archive)
    except DivergedLog:
        return False
    return True
