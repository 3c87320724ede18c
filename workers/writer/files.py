"""How many files a process may have open: a writer needs about ten for each space."""

from __future__ import annotations

import resource
from contextlib import suppress


def allow_many_files() -> None:
    """Raises this process's limit of open files as far as it may be raised without rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems say that there is no limit and refuse that as a value.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
