"""Checks of the log: the archive, what it and the file say of each other, and what is published and not folded."""

from __future__ import annotations

from pathlib import Path

from mnemolog.projections.checkup.checkup import Finding, ok, problem, told, warning
from mnemolog.schema import archive
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import START, Position

_SHOWN = 3
#: A running writer folds tens of thousands in a second: so many are a writer that cannot keep up.
_MUCH_LAG = 10_000


def archived(folder: Path) -> Finding:
    """Reads the whole archive: lines, their checksums and order, and seals."""
    problems = archive.check(folder)
    if problems:
        more = f" … and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        return problem(
            "archive",
            "; ".join(problems[:_SHOWN]) + more,
            f"restore {folder} from a backup (mnemolog export makes one); the file still has what was folded",
        )
    count = archive.count(folder)
    if not count:
        return ok("archive", "empty")
    return ok("archive", f"{count:,} entries in {told(len(archive.numbers(folder)), 'segment')}, all readable")


def agreement(folder: Path, position: Position | None) -> Finding:
    """Whether file and archive are equally far; `position` is the file's, None where there is none."""
    try:
        last = archive.last_entry(folder)
    except DamagedFile:
        return problem("file and archive", "the archive's end cannot be read", "see the archive")
    end = last.position if last else START
    if position is None:
        if end == START:
            return ok("file and archive", "nothing is there yet: publish something, and run `mnemolog up`")
        return problem(
            "file and archive",
            f"the file is missing, and the archive goes up to {end}",
            "start the writer, which builds it, or mnemolog replay",
        )
    if position > end:
        return problem(
            "file and archive",
            f"the archive ends at {end}, and the file is at {position}",
            "start the writer: it fills the archive up from the stream while that has it",
        )
    if position < end:
        return warning(
            "file and archive", f"the file is at {position}, the archive at {end}", "start the writer: it folds it on"
        )
    return ok("file and archive", f"both at {end}")


def lag(entries: int, *, writer_runs: bool) -> Finding:
    """What is published and not folded."""
    if not entries:
        return ok("lag", "everything published is folded")
    found = f"{entries:,} published and not folded"
    if not writer_runs:
        return warning("lag", f"{found}, and no writer runs", "start `mnemolog up` or `mnemolog ingest`")
    if entries > _MUCH_LAG:
        return warning("lag", found, "look at what the writer says; a machine of its own may be needed for the models")
    return ok("lag", found)
