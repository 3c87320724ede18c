"""Checks of the machine: versions, the data folder, its permissions, and room on its disk."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import redis

from mnemolog.projections.checkup.checkup import Finding, ok, problem, sized, told, warning
from mnemolog.projections.connection import load_vec
from mnemolog.schema.settings import Settings

_PYTHON = (3, 11)
#: SQLite 3.7.0 to 3.51.2 may damage a file when its write-ahead log is reset (https://sqlite.org/wal.html).
_SQLITE = (3, 51, 3)
_REDIS_PY = (6, 2)
#: Less room than this is soon none.
_LEAST_FREE_BYTES = 200_000_000
_SHOWN = 3


# ---- versions --------------------------------------------------------------------------------------------------


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (7, 2, 4) of `7.2.4`."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python's version."""
    shown = ".".join(map(str, version))
    if version < _PYTHON:
        return problem("python", f"Python {shown}", "use Python 3.11 or newer")
    return ok("python", f"Python {shown}")


def sqlite(version: str | None = None) -> Finding:
    """The version of the SQLite that APSW brings."""
    shown = version or apsw.sqlite_lib_version()
    if numbers(shown) < _SQLITE:
        return problem("sqlite", f"SQLite {shown} can damage a file", "pip install --upgrade apsw")
    return ok("sqlite", f"SQLite {shown}, APSW {apsw.apsw_version()}")


def sqlite_vec() -> Finding:
    """Whether sqlite-vec can be loaded, and its version."""
    try:
        with closing(apsw.Connection(":memory:")) as connection:
            load_vec(connection)
            return ok("sqlite-vec", f"sqlite-vec {connection.execute('SELECT vec_version()').get}")
    except (apsw.Error, OSError) as error:
        return problem("sqlite-vec", f"it cannot be loaded: {error}", "pip install --force-reinstall sqlite-vec")


def redis_py(version: str = redis.__version__) -> Finding:
    """The version of redis-py."""
    if numbers(version) < _REDIS_PY:
        return problem("redis-py", f"redis-py {version}", "pip install --upgrade 'redis>=6.2'")
    return ok("redis-py", f"redis-py {version}")


# ---- the data folder -------------------------------------------------------------------------------------------


def data_folder(settings: Settings) -> Finding:
    """Whether there is a data folder that can be written."""
    data = settings.data
    if not data.exists():
        return ok("data folder", f"{data} does not exist yet")
    if not data.is_dir():
        return problem("data folder", f"{data} is not a folder", "name another with --data or MNEMOLOG_DATA")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return problem("data folder", f"{data} cannot be written", f"chown -R {os.getuid()} {data}")
    return ok("data folder", str(data))


def _ours(settings: Settings) -> Iterator[tuple[Path, os.stat_result]]:
    """The data folder and what mnemolog keeps in it; links are not followed, and nothing else in it is touched."""
    roots = [settings.data / "spaces", settings.data / "redis"]
    inner = (path for root in roots if root.is_dir() for path in (root, *root.rglob("*")))
    for path in (settings.data, *inner):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISLNK(found.st_mode):
            yield path, found


def permissions(settings: Settings) -> Finding:
    """Whether anybody but the owner may look into the data folder."""
    if not settings.data.is_dir():
        return ok("permissions", "nothing is there yet")
    found = list(_ours(settings))
    strangers = [path for path, status in found if status.st_uid != os.getuid()]
    if strangers:
        return problem(
            "permissions", f"{strangers[0]} belongs to another user", f"chown -R {os.getuid()} {strangers[0]}"
        )
    opened = [path for path, status in found if status.st_mode & 0o077]
    if opened:
        shown = ", ".join(map(str, opened[:_SHOWN]))
        return problem(
            "permissions",
            f"others may read or enter {told(len(opened), 'path')}: {shown}",
            "chmod -R go= " + " ".join(str(path) for path in opened[:_SHOWN]),
            fixable=True,
        )
    return ok("permissions", "only the owner may read the data folder")


def close_permissions(settings: Settings) -> str:
    """Takes what others may do with the data folder away from them."""
    changed = 0
    for path, status in _ours(settings):
        if status.st_mode & 0o077:
            path.chmod(stat.S_IMODE(status.st_mode) & 0o700)
            changed += 1
    return f"closed {told(changed, 'path')} to others"


def disk(settings: Settings, free: int | None = None) -> Finding:
    """Whether there is room to build the file again beside itself; `free` bytes are asked of the disk unless given."""
    folder = next(path for path in (settings.folder, settings.data, *settings.data.parents) if path.exists())
    room = shutil.disk_usage(folder).free if free is None else free
    file = _bytes_in(settings.folder.glob("space.db*"))
    log = _bytes_in(settings.archive.glob("*"))
    found = f"{sized(room)} free; the file has {sized(file)}, the archive {sized(log)}"
    if room < _LEAST_FREE_BYTES:
        return problem("disk", found, f"free some of the disk of {folder}: a writer stops when it is full")
    if room < file + log:
        return warning("disk", found, "free some: building the file again takes as much as the file has")
    return ok("disk", found)


def _bytes_in(paths: Iterator[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.lstat().st_size
        except FileNotFoundError:
            continue
    return total
