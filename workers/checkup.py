"""Checks of what writers and workers leave behind: the lease, side files, snapshots, the day's budget, the server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import psutil
import redis

from mnemolog.projections.checkup.checkup import Finding, ok, problem, sized, told, warning
from mnemolog.projections.erasing import cleanings, standing
from mnemolog.schema.endpoint import RedisFolder
from mnemolog.schema.errors import DamagedFile, RedisNotFound
from mnemolog.schema.settings import Settings
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.workers.bundles import unbundling
from mnemolog.workers.engines import budget
from mnemolog.workers.erasing.plans import is_under_way
from mnemolog.workers.rebuilding import known, snapshots
from mnemolog.workers.rebuilding.rebuild import remove
from mnemolog.workers.redis_program import redis_program
from mnemolog.workers.writer import lease

_SHOWN = 5
#: Side files whose names end with the process that made them, beside the space's file and in its folders.
_OF_PROCESSES = (
    "verify-*.db",
    "undo-*.db",
    "snapshots/copying-*.tmp",
    "known/*.building-*.db",
)
#: Side files of whoever holds the lease; an erasure that goes on removes what an interrupted one left of them.
_OF_WRITERS = ("rebuild.db", "archive/*.tmp", "snapshots/*.tmp")
_OF_ERASURES = ("before-erasing.db", "erasing/*.tmp")


def program(settings: Settings) -> Finding:
    """The server program for a data folder that has a Redis of its own."""
    try:
        return ok("redis program", redis_program(RedisFolder(settings.data)))
    except RedisNotFound as error:
        return problem("redis program", str(error), "install one, or name a running Redis")


# ---- the lease -------------------------------------------------------------------------------------------------


def holder(connection: apsw.Connection, lease_s: float) -> Finding:
    """Who may write, and whether that process still lives."""
    found = lease.read(connection)
    who = f"process {found.holder.pid} on {found.holder.host}"
    if found.holder.pid == 0:
        return ok("lease", "free: no writer runs")
    if lease.is_live(found, lease_s):
        return ok("lease", f"{who}, epoch {found.epoch}")
    silent = max(0, lease.now_ms() - found.renewed_at) / 1000
    return warning(
        "lease",
        f"{who} held it last and was not heard of for {silent:,.0f} s: it was killed, or hangs",
        "start a writer: it takes over",
    )


# ---- side files ------------------------------------------------------------------------------------------------


def leftovers(settings: Settings, *, writer_lives: bool) -> Finding:
    """Side files of processes that are gone."""
    found = list(_left(settings, writer_lives=writer_lives))
    if not found:
        return ok("side files", "none left over")
    size = sized(sum(_size(path) for path in found))
    names = ", ".join(str(path.relative_to(settings.data)) for path in found[:_SHOWN])
    return warning(
        "side files",
        f"{told(len(found), 'file')} of processes that are gone, {size}: {names}",
        "rm -r " + " ".join(str(path) for path in found[:_SHOWN]),
        fixable=True,
    )


def remove_leftovers(settings: Settings, *, writer_lives: bool) -> str:
    """Removes the side files of processes that are gone."""
    found = list(_left(settings, writer_lives=writer_lives))
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            remove(path)
    return f"removed {told(len(found), 'file')} of processes that are gone"


def _left(settings: Settings, *, writer_lives: bool) -> Iterator[Path]:
    seen = set()
    for pattern in _OF_PROCESSES:
        for path in settings.folder.glob(pattern):
            seen.add(path)
            if not _is_alive(path):
                yield path
    if not writer_lives:
        for pattern in _OF_WRITERS if is_under_way(settings) else (*_OF_WRITERS, *_OF_ERASURES):
            yield from (path for path in settings.folder.glob(pattern) if path not in seen)
    yield from unbundling.leftovers(settings.data)


def _is_alive(path: Path) -> bool:
    """Whether the process lives whose id stands in the name: `verify-123.db`, `9-0.building-123-456.db`."""
    word = path.stem.rpartition(".building-")[2].partition("-")
    pid = word[0] if word[0].isdigit() else word[2]
    return pid.isdigit() and psutil.pid_exists(int(pid))


def _size(path: Path) -> int:
    parts = path.rglob("*") if path.is_dir() else [path]
    return sum(part.lstat().st_size for part in parts)


def erasures(settings: Settings, *, writer_runs: bool, now_ms: int) -> Finding:
    """Whether an erasure was begun and is not done, or Redis was not cleaned again when it was time."""
    found = standing(settings)
    if found is None:
        return ok("erasures", "none is under way")
    if found.under_way is not None:
        asked = ", ".join(found.under_way.asked) or "an unknown position"
        what = f"the one asked for at {asked} is under way since {found.under_way.begun_at}"
        if writer_runs:
            return warning("erasures", what, "let the writer finish it: it goes on by itself")
        return problem(
            "erasures",
            f"{what}, and was interrupted: what is to be erased is still there in part",
            "mnemolog erase --resume, or start a writer",
        )
    if writer_runs or min(cleanings(settings)) > now_ms:
        return ok("erasures", f"done; Redis is cleaned once more at {found.cleaning_due}")
    return warning(
        "erasures",
        f"done, but Redis was to be cleaned once more at {found.cleaning_due}, of what failed jobs had left there",
        "start a writer: it does so first",
    )


def damaged_copies(settings: Settings) -> Finding:
    """Files that could not be read and were moved aside."""
    found = sorted(settings.folder.glob("space.db.damaged-*[0-9]"))
    if not found:
        return ok("damaged files", "none was kept")
    return warning(
        "damaged files",
        f"{told(len(found), 'file')} that could not be read, {sized(sum(map(_size, found)))}",
        f"look into them if you want, then rm {found[0]}*",
    )


def kept_moments(settings: Settings) -> Finding:
    """The side files that answer questions about what was known."""
    found = [path for path in known.folder_of(settings).glob("*.db") if ".building-" not in path.name]
    old = [path for path in found if f".v{FOLD_VERSION}." not in path.name]
    size = sized(sum(map(_size, found)))
    if old:
        return warning(
            "known",
            f"{told(len(old), 'file')} of {len(found)} of another version of the fold, {size} in all",
            f"rm {known.folder_of(settings)}/*",
            fixable=True,
        )
    return ok("known", f"{told(len(found), 'file')}, {size}")


def remove_old_moments(settings: Settings) -> str:
    """Removes the side files that no question finds any more."""
    folder = known.folder_of(settings)
    old = [
        path for path in folder.glob("*.db") if f".v{FOLD_VERSION}." not in path.name and ".building-" not in path.name
    ]
    for path in old:
        remove(path)
    return f"removed {told(len(old), 'file')} of another version"


def usable_snapshots(settings: Settings, model: str) -> Finding:
    """Whether the snapshots can be gone on from, with vectors made by `model`."""
    folder = snapshots.folder_of(settings)
    size = sized(sum(map(_size, folder.glob("*.db"))))
    found = snapshots.listed(settings)
    try:
        wrong = {one.file: why for one in found if (why := snapshots.problem_of(settings, one, model))}
    except DamagedFile as error:
        return warning("snapshots", f"they cannot be compared with the archive: {error}", "see the archive")
    told_of = {path.name for path in folder.glob("*.db")} - {one.file for one in found}
    wrong |= dict.fromkeys(told_of, "it is of another version, or what tells of it cannot be read")
    if wrong:
        name, why = min(wrong.items())
        return warning("snapshots", f"{name} is of no use: {why}", "mnemolog snapshot, and old ones go", fixable=True)
    return ok("snapshots", f"{told(len(found), 'snapshot')}, {size}")


def remove_useless_snapshots(settings: Settings, model: str) -> str:
    """Removes the snapshots that nothing can go on from."""
    folder = snapshots.folder_of(settings)
    good = {one.file for one in snapshots.listed(settings) if snapshots.problem_of(settings, one, model) is None}
    useless = [path for path in folder.glob("*.db") if path.name not in good]
    for path in useless:
        path.with_suffix(".json").unlink(missing_ok=True)
        remove(path)
    return f"removed {told(len(useless), 'snapshot')} of no use"


# ---- the budget ------------------------------------------------------------------------------------------------


def spent_budget(client: redis.Redis, space: str, limit: int | None) -> Finding:
    """Whether the day's tokens are used up. Raises LogUnavailable and LogRefused."""
    waits = budget.waits(client, space, limit, lease.now_ms())
    if waits is not None:
        return warning("token budget", str(waits), "wait, or raise MNEMOLOG_TOKEN_BUDGET and restart the workers")
    return ok("token budget", "no limit is set" if limit is None else f"within {limit:,} tokens a day")
