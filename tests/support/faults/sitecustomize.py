"""Read by every Python process that a storm starts: one of them dies at a named point, once.

MNEMOLOG_FAULT is `point:n:file`: the process that comes by the point for the nth time makes the file and is killed.
Nothing of the product knows of this.
"""

from __future__ import annotations

import os

if fault := os.environ.get("MNEMOLOG_FAULT"):
    import functools
    import importlib
    import itertools
    import signal

    #: Where a process can be made to die: right before or right after what is named has happened.
    POINTS = {
        "writer: lease taken": ("mnemolog.workers.writer.lease", "", "acquire", "after"),
        "writer: archived, not folded": ("mnemolog.schema.archive", "ArchiveWriter", "append", "after"),
        "writer: folded, not committed": ("mnemolog.workers.writer.batches", "Batches", "_advance", "after"),
        "writer: committed": ("mnemolog.workers.writer.batches", "Batches", "fold", "after"),
        "writer: vectors stored": ("mnemolog.workers.writer.housekeeper", "SpaceKeeper", "index_some", "after"),
        "writer: about to tidy": ("mnemolog.workers.writer.housekeeper", "SpaceKeeper", "tidy", "before"),
        "dispatcher: enqueued, not written down": ("mnemolog.workers.jobs.queue", "Queues", "enqueue", "after"),
        "dispatcher: written down": ("mnemolog.workers.jobs.dispatcher", "SpaceDispatcher", "_write", "after"),
        "dispatcher: asked after troubles": ("mnemolog.schema.troubles", "", "told", "after"),
        "worker: job taken": ("mnemolog.workers.jobs.job", "Performer", "__call__", "before"),
        "worker: job claimed": ("mnemolog.workers.jobs.job", "Performer", "_claim", "after"),
        "worker: concluded, not appended": ("mnemolog.workers.jobs.job", "Performer", "_conclude", "after"),
        "worker: appended": ("mnemolog.workers.jobs.job", "Performer", "_append", "after"),
    }

    def arm(point, nth, file):
        module, kind, name, when = POINTS[point]
        owner = importlib.import_module(module)
        owner = getattr(owner, kind) if kind else owner
        real = getattr(owner, name)
        passed = itertools.count(1)

        def die():
            if next(passed) != nth:
                return
            try:
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

        @functools.wraps(real)
        def deadly(*args, **kwargs):
            if when == "before":
                die()
            given = real(*args, **kwargs)
            if when == "after":
                die()
            return given

        setattr(owner, name, deadly)

    point, _, rest = fault.rpartition(":")[0].rpartition(":")
    arm(point, int(rest), fault.rpartition(":")[2])
