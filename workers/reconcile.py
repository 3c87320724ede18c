"""What stream, archive and file say of one another when a writer starts, and while it waits.

Safe differences are healed: an archive whose end a power cut took is filled up from the stream, a file behind its
archive is folded on, a stream that is empty or lost its tail gets the last archived entry back at its own position,
so that new entries come after it. Everything else is named, with what to do (DivergedLog).
"""

from __future__ import annotations

import logging
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.errors import DamagedFile, DivergedLog, NewerEvent, Undecodable
from mnemolog.schema.events import Event, SpaceCreated
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position
from mnemolog.schema.log import event_of
from mnemolog.schema.stream import Bounds, Stream
from mnemolog.workers.batches import entry_hash

log = logging.getLogger("mnemolog.writer")

PAGE = 500
_GO_ON = "or go on with the stream as it is: mnemolog ingest --accept-stream"


class Folded(msgspec.Struct, frozen=True):
    """How far a file is, how to know its last entry again, and the salt of its space."""

    position: Position
    last_entry: bytes
    salt: str


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


def fill_archive(writer: ArchiveWriter, stream: Stream, position: Position) -> None:
    """Appends what the archive lacks up to the file's position, from the stream.

    Raises DamagedFile when the stream no longer has it.
    """
    if writer.end >= position:
        return
    log.warning("the archive of %s ends at %s, before the file's %s: filling it up", stream.space, writer.end, position)
    missing: list[Entry] = []
    after = writer.end
    while page := stream.range(after, PAGE, until=position):
        missing += page
        after = page[-1].position
    if after != position:
        raise DamagedFile(
            f"the archive of space {stream.space!r} ends at {writer.end}, the file is at {position}, and the stream no "
            f"longer has what lies between. Restore {writer.folder} from a backup, or keep what the archive has: "
            "mnemolog replay"
        )
    writer.append(missing)
    writer.sync()


def inspect(stream: Stream, known: Folded, folder: Path) -> None:
    """Compares the stream with what was folded; heals it where that is safe. Raises DivergedLog otherwise."""
    bounds = stream.bounds()
    if known.position == START:
        _check_beginning(stream, bounds)
        return
    if bounds is None or bounds.top < known.position:
        _restore(stream, bounds, known, folder)
        return
    last = stream.entry(known.position)
    if last is not None and entry_hash(last) != known.last_entry:
        raise _replaced(stream, f"at {known.position} it holds another entry than the one that was folded")
    if last is None:
        _explain_missing(stream, bounds, known)


def _check_beginning(stream: Stream, bounds: Bounds | None) -> None:
    if bounds is None or bounds.first is None:
        return
    first = stream.entry(bounds.first)
    if first and not isinstance(_payload(first), SpaceCreated):
        raise DivergedLog(
            "trimmed",
            f"the stream of space {stream.space!r} was trimmed by others: it begins at {bounds.first} without the "
            "space's creation, and this machine has no archive of what came before. Restore the archive from a "
            f"backup or from the space's home machine, {_GO_ON}",
        )


def _restore(stream: Stream, bounds: Bounds | None, known: Folded, folder: Path) -> None:
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
    log.warning(
        "the stream of space %s %s, before %s, which is folded and archived. Nothing that was folded is lost; what was "
        "published after it and not folded yet is. The last entry was put back, and new ones come after it.",
        stream.space,
        what,
        known.position,
    )


def _explain_missing(stream: Stream, bounds: Bounds, known: Folded) -> None:
    if bounds.top == known.position:
        return  # trimmed up to and with the last folded entry: nothing is missing
    if bounds.first is None:
        raise DivergedLog(
            "emptied",
            f"the stream of space {stream.space!r} was emptied by others: entries after {known.position} up to "
            f"{bounds.top} were published and are gone before they were folded. Find out who ran XTRIM, XDEL or DEL; "
            f"publish them again if their producers can, {_GO_ON}",
        )
    first = stream.entry(bounds.first)
    if first and _is_other_space(first, known):
        raise _replaced(stream, f"it begins at {bounds.first} and was created with another salt")
    raise DivergedLog(
        "trimmed",
        f"the stream of space {stream.space!r} was trimmed by others: the last folded entry, {known.position}, is "
        f"gone, and the stream begins at {bounds.first}. Entries between them may be lost. Find out who ran XTRIM or XDEL; "
        f"publish what is missing again if its producers can, {_GO_ON}",
    )


def _replaced(stream: Stream, why: str) -> DivergedLog:
    return DivergedLog(
        "replaced",
        f"the stream of space {stream.space!r} was replaced by another one: {why}. Connect to the Redis that this "
        f"memory came from, give this stream a memory of its own (--space or --data), {_GO_ON}",
    )


def check_creation(stream: Stream, event: Event | Undecodable, known: Folded) -> None:
    """Raises DivergedLog when an event creates a space that exists already: the stream was begun again."""
    if (
        isinstance(event, Event)
        and isinstance(event.payload, SpaceCreated)
        and known.salt
        and event.payload.salt != known.salt
    ):
        raise _replaced(stream, "it was created again while the writer was reading it")


def check_possible(stream: Stream, position: Position) -> None:
    """Raises DivergedLog for an id that no clock gives and no table holds: somebody added it by hand."""
    if max(position) > MAX_STREAM_PART:
        raise DivergedLog(
            "impossible",
            f"the stream of space {stream.space!r} has an entry with the impossible id {position}, after which nothing "
            "can be added. Somebody added it by hand; the entries before it are folded. Copy what is worth keeping, "
            f"delete the stream ({stream.key}) and restart the writer: it goes on after what it has archived",
        )


def _is_other_space(entry: Entry, known: Folded) -> bool:
    payload = _payload(entry)
    return isinstance(payload, SpaceCreated) and payload.salt != known.salt


def _payload(entry: Entry) -> object:
    try:
        return event_of(entry).payload
    except (Undecodable, NewerEvent):
        return None
