"""Exporting: a space's log, and what it was folded to, put into a bundle while a writer may go on."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.integrity import content_hash, fast_hash, position_of
from mnemolog.schema import archive, times
from mnemolog.schema import log as event_log
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.errors import DamagedFile, InvalidInput, LogFull, LogRefused, LogUnavailable, SpaceNotFound
from mnemolog.schema.events import SpaceCreated
from mnemolog.schema.ids import START, Position
from mnemolog.schema.log import event_of
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.bundles import bundles
from mnemolog.workers.bundles.bundles import FORMAT, VERSION, Manifest, State
from mnemolog.workers.erasing import plans
from mnemolog.workers.rebuilding import snapshots
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.space_file import DAMAGE, fold_version

BATCH = 500
ATTEMPTS = 3


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported; `left_out` says why what is in the stream and not archived yet is not in it, if it is not."""

    file: str
    bytes: int
    manifest: Manifest
    left_out: str


def export(
    settings: Settings, stream: Stream | None, file: Path, *, snapshot: bool, force: bool, progress: Progress
) -> Exported:
    """Puts the log up to its present end, and what the file says of it, into a bundle.

    `progress` is told how many entries were copied. The bundle is written beside its place and moved there whole.
    Raises InvalidInput where something is there already, unless it is to be replaced, and while something is erased;
    SpaceNotFound without a log;
    DamagedFile for a log that does not add up.
    """
    if plans.is_under_way(settings):
        raise InvalidInput(
            f"an erasure of space {settings.space!r} is under way, or was interrupted: export when it is done"
        )
    if file.exists() and not force:
        raise InvalidInput(f"{file} is there already: give another name, or --force to replace it")
    with _beside(file) as folder:
        left_out, manifest = _settled(settings, stream, folder, progress, snapshot=snapshot)
        packed = folder / "bundle.tar"
        bundles.pack(folder, manifest, packed)
        size = packed.stat().st_size
        packed.replace(file)
        _sync(file.parent)
    return Exported(file=str(file), bytes=size, manifest=manifest, left_out=left_out)


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    folder = file.with_name(f".{file.name}.{os.getpid()}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settled(
    settings: Settings,
    stream: Stream | None,
    folder: Path,
    progress: Progress,
    *,
    snapshot: bool,
) -> tuple[str, Manifest]:
    """Collects what goes into the bundle; anew while another file is swapped in, as the log may be another then."""
    for _ in range(ATTEMPTS):
        epoch = _epoch(settings)
        for name in ("archive", "snapshot"):
            shutil.rmtree(folder / name, ignore_errors=True)
        # The file before the log: all that is folded is in the archive.
        state = _snapshot(settings, folder) if snapshot else _state(settings.file)
        reachable, left_out = _continuing(settings, stream)
        first, last, entries = _copy_log(settings, reachable, folder / "archive", progress)
        if epoch == _epoch(settings):
            return left_out, _manifest(settings, folder, state, first, last, entries)
    raise DamagedFile(f"the file of space {settings.space!r} was built again while it was exported: try again")


def _epoch(settings: Settings) -> int | None:
    try:
        with closing(open_reader(settings.file)) as connection:
            return lease.read(connection).epoch
    except (SpaceNotFound, *DAMAGE, apsw.SQLError):
        return None


# ---- the file --------------------------------------------------------------------------------------------------


def _state(path: Path) -> State | None:
    """What a file says, from one state of it; None where this version cannot tell."""
    try:
        with closing(open_reader(path)) as connection, read_transaction(connection):
            if fold_version(connection) != FOLD_VERSION or position_of(connection) == START:
                return None
            return State(
                position=str(position_of(connection)),
                hash=fast_hash(connection),
                content_hash=content_hash(connection),
                policy=msgspec.Raw(str(connection.execute("SELECT policy FROM space").get or "null").encode("utf-8")),
            )
    except (SpaceNotFound, *DAMAGE, apsw.SQLError):
        return None


def _snapshot(settings: Settings, folder: Path) -> State | None:
    made = snapshots.take(settings)
    if made is None:
        raise SpaceNotFound(f"nothing that this version folded is in {settings.file} yet: export without --snapshot")
    (folder / "snapshot").mkdir(mode=0o700)
    for name in (made.file, str(Path(made.file).with_suffix(".json"))):
        _copy(snapshots.folder_of(settings) / name, folder / "snapshot" / name)
    return _state(folder / "snapshot" / made.file)


def _copy(source: Path, to: Path) -> None:
    shutil.copyfile(source, to)
    to.chmod(0o600)


# ---- the log ---------------------------------------------------------------------------------------------------


def _continuing(settings: Settings, stream: Stream | None) -> tuple[Stream | None, str]:
    """The stream, if it can be read and continues the archive; else why it is left out."""
    if stream is None:
        return None, "no Redis was asked"
    try:
        bounds = stream.bounds()
        last = archive.last_entry(settings.archive)
        if bounds is None:
            return None, "" if last else "there is no stream"
        if last is None or bounds.top == last.position or stream.entry(last.position) == last:
            return stream, ""
    except (LogUnavailable, LogRefused, LogFull) as error:
        return None, str(error)
    return None, "the stream does not go on where the archive ends"


def _copy_log(settings: Settings, stream: Stream | None, to: Path, progress: Progress) -> tuple[Entry, Position, int]:
    """Copies sealed segments as they are and the rest entry by entry; gives the ends of the log, and their number."""
    bounds = stream.bounds() if stream else None
    until = bounds.top if bounds else None
    end, entries = _copy_sealed(settings.archive, to, progress)
    writer = ArchiveWriter(to)
    try:
        rest = event_log.read(settings.archive, stream, end, until)
        while page := list(islice(rest, BATCH)):
            entries += writer.append(page)
            writer.rotate()
            progress(len(page))
        last = writer.end
    finally:
        writer.close()
    first = next(archive.read(to), None)
    if first is None:
        raise SpaceNotFound(f"space {settings.space!r} has no log: neither an archive nor a stream that can be read")
    if problems := archive.check(to):
        raise DamagedFile(f"space {settings.space!r} was not exported: {'; '.join(problems)}")
    return first, last, entries


def _copy_sealed(folder: Path, to: Path, progress: Progress) -> tuple[Position, int]:
    to.mkdir(mode=0o700)
    end, entries = START, 0
    for number in archive.numbers(folder):
        sealed = archive.seal_of(folder, number)
        packed = folder / f"{number:08d}.jsonl.gz"
        # The seal is written before what it seals is in place.
        if sealed is None or not packed.exists():
            break
        for path in (packed, folder / f"{number:08d}.json"):
            _copy(path, to / path.name)
        end = Position.parse(sealed.last)
        entries += sealed.entries
        progress(sealed.entries)
    return end, entries


# ---- the manifest ----------------------------------------------------------------------------------------------


def _manifest(
    settings: Settings, folder: Path, state: State | None, first: Entry, last: Position, entries: int
) -> Manifest:
    given: dict[str, Any] = {"format": FORMAT, "version": VERSION, "fold_version": FOLD_VERSION}
    return Manifest(
        **given,
        space=settings.space,
        space_id=space_id(first),
        created_at=times.show(time.time_ns() // 1_000_000),
        entries=entries,
        first=str(first.position),
        last=str(last),
        state=state,
        members=bundles.members_in(folder),
    )


def space_id(first: Entry) -> str:
    """A space's id: a hash of its salt, from the first entry of its log. Raises DamagedFile where that creates none."""
    payload = event_of(first).payload
    if not isinstance(payload, SpaceCreated):
        raise DamagedFile(f"the log begins at {first.position} without the space's creation: restore what came before")
    return blake2b(payload.salt.encode("utf-8"), digest_size=12, person=b"mnemolog-space").hexdigest()
