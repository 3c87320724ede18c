"""Rewriting an archive: entries get another body at the place where they stand, one segment after the other.

A segment is put in its place whole. Killed on the way, an archive holds the old body of an entry or the new one, and
can be read; until it is rewritten again, one segment's seal may tell of the old file.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from mnemolog.schema.archive import (
    Entry,
    decode_line,
    encode_line,
    numbers,
    packed_file,
    plain_file,
    seal_file,
    seal_for,
    seal_of,
    write_whole,
)
from mnemolog.schema.ids import Position


def rewrite(folder: Path, bodies: Mapping[Position, bytes], tick: Callable[[], None] = lambda: None) -> int:
    """Gives the entries at some positions other bodies; how many segments that took. May be repeated.

    `tick` is called before each segment. Raises DamagedFile for a line that does not add up, and OSError. Only who
    holds the space's lease may do this, and seals no segment meanwhile; an ArchiveWriter is to `reopen` then.
    """
    changed = 0
    for number in numbers(folder):
        tick()
        if _may_hold(folder, number, bodies):
            # A kill may have left a segment in both forms.
            forms = [_rewrite_packed(folder, number, bodies), _rewrite_plain(folder, number, bodies)]
            changed += any(forms)
    return changed


def _may_hold(folder: Path, number: int, bodies: Mapping[Position, bytes]) -> bool:
    sealed = seal_of(folder, number)
    if sealed is None:
        return True
    first, last = Position.parse(sealed.first), Position.parse(sealed.last)
    return any(first <= position <= last for position in bodies)


def _rewrite_packed(folder: Path, number: int, bodies: Mapping[Position, bytes]) -> bool:
    path = packed_file(folder, number)
    if not path.exists():
        return False
    entries = list(_replaced(gzip.decompress(path.read_bytes()), path.name, bodies))
    if not any(entry.position in bodies for entry in entries):
        return False
    packed = gzip.compress(_lines(entries), compresslevel=5, mtime=0)
    sealed = seal_for([entry.position for entry in entries], packed)
    write_whole(path, packed)
    write_whole(seal_file(folder, number), msgspec.json.encode(sealed))
    return True


def _rewrite_plain(folder: Path, number: int, bodies: Mapping[Position, bytes]) -> bool:
    path = plain_file(folder, number)
    if not path.exists():
        return False
    content = path.read_bytes()
    entries = list(_replaced(content[: content.rfind(b"\n") + 1], path.name, bodies))
    if not any(entry.position in bodies for entry in entries):
        return False
    write_whole(path, _lines(entries))
    return True


def _replaced(content: bytes, name: str, bodies: Mapping[Position, bytes]) -> Iterator[Entry]:
    for number, line in enumerate(content.splitlines(), 1):
        entry = decode_line(line, f"{name} line {number}")
        yield Entry(entry.position, bodies.get(entry.position, entry.body))


def _lines(entries: list[Entry]) -> bytes:
    return b"".join(map(encode_line, entries))
