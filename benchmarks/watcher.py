"""Watches a space's file, as a process of its own: python watcher.py FILE MARK COUNT TIMEOUT_S.

Looks for MARK0, MARK1, … COUNT in all, each by a full-text query of its own on a reader's connection, at most half a
millisecond after the look before, and prints when each was found (monotonic nanoseconds) as a JSON list. Messages of
one producer are folded in the order in which they were published, so looking for the next one is enough.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec

from mnemolog.projections.connection import open_reader

PAUSE_S = 0.0005
READY = "ready"


def watch(file: Path, mark: str, count: int, timeout_s: float) -> list[int]:
    """When each of the marked messages could be found. Raises TimeoutError."""
    connection = open_reader(file)
    until = time.monotonic() + timeout_s
    found_at: list[int] = []
    print(READY, flush=True)
    while len(found_at) < count:
        query = f'"{mark}{len(found_at)}"'
        if connection.execute("SELECT rowid FROM fulltext WHERE fulltext MATCH ?", (query,)).fetchall():
            found_at.append(time.monotonic_ns())
        elif time.monotonic() > until:
            raise TimeoutError(f"only {len(found_at)} of {count} messages could be found after {timeout_s:g} s")
        else:
            time.sleep(PAUSE_S)
    connection.close()
    return found_at


if __name__ == "__main__":
    print(msgspec.json.encode(watch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))).decode())
