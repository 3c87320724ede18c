"""Opens what is to be imported: a plain file, or the members of a zip that hold conversations; JSON comes in pieces."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ijson
import msgspec

from mnemolog.producers.importers.depth import Depth
from mnemolog.producers.importers.parts import Bad, Part, Progress
from mnemolog.schema.errors import InvalidInput

_BOM = b"\xef\xbb\xbf"
#: What the archives of ChatGPT and Claude call their conversations; big ones come in numbered files.
_CONVERSATIONS = re.compile(r"(?:[^/]*/)?conversations(?:[-_]\d+)?\.json", re.IGNORECASE)
_TEXT = re.compile(r"(?:[^/]*/)?[^/]+\.txt", re.IGNORECASE)
#: Where lists of conversations or memories stand when they are not the whole document.
_CONTAINERS = ("conversations", "results", "memories")
#: So much of a document is looked at to see what it is.
_LOOKED_AT = 200_000

Format = str
#: The name that only one format has in each of its objects.
_SIGNATURES: dict[str, Format] = {"mapping": "chatgpt", "chat_messages": "claude", "memory": "mem0"}
_LINE = frozenset(("session", "role", "content"))


class Shape(msgspec.Struct, frozen=True):
    """What a JSON document looks like: its format, None where it is not known, and the path of its objects."""

    format: Format | None
    prefix: str


class _Counted(io.RawIOBase):
    """A stream of bytes that tells how many were read, without a byte order mark."""

    def __init__(self, stream: IO[bytes], progress: Progress) -> None:
        self._stream = stream
        self._progress = progress
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._progress(len(data))
        if not self._begun:
            self._begun = True
            data = data.removeprefix(_BOM) or self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Document(msgspec.Struct, frozen=True):
    """A file, or a member of a zip."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.member or self.path.name

    @contextmanager
    def open(self, progress: Progress = lambda _: None) -> Iterator[io.BufferedReader]:
        """Its bytes. Raises OSError, or InvalidInput for a damaged zip."""
        if self.member is None:
            with self.path.open("rb") as stream:
                yield io.BufferedReader(_Counted(stream, progress))
            return
        with _archive(self.path) as archive, _member(archive, self.member) as stream:
            yield io.BufferedReader(_Counted(stream, progress))


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip. Raises InvalidInput where it is damaged, also where that shows only when it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"{path} cannot be unpacked: {error}") from None


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except (NotImplementedError, RuntimeError) as error:
        raise InvalidInput(f"{name} cannot be unpacked: {error}") from None


def documents(path: Path) -> list[Document]:
    """What is to be read of a file: itself, or the members of a zip that hold conversations, in order of their names.

    Raises InvalidInput for a zip without any.
    """
    if not zipfile.is_zipfile(path):
        return [Document(path)]
    with _archive(path) as archive:
        names = sorted(name for name in archive.namelist() if not name.startswith("__MACOSX/"))
    found = [name for name in names if _CONVERSATIONS.fullmatch(name)]
    # Beside the numbered files a whole one would tell everything again.
    found = [name for name in found if re.search(r"\d\.json$", name)] or found
    found = found or [name for name in names if _TEXT.fullmatch(name)][:1]
    if not found:
        raise InvalidInput(f"{path}: the zip holds no conversations.json and no chat in a .txt file")
    return [Document(path, name) for name in found]


def total_bytes(path: Path) -> int:
    """How many bytes reading a file takes, unpacked."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    members = {document.member for document in documents(path)}
    with _archive(path) as archive:
        return sum(member.file_size for member in archive.infolist() if member.filename in members)


class _Shallow:
    """Bytes for the JSON reader, which are refused where they are nested too deep."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._depth = Depth()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._depth.feed(piece)
        return piece


def shape_of(document: Document) -> Shape | None:
    """What a JSON document looks like by its beginning; None when it is no JSON."""
    keys: set[str] = set()
    prefix, begun = "item", False
    try:
        with document.open() as stream:
            for number, (at, event, value) in enumerate(ijson.parse(_Shallow(stream), multiple_values=True)):
                if number == 0:
                    begun, prefix = event in ("start_map", "start_array"), "" if event == "start_map" else "item"
                if event == "map_key" and at == prefix:
                    keys.add(value)
                if event == "map_key" and at == prefix and value in _SIGNATURES:
                    return Shape(_SIGNATURES[value], prefix)
                if event == "start_array" and at in _CONTAINERS:
                    prefix = f"{at}.item"
                if (event == "end_map" and at == prefix) or number > _LOOKED_AT:
                    break
    except ijson.JSONError:
        if not keys:
            return None
    return Shape("jsonl" if keys >= _LINE and prefix == "" else None, prefix) if begun else None


def objects(document: Document, prefix: str, progress: Progress) -> Iterator[Any]:
    """The objects of a JSON document, one in memory at a time. Raises InvalidInput where the document is damaged."""
    with document.open(progress) as stream:
        try:
            yield from ijson.items(_Shallow(stream), prefix, use_float=True)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise InvalidInput(f"{document.name} is damaged JSON from here on: {reason[:200]}") from None


def each_object(path: Path, progress: Progress, parts_of: Callable[[Any, int], Iterator[Part]]) -> Iterator[Part]:
    """The parts of all objects of a file, which are numbered from 1. Where a document is damaged, that is the last."""
    done = 0
    for document in documents(path):
        shape = shape_of(document)
        try:
            for found in objects(document, shape.prefix if shape else "item", progress):
                done += 1
                yield from parts_of(found, done)
        except InvalidInput as error:
            yield Bad(done + 1, str(error))
