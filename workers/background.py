"""A writer and workers beside another task of the same process, for as long as that takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema.errors import SpaceHeld
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.settings import Settings
from mnemolog.workers.jobs.limits import JobLimits
from mnemolog.workers.supervisor import Workers
from mnemolog.workers.writer.ingest import Ingest

log = logging.getLogger("mnemolog.writer")


@contextmanager
def background_writer(
    settings: Settings, client: redis.Redis, embedder: Embedder, limits: JobLimits
) -> Iterator[Callable[[], None]]:
    """Writes a space in a thread while the block runs; then drains and gives it back.

    Yields a function that raises what ended the writing before its time, if anything did. Where another process
    writes the space already, that one goes on. Raises what `Ingest.hold` raises.
    """
    ingest = Ingest(client, embedder, limits)
    try:
        ingest.hold(settings)
    except SpaceHeld as error:
        log.info("%s; that process does the work", error)
        yield lambda: None
        return

    ended: list[BaseException] = []

    def write() -> None:
        try:
            ingest.run(stop)
        except BaseException as error:  # noqa: BLE001 (raised by `check`, in the thread that waits for the writing)
            ended.append(error)

    def check() -> None:
        for error in (*ingest.failures.values(), *ended):
            raise error

    stop = threading.Event()
    thread = threading.Thread(target=write, name="writer")
    thread.start()
    try:
        yield check
    finally:
        stop.set()
        thread.join()
    check()


@contextmanager
def background_workers(url: str) -> Iterator[Callable[[], None]]:
    """Runs one worker process for each queue while the block runs, then stops them after the jobs they are at.

    Yields a function that starts again those that have died: call it while waiting.
    """
    workers = Workers(QUEUES, lambda: url, quiet=True)
    workers.check()
    try:
        yield workers.check
    finally:
        workers.stop()
