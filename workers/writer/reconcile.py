"""What stream, archive and file say of one another when a writer starts, and while it waits.

Safe differences are healed: an archive whose end a power cut took is filled up from the stream, a file behind its
archive is folded on, a stream that is empty or lost its tail gets the last archived entry back at its own position,
so that new entries come after it. Everything else is named, with what to do (DivergedLog), until somebody accepts it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import EntryErased
from mnemolog.schema.errors import DamagedFile, DivergedLog, NewerEvent, Undecodable
from mnemolog.schema.events import Event, GapAccepted, Payload, SpaceCreated
from mnemolog.schema.ids import MAX_STREAM_PART, START, EventIds, Position
from mnemolog.schema.log import event_of
from mnemolog.schema.policy import Policy
from mnemolog.schema.stream import Bounds, Stream
from mnemolog.workers.writer.batches import Decoded, entry_hash

log = logging.getLogger("mnemolog.writer")

PAGE = 500
_ids = EventIds()
_GO_ON = "or go on with the stream as it is: mnemolog ingest --accept-stream"


class Folded(msgspec.Struct, frozen=True):
    """How far a file is, how to know its last entry again, and the salt of its space."""

    position: Position
    last_entry: bytes
    salt: str


class Accepted(msgspec.Struct, frozen=True):
    """What an operator accepted: how the stream goes on after one position, and what it says up to another."""

    after: Position | None
    until: Position


NOTHING_ACCEPTED = Accepted(None, START)


def folded(connection: apsw.Connection) -> Folded:
    """What the file says of itself."""
    last_entry, salt = connection.execute("SELECT last_entry, salt FROM space").get
    return Folded(position_of(connection), last_entry, salt)


def archived(writer: ArchiveWriter) -> Folded:
    """The same of the archive: how far it is, its last entry, and the salt of the space it begins with."""
    last = archive.last_entry(writer.folder)
    if last is None:
        return Folded(START, b"", "")
    creation = _payload(next(archive.read(writer.folder)))
    salt = creation.salt if isinstance(creation, SpaceCreated) else ""
    return Folded(last.position, entry_hash(last), salt)


def fill_archive(writer: ArchiveWriter, stream: Stream, known: Folded) -> None:
    """Appends what the archive lacks up to the file's position, from the stream.

    Raises DamagedFile when the stream no longer has it, and for a file that was made from another log.
    """
    position = known.position
    if writer.end >= position:
        _check_file(writer, stream.space, known)
        return
    ends = (stream.space, writer.end, position)
    said = {"space": stream.space, "position": writer.end}
    log.warning("the archive of %s ends at %s, before the file's %s: filling it up", *ends, extra=said)
    missing: list[Entry] = []
    after = writer.end
    while page := stream.range(after, PAGE, until=position):
        missing += page
        after = page[-1].position
    if after != position or entry_hash(missing[-1]) != known.last_entry or not _follows(stream, missing[0], writer):
        raise DamagedFile(
            f"the archive of space {stream.space!r} ends at {writer.end}, the file is at {position}, and the stream no "
            f"longer has what lies between. Restore {writer.folder} from a backup; or, to go on with what the archive "
            f"has, move {writer.folder.parent / 'space.db'} away, run mnemolog replay, and then mnemolog ingest "
            "--accept-stream"
        )
    writer.append(missing)
    writer.sync()


def _check_file(writer: ArchiveWriter, space: str, known: Folded) -> None:
    """Raises DamagedFile for a file whose last entry the archive does not hold: folded on, it would mix two logs."""
    if known.position == START:
        return
    last = archive.entry(writer.folder, known.position)
    if last is None or entry_hash(last) != known.last_entry:
        raise DamagedFile(
            f"space {space!r}: {writer.folder.parent / 'space.db'} was made from another log than the archive beside "
            f"it, which holds {'no entry' if last is None else 'another entry'} at {known.position}, where the file "
            f"is. Put back the one that belongs to the other; or build the file from the archive: "
            f"mnemolog --space {space} replay"
        )


def _follows(stream: Stream, first: Entry, writer: ArchiveWriter) -> bool:
    """Whether nothing was trimmed away between the archive's end and the stream's first entry after it."""
    if writer.end == START:
        return _may_create(first)
    return stream.entry(writer.end) is not None


def inspect(stream: Stream, known: Folded, folder: Path) -> str:
    """Compares the stream with what was folded; heals it where that is safe, and says what was healed.

    Raises DivergedLog for what cannot be healed.
    """
    if known.position == START:
        _check_beginning(stream)
        return ""
    last = stream.entry(known.position)
    if last is not None:
        if entry_hash(last) != known.last_entry:
            if _was_erased(known, folder):
                stream.begin_at(archive.entry(folder, known.position) or last)
                return f"the stream of space {stream.space!r} still had what was erased at {known.position}: it is gone"
            raise _replaced(stream, f"at {known.position} it holds another entry than the one that was folded")
        return ""
    bounds = stream.bounds()
    if bounds is None or bounds.top < known.position:
        return _restore(stream, bounds, known, folder)
    return _explain_missing(stream, bounds, known)


def _was_erased(known: Folded, folder: Path) -> bool:
    """Whether the last folded entry is what is left of one that was erased."""
    last = archive.entry(folder, known.position)
    return last is not None and entry_hash(last) == known.last_entry and isinstance(_payload(last), EntryErased)


def _check_beginning(stream: Stream) -> None:
    bounds = stream.bounds()
    if bounds is None or bounds.top == START:
        return
    if bounds.first is None:
        raise _emptied(stream, START, bounds)
    first = stream.entry(bounds.first)
    if first and not _may_create(first):
        raise DivergedLog(
            "trimmed",
            f"the stream of space {stream.space!r} was trimmed by others: it begins at {bounds.first} without the "
            "space's creation, and this machine has no archive of what came before. Restore the archive from a "
            f"backup or from the space's home machine, {_GO_ON} (the space is then created anew)",
        )


def _restore(stream: Stream, bounds: Bounds | None, known: Folded, folder: Path) -> str:
    """Gives a stream that ends before the file's position the last archived entry back, at its own position."""
    if bounds is None or bounds.length == 0:
        what = "was emptied"
    else:
        first = stream.entry(bounds.first) if bounds.first else None
        if first and _is_other_space(first, known):
            raise _replaced(stream, f"it ends at {bounds.top} and was created with another salt")
        what = f"was cut at its tail: it ends at {bounds.top}"
    last = archive.last_entry(folder)
    if last is None or last.position != known.position:
        raise DamagedFile(
            f"the stream of space {stream.space!r} {what}, and the archive does not end at {known.position} as the "
            "file does. Rebuild the file from the archive: mnemolog replay"
        )
    stream.restore(last)
    return (
        f"the stream of space {stream.space!r} {what}, before {known.position}, which is folded and archived. Nothing "
        "that was folded is lost; what was published after it and not folded yet is. The last entry was put back, and "
        "new ones come after it"
    )


def _explain_missing(stream: Stream, bounds: Bounds, known: Folded) -> str:
    if bounds.top == known.position:
        return ""  # trimmed up to and with the last folded entry: nothing is missing
    if bounds.first is None:
        raise _emptied(stream, known.position, bounds)
    if bounds.first < known.position:
        return (
            f"the stream of space {stream.space!r} was cut at its tail, or entries of it were deleted: the last folded "
            f"entry, {known.position}, is gone, and there are entries before and after it. Nothing that was folded is "
            "lost; what was published between it and the next entry may be. Going on with the next entry"
        )
    first = stream.entry(bounds.first)
    if first and _is_other_space(first, known):
        raise _replaced(stream, f"it begins at {bounds.first} and was created with another salt")
    raise DivergedLog(
        "trimmed",
        f"the stream of space {stream.space!r} was trimmed by others: the last folded entry, {known.position}, is "
        f"gone, and the stream begins at {bounds.first}. Entries between them may be lost. Find out who ran XTRIM or "
        f"XDEL; publish what is missing again if its producers can, {_GO_ON}",
    )


def _emptied(stream: Stream, after: Position, bounds: Bounds) -> DivergedLog:
    return DivergedLog(
        "emptied",
        f"the stream of space {stream.space!r} was emptied by others: entries after {after} up to {bounds.top} were "
        "published and are gone before they were folded. Find out who ran XTRIM, XDEL or DEL; publish them again if "
        f"their producers can, {_GO_ON}",
    )


def _replaced(stream: Stream, why: str) -> DivergedLog:
    return DivergedLog(
        "replaced",
        f"the stream of space {stream.space!r} was replaced by another one: {why}. Connect to the Redis that this "
        f"memory came from, give this stream a memory of its own (--space or --data), {_GO_ON}",
    )


def check_entries(
    stream: Stream, decoded: Sequence[Decoded], known: Folded, accepted: Accepted
) -> tuple[Sequence[Decoded], DivergedLog | None]:
    """The entries up to the first that no stream of this log can hold, and what is wrong with that one."""
    for index, (entry, event) in enumerate(decoded):
        if max(entry.position) > MAX_STREAM_PART:
            return decoded[:index], _impossible(stream, entry.position)
        if entry.position > accepted.until and _creates_another(event, known):
            return decoded[:index], _replaced(
                stream, f"it was created again at {entry.position}, after what was folded"
            )
    return decoded, None


def _creates_another(event: Event | Undecodable, known: Folded) -> bool:
    return (
        isinstance(event, Event)
        and isinstance(event.payload, SpaceCreated)
        and bool(known.salt)
        and event.payload.salt != known.salt
    )


def _impossible(stream: Stream, position: Position) -> DivergedLog:
    """For an id that no clock gives and no table holds: somebody added it by hand."""
    return DivergedLog(
        "impossible",
        f"the stream of space {stream.space!r} has an entry with the impossible id {position}, after which nothing "
        "can be added. Somebody added it by hand; the entries before it are folded. Copy what is worth keeping, "
        f"delete the stream ({stream.key}) and restart the writer: it goes on after what it has archived",
    )


def accept(stream: Stream, writer: ArchiveWriter, known: Folded) -> Accepted:
    """Records on the log that it goes on with the stream as it is, and sees to it that new entries come after it.

    A log that has no beginning yet is given one: before the first entry that is left, where there is one.
    """
    bounds = stream.bounds()
    last = archive.last_entry(writer.folder)
    if last is not None and (bounds is None or bounds.top < known.position):
        stream.restore(last)
    if known.position == START:
        _create(stream, writer, bounds)
    body = _event(GapAccepted(ms=known.position.ms, seq=known.position.seq))
    return Accepted(after=max(known.position, writer.end), until=stream.append(body))


def _create(stream: Stream, writer: ArchiveWriter, bounds: Bounds | None) -> None:
    body = _event(SpaceCreated(space=stream.space, salt=os.urandom(16).hex(), policy=Policy()))
    if bounds is None or bounds.first is None:
        stream.append(body)
        return
    ms, seq = bounds.first
    writer.append([Entry(Position(ms, seq - 1) if seq else Position(ms - 1, 0), body)])
    writer.sync()


def _event(payload: Payload) -> bytes:
    return encode(_ids.mint(), time.time_ns() // 1_000_000, payload)


def _is_other_space(entry: Entry, known: Folded) -> bool:
    payload = _payload(entry)
    return isinstance(payload, SpaceCreated) and payload.salt != known.salt


def _may_create(entry: Entry) -> bool:
    try:
        return isinstance(event_of(entry).payload, SpaceCreated)
    except NewerEvent:
        return True  # the fold says so better
    except Undecodable:
        return False


def _payload(entry: Entry) -> object:
    try:
        return event_of(entry).payload
    except (Undecodable, NewerEvent):
        return None
