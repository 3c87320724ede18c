"""A process on a disk of its own of a few megabytes (a user namespace with a tmpfs, on Linux), which can be filled up."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'


@cache
def _is_possible() -> bool:
    try:
        tried = subprocess.run(
            ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False, timeout=10
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def on_tiny_disk(folder: Path, size: str, *command: str | Path) -> list[str]:
    """The command with `folder` on a disk of that size; skips the test where nobody may mount one."""
    if not _is_possible():
        pytest.skip("no user namespaces here: a disk of a test's own cannot be mounted")
    folder.mkdir(parents=True, exist_ok=True)
    return ["unshare", "-rm", "sh", "-c", _MOUNT, "sh", size, str(folder), *map(str, command)]


def seen_from_outside(pid: int, folder: Path) -> Path:
    """Where the folder of a process on such a disk can be reached by others."""
    return Path(f"/proc/{pid}/root{folder}")


def run_inside(pid: int, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end where a process on such a disk sees it. SQLite does not get there from outside."""
    enter = ["nsenter", "-t", str(pid), "-U", "-m", "--preserve-credentials"]
    return subprocess.run([*enter, *map(str, command)], capture_output=True, encoding="utf-8", check=False, timeout=60)


def fill(folder: Path) -> Path:
    """Leaves no byte free on the disk of `folder`; the file that takes it all."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return filler
