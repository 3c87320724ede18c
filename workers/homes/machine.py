"""A machine as far as homes go: a data folder, known by an id of its own that is kept in it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from mnemolog.schema.errors import DamagedFile

FILE = "machine.json"


class Machine(msgspec.Struct, frozen=True):
    """A machine: its id, and the name that people know it by."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


def this_machine(data: Path) -> Machine:
    """The machine of a data folder, which is given an id when it has none. Raises DamagedFile, OSError.

    A copy of the folder is the same machine: never run both.
    """
    file = data / FILE
    if not file.exists():
        _mint(data, file)
    try:
        return msgspec.json.decode(file.read_bytes(), type=Machine)
    except msgspec.DecodeError as error:
        raise DamagedFile(
            f"{file} cannot be read ({error}): write the machine's id into it again, as `mnemolog home list` tells it "
            'on another machine: {"id": "…", "name": "…"}'
        ) from None


def _mint(data: Path, file: Path) -> None:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = data / f".{FILE}.{os.getpid()}"
    written.write_bytes(msgspec.json.encode(Machine(os.urandom(8).hex(), socket.gethostname())) + b"\n")
    try:
        # Not a rename: of two processes that start at once the first one's id stays.
        with suppress(FileExistsError):
            os.link(written, file)
    finally:
        written.unlink()
