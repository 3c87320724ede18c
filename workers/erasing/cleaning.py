"""Cleaning Redis of what is erased: queued jobs, told troubles, the slow log, and what its own files still hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import redis

from mnemolog.schema import keys
from mnemolog.schema.endpoint import RedisFolder, translate
from mnemolog.schema.errors import LogRefused, LogUnavailable
from mnemolog.workers.jobs.queue import job_keys

#: How long Redis may take to write its file anew; a gigabyte takes some seconds.
PATIENCE_S = 120.0
POLL_S = 0.02

_AOF_FLAGS = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
_DUE = "SELECT 1 FROM jobs WHERE job_key = ? AND generation = ? AND state = 'due'"


class Cleaning:
    """Cleans the keys of one space, and Redis' files. `tick` is called while Redis works.

    `folder` is where a server of our own has its files, which saves no dumps.

    Every method raises LogUnavailable, LogFull or LogRefused for what Redis or the way to it does.
    """

    def __init__(
        self, client: redis.Redis, space: str, tick: Callable[[], None], folder: RedisFolder | None = None
    ) -> None:
        self._client = client
        self._folder = folder
        self._space = space
        self._tick = tick

    def clean(self, connection: apsw.Connection) -> list[str]:
        """Removes queued jobs that are not due in a file, and all else; says what Redis does not let it do."""
        try:
            self._forget_jobs(connection)
        except redis.RedisError as error:
            raise translate(error, f"erase what is queued for space {self._space!r} from") from error
        return [left for left in (self._rewrite_files(), self._empty_slow_log()) if left]

    def _forget_jobs(self, connection: apsw.Connection) -> None:
        kept = [key for pattern in job_keys(self._space) for key in self._scan(pattern)]
        named = [key for key in kept if not self._is_due(connection, key)]
        claims = list(self._scan(keys.claim(self._space, "*")))
        for key in [*named, *claims, keys.troubles(self._space).encode("utf-8")]:
            self._client.delete(key)

    def _scan(self, pattern: str) -> Iterator[bytes]:
        yield from self._client.scan_iter(match=pattern, count=1000)

    def _is_due(self, connection: apsw.Connection, key: bytes) -> bool:
        *_, job, generation, _attempt = key.decode("utf-8", "replace").split("-")
        return generation.isdigit() and bool(connection.execute(_DUE, (job, int(generation))).get)

    # ---- files -------------------------------------------------------------------------------------------------

    def _rewrite_files(self) -> str:
        """Has Redis write its files anew, and waits for it; says why it does not."""
        try:
            if int(self._info()["aof_enabled"]):
                self._run("BGREWRITEAOF", _AOF_FLAGS, "aof_last_bgrewrite_status")
            if self._folder is None:
                # Also where it saves none by itself: somebody may have had it save one.
                self._run("BGSAVE", ("rdb_bgsave_in_progress",), "rdb_last_bgsave_status")
        except LogRefused as error:
            return f"Redis' own files: {error}. Have an administrator run BGREWRITEAOF and BGSAVE"
        if self._folder is not None:
            self._remove_dumps(self._folder)
        return ""

    def _remove_dumps(self, folder: RedisFolder) -> None:
        """Removes dumps, and what servers that were killed left half written. Nothing is being written now."""
        for path in (*folder.path.glob("temp-*"), *folder.path.glob("dump*.rdb")):
            path.unlink(missing_ok=True)

    def _run(self, command: str, flags: tuple[str, ...], status: str) -> None:
        """Runs a command that works in the background, once more where it was at it already; waits until it is done."""
        until = time.monotonic() + PATIENCE_S
        self._wait(until, flags)
        self._do(command)
        self._wait(until, flags)
        if self._info()[status] != "ok":
            raise LogUnavailable(f"Redis could not write its file anew ({command}): see its log; it is tried again")

    def _wait(self, until: float, flags: tuple[str, ...]) -> None:
        while any(int(self._info().get(flag, 0)) for flag in flags):
            if time.monotonic() > until:
                raise LogUnavailable(f"Redis is still writing its file after {PATIENCE_S:g} s; it is tried again")
            self._tick()
            time.sleep(POLL_S)

    def _info(self) -> dict[str, Any]:
        found: dict[str, Any] = self._do("INFO", "persistence")
        return found

    def _empty_slow_log(self) -> str:
        try:
            self._do("SLOWLOG RESET")
        except LogRefused as error:
            return f"Redis' slow log, which keeps the beginnings of commands: {error}. Run SLOWLOG RESET"
        return ""

    def _do(self, *command: str) -> Any:
        try:
            return self._client.execute_command(*command)
        except redis.RedisError as error:
            raise translate(error, f"erase space {self._space!r} from the files of") from error
