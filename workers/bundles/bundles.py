"""A bundle: a whole memory in one file, a tar archive whose members are checked before one of them is used.

    manifest.json                     first: what the bundle holds, and the size and SHA-256 of every other member
    archive/00000001.jsonl.gz, .json  the log, as segments of an archive
    snapshot/1757000000000-0.v3.db    a copy of the space's file, where one was asked for, and what it holds (.json)

The checksums find damage. They do not tell who made the bundle: take one only from whom you would take the memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec

from mnemolog.schema.archive import PositionText
from mnemolog.schema.errors import DamagedFile, InvalidInput
from mnemolog.schema.ids import Position, is_space

FORMAT = "mnemolog-bundle"
VERSION = 1

_MANIFEST = "manifest.json"
_MOST_MANIFEST_BYTES = 64 * 1024 * 1024
_MEMBER = re.compile(r"archive/\d{8}\.(jsonl|jsonl\.gz|json)|snapshot/\d{1,20}-\d{1,20}\.v\d{1,9}\.(db|json)")
_CHUNK = 1 << 20

Count = Annotated[int, msgspec.Meta(ge=0)]


class Member(msgspec.Struct, frozen=True):
    """A member of the tar archive besides the manifest."""

    name: str
    bytes: Count
    sha256: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the log up to a position was folded to where the bundle was made, and the policy in force there."""

    position: PositionText
    hash: str
    content_hash: str
    policy: msgspec.Raw

    @property
    def at(self) -> Position:
        """The position."""
        return Position.parse(self.position)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds.

    `space_id` is derived from the space's salt, and the same for all copies and forks; `first` and `last` are the
    ends of the log; `state` is None where no file of `fold_version` could be read.
    """

    format: str
    version: int
    space: str
    space_id: str
    created_at: str
    entries: Count
    first: PositionText
    last: PositionText
    fold_version: int
    state: State | None
    members: tuple[Member, ...]


class _Head(msgspec.Struct, frozen=True):
    format: str
    version: int


# ---- writing ---------------------------------------------------------------------------------------------------


def members_in(folder: Path) -> tuple[Member, ...]:
    """What is to become the members: all files in the folder's folders, by name."""
    return tuple(
        Member(path.relative_to(folder).as_posix(), path.stat().st_size, _sha256_of(path))
        for path in sorted(folder.glob("*/*"))
    )


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(folder: Path, manifest: Manifest, to: Path) -> None:
    """Writes the bundle, readable by its owner only, and waits until it is on the disk."""
    told = folder / _MANIFEST
    told.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name in (_MANIFEST, *(member.name for member in manifest.members)):
                tar.add(folder / name, arcname=name, filter=_plain)
        file.flush()
        os.fsync(file.fileno())


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what only concerns the machine it was made on."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600
    return info


# ---- reading ---------------------------------------------------------------------------------------------------


def manifest_of(path: Path) -> Manifest:
    """The manifest of a bundle. Raises InvalidInput for what is no bundle, or one of a newer version."""
    with _opened(path) as tar:
        return _manifest(path, tar)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except (tarfile.ReadError, EOFError) as error:
        raise InvalidInput(f"{path} is not a bundle, or is cut short: {error}") from None
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise DamagedFile(f"the bundle {path} is damaged: {error}") from None


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    info = tar.next()
    if info is None or info.name != _MANIFEST or not _is_file(info) or info.size > _MOST_MANIFEST_BYTES:
        raise InvalidInput(f"{path} is not a bundle: it does not begin with {_MANIFEST}")
    with _content(tar, info) as file:
        body = file.read()
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format != FORMAT:
            raise InvalidInput(f"{path} is not a bundle: its {_MANIFEST} is of something else")
        if head.version > VERSION:
            raise InvalidInput(
                f"the bundle {path} has version {head.version} of the format, and this mnemolog knows up to "
                f"{VERSION}: upgrade it"
            )
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedFile(f"the {_MANIFEST} of the bundle {path} cannot be read: {error}") from None
    _check_names(path, manifest)
    return manifest


def _check_names(path: Path, manifest: Manifest) -> None:
    names = [member.name for member in manifest.members]
    wrong = [name for name in names if not _MEMBER.fullmatch(name)]
    if wrong or len(set(names)) != len(names) or not is_space(manifest.space):
        raise DamagedFile(f"the bundle {path} tells of what no bundle holds: {(wrong or [manifest.space])[0][:100]!r}")


def _is_file(info: tarfile.TarInfo) -> bool:
    return info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not info.issparse()


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    if file is None:
        raise DamagedFile(f"the bundle is damaged: {info.name!r} is not a file")
    return file


def unpack(path: Path, to: Path) -> Manifest:
    """Writes the members of a bundle into folders of `to`, which is to be thrown away when an error is raised.

    Names, kinds, sizes and checksums are those of the manifest, or it raises DamagedFile; InvalidInput as
    `manifest_of` does, and where the disk has no room.
    """
    with _opened(path) as tar:
        manifest = _manifest(path, tar)
        _check_room(manifest, to)
        left = {member.name: member for member in manifest.members}
        for info in iter(tar.next, None):
            member = left.pop(info.name, None)
            if member is None or not _is_file(info) or info.size != member.bytes:
                raise DamagedFile(f"the bundle {path} is damaged: {info.name[:100]!r} is not what its manifest tells")
            _write(path, tar, info, member, to)
    if left:
        raise DamagedFile(f"the bundle {path} is cut short: {min(left)} is missing")
    return manifest


def _check_room(manifest: Manifest, to: Path) -> None:
    needed = sum(member.bytes for member in manifest.members)
    free = shutil.disk_usage(to).free
    if needed > free:
        raise InvalidInput(f"the bundle holds {needed:,} bytes, and {to} has room for {free:,}")


def _write(path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo, member: Member, to: Path) -> None:
    target = to / member.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    state = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file, _content(tar, info) as content:
        while chunk := content.read(_CHUNK):
            state.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if state.hexdigest() != member.sha256:
        raise DamagedFile(f"the bundle {path} is damaged: the checksum of {member.name} differs")
