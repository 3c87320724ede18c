"""A machine as far as homes go: a data folder, known by an id of its own that is kept in it."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from mnemolog.schema.errors import DamagedFile, InvalidInput

FILE = "machine.json"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


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


def rename(data: Path, name: str) -> Machine:
    """Gives this machine another name. Raises as `this_machine`, and InvalidInput for a name that cannot be shown."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"a machine's name has 1 to 64 letters, digits, '.', '_' or '-', not {name!r}")
    renamed = Machine(this_machine(data).id, name)
    _written(data, renamed).replace(data / FILE)
    return renamed


def _written(data: Path, machine: Machine) -> Path:
    written = data / f".{FILE}.{os.getpid()}-{os.urandom(4).hex()}"
    written.write_bytes(msgspec.json.encode(machine) + b"\n")
    return written


def _mint(data: Path, file: Path) -> None:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = _written(data, Machine(os.urandom(8).hex(), socket.gethostname()))
    try:
        # Not a rename: of two processes that start at once the first one's id stays.
        with suppress(FileExistsError):
            os.link(written, file)
    finally:
        written.unlink()
