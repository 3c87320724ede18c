"""Checks of a space's file: SQLite, tables, indexes, orphans, clocks, and what waits in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import apsw

from mnemolog.projections import pending
from mnemolog.projections.checkup.checkup import Finding, ok, problem, told, warning
from mnemolog.projections.integrity import verify
from mnemolog.projections.status import last_failure
from mnemolog.schema.tables import FOLD_VERSION
from mnemolog.schema.times import MINUTE, SECOND, show

#: Jobs wait up to ten minutes for what is still said; so long they wait for nothing but a worker.
STALE_MS = 30 * MINUTE
_AHEAD_MS = 5 * SECOND
_FAR_AHEAD_MS = 60 * SECOND
_SHOWN = 3
_REBUILD = "mnemolog replay"

_LOST_EDGES = """
    SELECT count(*) FROM edges e WHERE CASE e.kind
        WHEN 'entity' THEN NOT EXISTS (SELECT 1 FROM entities WHERE entity_id = e.target)
        ELSE NOT EXISTS (SELECT 1 FROM nodes WHERE node_id = e.target) END
"""
_NODES_WITHOUT_CELL = """
    SELECT count(*) FROM nodes n
    WHERE n.type != 'episodic' AND NOT EXISTS (SELECT 1 FROM cells c WHERE c.node_id = n.node_id)
"""
_NODES_WITHOUT_EVENT = """
    SELECT count(*) FROM nodes n
    WHERE n.type = 'episodic' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = n.event_id)
"""
_ORPHANS = {
    "edge that leads to nothing": _LOST_EDGES,
    "fact without its cell": _NODES_WITHOUT_CELL,
    "message without its event": _NODES_WITHOUT_EVENT,
}
_LOST_DISPATCH = """
    SELECT count(*) FROM dispatch d
    WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = d.job_key AND j.generation = d.generation)
"""


def version(connection: apsw.Connection) -> Finding:
    """Whether this version of the fold wrote the file; nothing else can be checked of another one's."""
    found = connection.execute("SELECT fold_version FROM space").get
    if found != FOLD_VERSION:
        return warning(
            "fold version",
            f"the file was folded by version {found} of the fold, and this is {FOLD_VERSION}",
            f"start the writer, which builds it again, or {_REBUILD}",
        )
    return ok("fold version", str(found))


def contents(connection: apsw.Connection, progress: Callable[[str], None]) -> list[Finding]:
    """SQLite's own check, tables against their checksums, full text and vectors against the nodes."""
    problems = verify(connection, progress).problems
    kinds = {"SQLite": "file", "table": "tables", "full": "full text", "vectors": "vectors"}
    found: dict[str, list[str]] = {name: [] for name in kinds.values()}
    for one in problems:
        found[kinds.get(one.partition(" ")[0].rstrip(":"), "tables")].append(one)
    return [
        _whole("file", found["file"], _REBUILD),
        _whole("tables", found["tables"], _REBUILD),
        _whole("full text", found["full text"], "mnemolog reindex fulltext", fixable=True),
        _whole("vectors", found["vectors"], "mnemolog reindex vectors", fixable=True),
    ]


def _whole(name: str, problems: list[str], mend: str, *, fixable: bool = False) -> Finding:
    if not problems:
        return ok(name, "whole")
    more = f" … and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return problem(name, "; ".join(problems[:_SHOWN]) + more, mend, fixable=fixable)


def counts(connection: apsw.Connection) -> Finding:
    """How many nodes there are, and how many of them have a vector; late vectors come by themselves."""
    nodes = connection.execute("SELECT count(*) FROM nodes").get
    rows = connection.execute("SELECT count(*) FROM fulltext").get
    generation = connection.execute("SELECT generation FROM vector_index").get
    indexed = connection.execute(f"SELECT count(*) FROM vectors_{int(generation)}").get
    found = f"{told(nodes, 'node')}, {rows:,} in the full-text index, {indexed:,} with a vector"
    if rows != nodes:
        return problem("counts", found, "mnemolog reindex fulltext", fixable=True)
    if indexed != nodes:
        return warning("counts", found, "run the writer, which makes them; if it says that it cannot, do what it says")
    return ok("counts", found)


def orphans(connection: apsw.Connection) -> Finding:
    """Whether everything that is pointed to is there."""
    found = {what: connection.execute(sql).get for what, sql in _ORPHANS.items()}
    lost = [told(count, what) if count == 1 else f"{count:,} × {what}" for what, count in found.items() if count]
    return problem("orphans", ", ".join(lost), _REBUILD) if lost else ok("orphans", "none")


def newest(connection: apsw.Connection, now_ms: int) -> Finding:
    """Whether what was recorded last lies in this machine's past."""
    recorded: int | None = connection.execute("SELECT max(ms) FROM events").get
    if recorded is None:
        return ok("recorded times", "nothing is recorded yet")
    ahead = recorded - now_ms
    if ahead <= _AHEAD_MS:
        return ok("recorded times", f"the newest is {show(recorded)}")
    found = f"the newest, {show(recorded)}, is {ahead / 1000:,.0f} s ahead of this machine's clock"
    mend = "set the clock if it was set back; else an id was added to the stream by hand, and times run on from there"
    tell = problem if ahead > _FAR_AHEAD_MS else warning
    return tell("recorded times", found, mend)


# ---- what waits ------------------------------------------------------------------------------------------------


def jobs(connection: apsw.Connection, workers: Mapping[str, int] | None, now_ms: int, *, writer_runs: bool) -> Finding:
    """Jobs that are due for long; `workers` are those alive by queue, None where Redis does not run."""
    rows: list[Any] = connection.execute(
        "SELECT kind, count(*), min(position_ms) FROM jobs WHERE state = 'due' AND position_ms < ? GROUP BY kind",
        (now_ms - STALE_MS,),
    ).fetchall()
    lost = connection.execute(_LOST_DISPATCH).get
    if not rows:
        if lost:
            return warning("jobs", f"{told(lost, 'job')} was handed out and is none", "the writer forgets it by itself")
        return ok("jobs", "none is due for long")
    found = ", ".join(f"{count:,} {kind} since {show(since)}" for kind, count, since in rows)
    if not writer_runs or workers is None:
        return warning("jobs", f"due for long, and no writer runs: {found}", "start `mnemolog up`")
    idle = [kind for kind, _, _ in rows if not workers.get(kind)]
    if idle:
        mend = " and ".join(f"mnemolog worker {kind}" for kind in idle)
        return problem("jobs", f"due for long, and no worker runs for {', '.join(idle)}: {found}", mend)
    return warning("jobs", f"due for long: {found}", "mnemolog jobs list shows how often each was tried")


def failed_jobs(connection: apsw.Connection) -> Finding:
    """Jobs that were given up."""
    count = connection.execute("SELECT count(*) FROM jobs WHERE state = 'failed'").get
    if not count:
        return ok("failed jobs", "none")
    why = last_failure(connection)
    return warning(
        "failed jobs",
        f"given up: {told(count, 'job')}; the last: {why}",
        "mnemolog jobs list, then mnemolog jobs requeue",
    )


def dead_letters(connection: apsw.Connection) -> Finding:
    """Entries of the log that could not be folded."""
    rows: list[Any] = connection.execute(
        "SELECT reason, count(*) FROM dead_letters WHERE state = 'parked' GROUP BY reason ORDER BY reason"
    ).fetchall()
    if not rows:
        return ok("dead letters", "none")
    found = ", ".join(f"{count:,} {reason}" for reason, count in rows)
    return warning(
        "dead letters", f"could not be folded: {found}", "mnemolog dead-letters list, then requeue or discard"
    )


def held_verdicts(connection: apsw.Connection) -> Finding:
    """Verdicts that would have retired too many facts at once."""
    count = connection.execute("SELECT count(*) FROM verdicts WHERE state = 'held'").get
    if not count:
        return ok("held verdicts", "none")
    return warning("held verdicts", f"{told(count, 'verdict')} held for a person", "mnemolog verdicts list")


def requests(connection: apsw.Connection) -> Finding:
    """Wishes to have something forgotten that wait for a person."""
    count = pending.waiting(connection)
    if not count:
        return ok("requests", "none waits")
    return warning("requests", f"{told(count, 'request')} made in talk, waiting for a person", "mnemolog requests list")
