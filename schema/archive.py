"""The archive: every entry of the log on disk, in order, as numbered segments of JSON lines.

    00000001.jsonl.gz  00000001.json     a sealed segment: compressed; its count, first, last and SHA-256 beside it
    00000002.jsonl                       the open segment, only ever appended to

A line is `{"p":"MS-SEQ","c":"CRC32","e":EVENT}`, or with `"b":"BASE64"` where the body is not one line of JSON.
The checksum covers position and body. Only the process that holds the space's lease appends.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Annotated

import msgspec

from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position

SEGMENT_BYTES = 8 * 1024 * 1024

_HEADER = re.compile(rb'\{"p":"(\d{1,20})-(\d{1,20})","c":"([0-9a-f]{8})","([eb])":')
_SEGMENT = re.compile(r"(\d{8})\.jsonl(\.gz)?")
_BAD_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)
_json = msgspec.json.Decoder(msgspec.Raw)


class Entry(msgspec.Struct, frozen=True):
    """One entry of the log: its position and its bytes as they were read from the stream."""

    position: Position
    body: bytes


PositionText = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}-[0-9]{1,20}\Z")]


class Seal(msgspec.Struct, frozen=True):
    """What a sealed segment holds; `sha256` is of the compressed file."""

    entries: int
    first: PositionText
    last: PositionText
    sha256: str


class Examined(msgspec.Struct, frozen=True):
    """What a reading of a whole archive found: entries that are sound, the ends of them, and what is wrong in words."""

    entries: int
    segments: int
    first: Position | None
    last: Position | None
    problems: tuple[str, ...]


def encode_line(entry: Entry) -> bytes:
    """The line of an entry, line break included."""
    position = str(entry.position).encode("ascii")
    check = zlib.crc32(entry.body, zlib.crc32(position))
    head = b'{"p":"%b","c":"%08x",' % (position, check)
    if _is_one_line_of_json(entry.body):
        return head + b'"e":' + entry.body + b"}\n"
    return head + b'"b":"' + base64.b64encode(entry.body) + b'"}\n'


def _is_one_line_of_json(body: bytes) -> bool:
    if b"\n" in body or b"\r" in body:
        return False
    try:
        _json.decode(body)
        body.decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def decode_line(line: bytes, where: str) -> Entry:
    """The entry of a line (without its line break). Raises DamagedFile, naming `where`, when it does not add up."""
    header = _HEADER.match(line)
    if header is None or not line.endswith(b"}"):
        raise DamagedFile(f"the archive is damaged at {where}: not a line of an archive")
    position = Position(int(header[1]), int(header[2]))
    body = line[header.end() : -1]
    if header[4] == b"b":
        try:
            body = base64.b64decode(body[1:-1], validate=True)
        except binascii.Error:
            raise DamagedFile(f"the archive is damaged at {where}: not base64") from None
    check = zlib.crc32(body, zlib.crc32(str(position).encode("ascii")))
    if check != int(header[3], 16):
        raise DamagedFile(f"the archive is damaged at {where} (position {position}): its checksum differs")
    return Entry(position, body)


# ---- reading ---------------------------------------------------------------------------------------------------


def numbers(folder: Path) -> list[int]:
    """The numbers of the segments, in order. Raises DamagedFile when one of them is missing."""
    # A listing made while a segment is sealed may show neither of its two names: it is made again.
    for _ in range(3):
        found = _listed(folder)
        if found == list(range(1, len(found) + 1)):
            return found
    absent = min(set(range(1, found[-1])).difference(found))
    raise DamagedFile(
        f"segment {absent:08d} of the archive {folder} is missing, and {found[-1]:08d} is there: restore it from a "
        "backup"
    )


def _listed(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    matches = (_SEGMENT.fullmatch(path.name) for path in folder.iterdir())
    return sorted({int(match[1]) for match in matches if match})


def plain_file(folder: Path, number: int) -> Path:
    """Where a segment is that is not packed."""
    return folder / f"{number:08d}.jsonl"


def packed_file(folder: Path, number: int) -> Path:
    """Where a segment is that is packed."""
    return folder / f"{number:08d}.jsonl.gz"


def seal_file(folder: Path, number: int) -> Path:
    """Where the record of a packed segment is."""
    return folder / f"{number:08d}.json"


def _open_segment(folder: Path, number: int) -> IO[bytes] | gzip.GzipFile:
    # Sealing puts the packed file in place before it removes the plain one: between two looks one of them is there.
    for _ in range(2):
        for path in (packed_file(folder, number), plain_file(folder, number)):
            try:
                return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
            except FileNotFoundError:
                continue
    raise DamagedFile(f"segment {number:08d} of the archive {folder} is missing")


def _segment_entries(folder: Path, number: int, *, is_last: bool) -> Iterator[Entry]:
    held = begins = 0
    with _open_segment(folder, number) as lines:
        try:
            for held, line in enumerate(lines, 1):
                where = f"{number:08d}.jsonl line {held}, byte {begins}"
                begins += len(line)
                if not line.endswith(b"\n"):
                    if is_last:
                        return  # the tail of an append that was cut short: never committed
                    raise DamagedFile(f"the archive is damaged at {where}: the line is cut short")
                yield decode_line(line[:-1], where)
        except _BAD_GZIP as error:
            raise _damaged(number, error) from None
    # A plain file may have grown after its last line was read here, and been sealed since.
    sealed = seal_of(folder, number) if isinstance(lines, gzip.GzipFile) else None
    if sealed is not None and sealed.entries != held:
        raise DamagedFile(
            f"the archive is damaged: {number:08d}.jsonl.gz holds {held} entries, and {number:08d}.json tells of "
            f"{sealed.entries}"
        )


def _damaged(number: int, error: Exception) -> DamagedFile:
    return DamagedFile(f"the archive is damaged in {number:08d}.jsonl.gz: {error}")


def read(folder: Path, after: Position = START, until: Position | None = None) -> Iterator[Entry]:
    """The entries after `after`, up to and with `until`, in order. Raises DamagedFile where a line does not add up."""
    segments = numbers(folder)
    for index, number in enumerate(segments):
        if _ends_before(folder, number, after):
            continue
        last = after
        for entry in _segment_entries(folder, number, is_last=index == len(segments) - 1):
            if until is not None and entry.position > until:
                return
            if entry.position > last:
                last = entry.position
                yield entry
        after = max(after, last)


def entry(folder: Path, position: Position) -> Entry | None:
    """The entry at a position, or None. Raises DamagedFile where a line before it does not add up."""
    before = Position(position.ms, position.seq - 1) if position.seq else Position(position.ms - 1, MAX_STREAM_PART)
    return next(read(folder, before, position), None)


def seal_of(folder: Path, number: int) -> Seal | None:
    """What is recorded of a sealed segment; None for one that is not sealed yet."""
    try:
        return msgspec.json.decode(seal_file(folder, number).read_bytes(), type=Seal)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedFile(f"the archive is damaged: {number:08d}.json cannot be read ({error})") from None


def _ends_before(folder: Path, number: int, after: Position) -> bool:
    if after == START:
        return False
    seal = seal_of(folder, number)
    return seal is not None and Position.parse(seal.last) <= after


def count(folder: Path) -> int:
    """How many entries the archive holds; lines of segments that are not sealed are counted, not read."""
    total = 0
    for number in numbers(folder):
        sealed = seal_of(folder, number)
        if sealed is not None:
            total += sealed.entries
            continue
        with _open_segment(folder, number) as file:
            total += sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return total


def last_entry(folder: Path) -> Entry | None:
    """The newest whole entry of the archive, or None when it is empty."""
    for number in reversed(numbers(folder)):
        whole = _content(folder, number)
        whole = whole[: whole.rfind(b"\n") + 1]
        if whole:
            start = whole.rfind(b"\n", 0, len(whole) - 1) + 1
            return decode_line(whole[start:-1], f"the end of {number:08d}.jsonl")
    return None


def _content(folder: Path, number: int) -> bytes:
    with _open_segment(folder, number) as file:
        try:
            return file.read()
        except _BAD_GZIP as error:
            raise _damaged(number, error) from None


# ---- writing ---------------------------------------------------------------------------------------------------


class ArchiveWriter:
    """Appends to an archive. One at a time: its owner holds the space's lease.

    Raises OSError as the disk gives it; what an append could not write whole is taken back.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._segment_bytes = segment_bytes
        last = last_entry(folder)
        self.end = last.position if last else START
        self._number = max(numbers(folder), default=1)
        if packed_file(folder, self._number).exists():
            self._number += 1
        self._file = self._opened(self._number)
        self._size = os.fstat(self._file).st_size
        self._cut_torn_tail()

    def _opened(self, number: int) -> int:
        file = os.open(plain_file(self.folder, number), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _sync_folder(self.folder)
        return file

    def _cut_torn_tail(self) -> None:
        whole = plain_file(self.folder, self._number).read_bytes().rfind(b"\n") + 1
        if whole != self._size:
            os.ftruncate(self._file, whole)
            self._size = whole

    def append(self, entries: Iterable[Entry]) -> int:
        """Appends the entries that are not there yet, in order; gives how many. They are not synced."""
        fresh = []
        end = self.end
        for entry in entries:
            if entry.position > end:
                fresh.append(entry)
                end = entry.position
        if fresh:
            self._write(b"".join(encode_line(entry) for entry in fresh))
            self.end = end
        return len(fresh)

    def _write(self, lines: bytes) -> None:
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)

    def sync(self) -> None:
        """Waits until what was appended is on the disk."""
        os.fdatasync(self._file)

    @property
    def is_full(self) -> bool:
        """Whether the open segment is as large as a segment may be."""
        return self._size >= self._segment_bytes

    def rotate(self) -> None:
        """Begins a new segment when the open one is full."""
        if not self.is_full:
            return
        self.sync()
        # Opened before the old one is closed: when the disk has no room for it, the old one goes on.
        new = self._opened(self._number + 1)
        os.close(self._file)
        self._file, self._number, self._size = new, self._number + 1, 0

    def unsealed(self) -> list[int]:
        """The segments that are full and not sealed yet."""
        return [
            number
            for number in numbers(self.folder)
            if number < self._number and plain_file(self.folder, number).exists()
        ]

    def reopen(self) -> None:
        """Goes on with the open segment after another file was put in its place."""
        os.close(self._file)
        self._file = self._opened(self._number)
        self._size = os.fstat(self._file).st_size

    def close(self) -> None:
        """Syncs and closes the open segment."""
        self.sync()
        os.close(self._file)


def seal(folder: Path, number: int) -> Seal:
    """Compresses a full segment, records its count and hash, and removes the plain file. May be repeated."""
    positions = [entry.position for entry in _segment_entries(folder, number, is_last=False)]
    plain = plain_file(folder, number)
    packed = gzip.compress(plain.read_bytes(), compresslevel=5, mtime=0)
    sealed = seal_for(positions, packed)
    # The order matters: a reader that finds the packed file may trust its seal.
    write_whole(seal_file(folder, number), msgspec.json.encode(sealed))
    write_whole(packed_file(folder, number), packed)
    plain.unlink()
    _sync_folder(folder)
    return sealed


def seal_for(positions: list[Position], packed: bytes) -> Seal:
    """The record of a segment with entries at these positions, packed so."""
    return Seal(
        entries=len(positions),
        first=str(positions[0]),
        last=str(positions[-1]),
        sha256=hashlib.sha256(packed).hexdigest(),
    )


def write_whole(path: Path, data: bytes) -> None:
    """Puts a file in its place with these bytes, on the disk, whole or not at all."""
    beside = path.with_name(path.name + ".tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(folder: Path) -> list[str]:
    """Reads the whole archive; gives what is wrong with it, in words, or an empty list."""
    return list(examine(folder).problems)


def examine(folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Examined:
    """Reads the whole archive; of each segment the first thing that is wrong is told, with segment, line and byte.

    Bytes are counted in the segment's lines, unpacked. `progress` is told how many segments were read, and of how many.
    """
    problems = []
    try:
        numbers(folder)
    except DamagedFile as error:
        problems.append(str(error))
    entries, first, last = 0, None, START
    segments = _listed(folder)
    for done, number in enumerate(segments, 1):
        positions: list[Position] = []
        try:
            positions.extend(
                entry.position for entry in _segment_entries(folder, number, is_last=number == segments[-1])
            )
            problems += _disorder(number, [last, *positions]) + _seal_problems(folder, number, positions)
        except DamagedFile as error:
            problems.append(f"{error}, after {positions[-1] if positions else last}")
        entries += len(positions)
        first = first or next(iter(positions), None)
        last = max([last, *positions])
        progress(done, len(segments))
    return Examined(entries, len(segments), first, last if entries else None, tuple(problems))


def _disorder(number: int, positions: list[Position]) -> list[str]:
    return [
        f"{number:08d}.jsonl: {later} comes after {earlier}"
        for earlier, later in pairwise(positions)
        if later <= earlier
    ]


def _seal_problems(folder: Path, number: int, positions: list[Position]) -> list[str]:
    """What is wrong between a sealed segment and its seal. Until it is packed, a segment is not sealed."""
    packed, record = packed_file(folder, number), seal_file(folder, number)
    if not packed.exists():
        return []
    sealed = seal_of(folder, number)
    if sealed is None:
        return [f"{packed.name}: its seal {record.name} is missing"]
    found = seal_for(positions, packed.read_bytes())
    if found.sha256 != sealed.sha256:
        return [f"{packed.name}: its SHA-256 differs from the recorded one"]
    return [] if found == sealed else [f"{record.name}: it tells of other entries than the segment holds"]
