"""A prefix: the log up to a position, and a digest by which it is known again after the log was rewritten."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec

from mnemolog.schema import archive
from mnemolog.schema import log as event_log
from mnemolog.schema.ids import START, Position
from mnemolog.schema.stream import Stream

_DIGEST_BYTES = 12


class Prefix(msgspec.Struct, frozen=True):
    """The log up to its last entry that was asked for; `position` is START where there is none."""

    position: Position
    digest: str


def prefix(folder: Path, stream: Stream | None, until: Position) -> Prefix:
    """The log of an archive, and of a stream where there is one, up to and with a position.

    Of sealed segments before it the recorded hashes are taken, so that one segment is read at most. An entry, a
    sealed segment or their order cannot change without another digest. Raises DamagedFile and the errors of Stream.
    """
    state = blake2b(digest_size=_DIGEST_BYTES)
    end = START
    for number in archive.numbers(folder):
        sealed = archive.seal_of(folder, number)
        if sealed is None or Position.parse(sealed.last) > until:
            break
        state.update(sealed.sha256.encode("ascii"))
        end = Position.parse(sealed.last)
    for entry in event_log.read(folder, stream, end, until):
        state.update(b"%d-%d %d " % (*entry.position, len(entry.body)) + entry.body)
        end = entry.position
    return Prefix(end, state.hexdigest())
