"""Moving a space from one home to another: the old one stops and packs, the new one unpacks, compares and claims.

Whatever ends a step on the way, the claim says whose the space is, and doing the step again goes on. What is published
meanwhile waits in the stream, which nobody trims until the new home has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema import archive
from mnemolog.schema.errors import DamagedFile, InvalidInput, SpaceHeld
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.bundles import bundles, bundling, unbundling
from mnemolog.workers.bundles.unbundling import Restored
from mnemolog.workers.homes.claims import Claim, Offer
from mnemolog.workers.homes.homes import Homes, record, recorded, set_aside
from mnemolog.workers.homes.machine import Machine
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.writer.space_writer import SpaceWriter

PAGE = 500
#: How often a writer that has to let go is looked at.
LOOK_S = 0.1


def bundle_name(space: str, epoch: int) -> str:
    """The file name of the bundle that a home of this epoch leaves."""
    return f"{space}-{epoch}.tar"


# ---- the old home ----------------------------------------------------------------------------------------------


def leave(
    homes: Homes,
    settings: Settings,
    stream: Stream,
    to: Machine,
    folder: Path,
    embedder: Embedder,
    wait_s: float,
    progress: Progress = lambda _: None,
) -> Claim:
    """Stops writing a space here, and packs it into a bundle in `folder` for another machine; gives what is offered.

    The writer of the space is given `wait_s` seconds to let go. Raises InvalidInput for a machine that is home already,
    SpaceHeld for a space of another machine and for a writer that does not let go, errors of the log and of exporting;
    then this machine stays its home.
    """
    if to.id == homes.machine.id:
        raise InvalidInput(f"this machine is {to}: name another one")
    claim = _begin(homes, settings, to)
    bundle = folder / bundle_name(settings.space, claim.epoch)
    if claim.offer is not None and bundle.exists():
        return claim
    try:
        with _let_go(settings, stream, embedder, wait_s) as writer:
            _drain(writer)
            offered = msgspec.structs.replace(claim, offer=_packed(settings, bundle, progress))
            # Recorded first: where Redis loses the claims now, nobody goes on here by himself.
            record(settings.folder, offered)
            homes.swap(settings.space, claim, offered)
    except BaseException:
        _stay(homes, settings, claim)
        raise
    return offered


def _begin(homes: Homes, settings: Settings, to: Machine) -> Claim:
    """Says that the space is to move, whereupon its writer lets go of it; a move that was begun goes on."""
    claim = homes.claims.of(settings.space)
    if claim is None:
        homes.take(settings)
        claim = homes.claims.of(settings.space)
    if claim is None or claim.machine != homes.machine.id:
        holder = claim.holder if claim else "no machine"
        raise SpaceHeld(f"space {settings.space!r} is at home on {holder}: it is moved from there")
    if claim.to is not None and claim.to.id == to.id:
        return claim
    leaving = msgspec.structs.replace(claim, to=to, offer=None)
    homes.swap(settings.space, claim, leaving)
    return leaving


@contextmanager
def _let_go(settings: Settings, stream: Stream, embedder: Embedder, wait_s: float) -> Iterator[SpaceWriter]:
    """The space, held by this process once its writer has let go of it."""
    until = time.monotonic() + wait_s
    while True:
        writer = SpaceWriter(settings, stream, embedder)
        try:
            writer.open()
            break
        except SpaceHeld:
            if time.monotonic() > until:
                raise
        time.sleep(LOOK_S)
    try:
        yield writer
    finally:
        writer.close()


def _drain(writer: SpaceWriter) -> None:
    """Folds what was published up to now."""
    bounds = writer.stream.bounds()
    while bounds and (page := writer.stream.range(writer.position, PAGE, bounds.top)):
        writer.fold(page)
        writer.renew_if_due()


def _packed(settings: Settings, bundle: Path, progress: Progress) -> Offer:
    bundle.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Without the stream: what comes later is read from it by the new home.
    made = bundling.export(settings, None, bundle, snapshot=True, force=True, progress=progress).manifest
    if made.state is None:
        raise DamagedFile(f"the file of space {settings.space!r} tells no hash: check it with `mnemolog doctor`")
    return Offer(made.last, made.space_id, made.state.hash, bundle.name)


def _stay(homes: Homes, settings: Settings, leaving: Claim) -> None:
    """Takes the intention to move back, as far as it stands."""
    claim = homes.claims.of(settings.space)
    if claim == leaving:
        homes.seize(settings, claim)


# ---- the new home ----------------------------------------------------------------------------------------------


def receive(
    homes: Homes, settings: Settings, bundle: Path | None, embedder: Embedder, progress: Progress = lambda _: None
) -> Restored | None:
    """Unpacks the bundle of a space that was moved here, compares it with what the old home told, and claims it.

    None where the memory was unpacked here already. Raises SpaceHeld for a space that is not offered to this machine,
    InvalidInput for another bundle, and as `unbundling.restore`.
    """
    claim = homes.claims.of(settings.space)
    if claim is None or claim.offer is None or not homes.is_offered(claim):
        raise SpaceHeld(
            f"space {settings.space!r} is not offered to this machine, {homes.machine}: run `mnemolog home move "
            f"{settings.space} --to {homes.machine.id}` on its home; `mnemolog home list` tells which that is"
        )
    restored = None
    if not _is_here(settings, claim.offer):
        if bundle is None:
            raise InvalidInput(f"space {settings.space!r} was packed in {claim.offer.bundle}: give it with --bundle")
        _check_offered(bundle, claim.offer)
        _make_room(settings)
        restored = unbundling.restore(settings, bundle, settings.space, embedder, progress)
    mine = homes.claim_after(claim)
    homes.swap(settings.space, claim, mine)
    record(settings.folder, mine)
    return restored


def _is_here(settings: Settings, offer: Offer) -> bool:
    """Whether this machine has the archive of what is offered."""
    last = archive.last_entry(settings.archive)
    if last is None or str(last.position) != offer.position:
        return False
    return bundling.space_id(next(archive.read(settings.archive))) == offer.space_id


def _check_offered(bundle: Path, offer: Offer) -> None:
    manifest = bundles.manifest_of(bundle)
    told = (manifest.last, manifest.space_id, manifest.state.hash if manifest.state else "")
    if told != (offer.position, offer.space_id, offer.hash):
        raise InvalidInput(
            f"{bundle} is not the bundle {offer.bundle} that was packed at {offer.position} for this move"
        )


def _make_room(settings: Settings) -> None:
    """Sets a folder aside that the space has here from before it went away."""
    known = recorded(settings.folder)
    if known is not None:
        set_aside(settings.folder, known.epoch)
