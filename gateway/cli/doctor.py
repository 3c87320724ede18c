"""The command that looks at everything that can be wrong on a machine: doctor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import apsw
import click
import msgspec
import redis

from mnemolog.gateway.cli.context import Context, console, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.telling import shown
from mnemolog.projections.checkup import file as checkup_file
from mnemolog.projections.checkup import log as checkup_log
from mnemolog.projections.checkup import machine as checkup_machine
from mnemolog.projections.checkup import redis as checkup_redis
from mnemolog.projections.checkup.checkup import Finding, problem
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.projections.integrity import position_of
from mnemolog.projections.progress import writer_position
from mnemolog.projections.status import MOST_LAG
from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, MnemologError, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.stream import Stream
from mnemolog.workers import checkup
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.space_file import DAMAGE
from mnemolog.workers.writer.space_writer import SpaceWriter

#: The exit status when something is wrong.
PROBLEMS = 9
_MARKS = {"ok": "  ok     ", "warning": "  warning", "problem": "  PROBLEM"}


class _FileFacts(msgspec.Struct, frozen=True):
    """What other checks need of the file: None and False where it cannot be read."""

    position: Position | None = None
    writer_lives: bool = False
    model: str | None = None


class _RedisFacts(msgspec.Struct, frozen=True):
    """What other checks need of Redis: None and False where it was not reached."""

    workers: dict[str, int] | None = None
    writer_runs: bool = False


class Examination:
    """One look at everything; `tell` is told what is being looked at."""

    def __init__(self, context: Context, tell: Callable[[str], None]) -> None:
        self._context = context
        self._settings = context.settings
        self._tell = tell
        self.file = _FileFacts()
        self._redis = _RedisFacts()

    def findings(self) -> list[Finding]:
        """What all checks found."""
        self.file = self._file_facts()
        return [*self._machine(), *self._of_redis(), *self._log(), *self._of_file(), *self._side_files()]

    def _machine(self) -> Iterator[Finding]:
        self._tell("the machine")
        yield checkup_machine.python()
        yield checkup_machine.sqlite()
        yield checkup_machine.sqlite_vec()
        yield checkup_machine.redis_py()
        yield checkup_machine.data_folder(self._settings)
        yield checkup_machine.permissions(self._settings)
        yield checkup_machine.disk(self._settings)
        if self._settings.redis_url is None:
            yield checkup.program(self._settings)

    # ---- Redis -------------------------------------------------------------------------------------------------

    def _of_redis(self) -> list[Finding]:
        self._tell("Redis")
        url = self._context.running_redis()
        if url is None:
            return [checkup_redis.unreached(self._settings, None)]
        found: list[Finding] = []
        try:
            with closing(log_client(url)) as client:
                found += self._asked(url, client)
        except (redis.ConnectionError, redis.TimeoutError, redis.AuthenticationError) as error:
            found.append(checkup_redis.unreached(self._settings, str(translate(error, "reach Redis"))))
        except redis.RedisError as error:
            found.append(checkup_redis.refused(error))
        except (LogUnavailable, LogRefused, LogFull) as error:
            found.append(checkup_redis.unreached(self._settings, str(error)))
        return found

    def _asked(self, url: str, client: redis.Redis) -> Iterator[Finding]:
        stream = Stream(client, self._settings.space)
        yield checkup_redis.server(url, client)
        if (socket := checkup_redis.socket(url)) is not None:
            yield socket
        config = checkup_redis.config_of(client)
        yield checkup_redis.eviction(config)
        yield checkup_redis.persistence(config, self._settings.durability)
        yield checkup_redis.saving(client)
        yield checkup_redis.memory(client)
        yield checkup_redis.clock(client, now_ms())
        yield checkup_redis.stream_top(stream, now_ms())
        yield checkup.spent_budget(client, self._settings.space, self._context.models.token_budget)
        writer_runs = writer_position(stream) is not None
        self._redis = _RedisFacts(checkup_redis.workers(client), writer_runs)
        behind = checkup_redis.lag(stream, self.file.position or START, MOST_LAG)
        yield checkup_log.lag(behind, writer_runs=writer_runs)

    # ---- log and file ------------------------------------------------------------------------------------------

    def _file_facts(self) -> _FileFacts:
        try:
            with self._context.reader() as connection, read_transaction(connection):
                position = position_of(connection)
                lives = lease.is_live(lease.read(connection), self._settings.lease_s)
                return _FileFacts(position, lives, vectors.index_in_use(connection).model)
        except (SpaceNotFound, *DAMAGE, apsw.SQLError):
            return _FileFacts()

    def _log(self) -> Iterator[Finding]:
        self._tell("the archive")
        yield checkup_log.archived(self._settings.archive)
        if self.file.position is not None or not self._settings.file.exists():
            yield checkup_log.agreement(self._settings.archive, self.file.position)

    def _of_file(self) -> list[Finding]:
        found: list[Finding] = []
        try:
            with self._context.reader() as connection:
                found += self._looked_into(connection)
        except SpaceNotFound:
            return found
        except (*DAMAGE, apsw.SQLError, apsw.IOError) as error:
            mend = "mnemolog replay, which keeps the damaged file aside"
            found.append(problem("file", f"{self._settings.file} is damaged: {error}", mend))
        return found

    def _looked_into(self, connection: apsw.Connection) -> Iterator[Finding]:
        version = checkup_file.version(connection)
        yield version
        yield checkup.holder(connection, self._settings.lease_s)
        if version.state != "ok":
            return
        yield from checkup_file.contents(connection, self._tell)
        self._tell("what waits")
        with read_transaction(connection):
            yield checkup_file.counts(connection)
            yield checkup_file.orphans(connection)
            yield checkup_file.newest(connection, now_ms())
            yield checkup_file.jobs(connection, self._redis.workers, now_ms(), writer_runs=self._redis.writer_runs)
            yield checkup_file.failed_jobs(connection)
            yield checkup_file.dead_letters(connection)
            yield checkup_file.held_verdicts(connection)
            yield checkup_file.requests(connection)

    def _side_files(self) -> Iterator[Finding]:
        self._tell("side files")
        runs = self._redis.writer_runs or self.file.writer_lives
        yield checkup.erasures(self._settings, writer_runs=runs, now_ms=now_ms())
        yield checkup.leftovers(self._settings, writer_lives=self.file.writer_lives)
        yield checkup.damaged_copies(self._settings)
        yield checkup.kept_moments(self._settings)
        if self.file.model is not None:
            yield checkup.usable_snapshots(self._settings, self.file.model)


# ---- mending -----------------------------------------------------------------------------------------------------


def _mend(context: Context, seen: Examination, finding: Finding) -> Finding:
    """The finding with what was done about it, or why nothing could be."""
    settings, lives, model = context.settings, seen.file.writer_lives, seen.file.model or ""
    mending: dict[str, Callable[[], str]] = {
        "permissions": lambda: checkup_machine.close_permissions(settings),
        "side files": lambda: checkup.remove_leftovers(settings, writer_lives=lives),
        "known": lambda: checkup.remove_old_moments(settings),
        "snapshots": lambda: checkup.remove_useless_snapshots(settings, model),
        "full text": lambda: _index_again(context, "full text"),
        "counts": lambda: _index_again(context, "full text"),
        "vectors": lambda: _index_again(context, "vectors"),
    }
    try:
        done = mending[finding.name]()
    except (MnemologError, OSError) as error:
        return msgspec.structs.replace(finding, fixed=f"could not be mended: {error}")
    return msgspec.structs.replace(finding, state="ok", fixed=done)


def _index_again(context: Context, index: str) -> str:
    embedder = context.embedder()
    with context.redis() as url:
        writer = SpaceWriter(context.settings, context.stream(url), embedder)
        writer.take()
        try:
            if index == "full text":
                fulltext.rebuild(writer.connection, writer.transaction, lambda _done, _of: None)
            else:
                vectors.rebuild(writer.connection, embedder, writer.transaction, lambda _done, _of: None)
        finally:
            writer.close()
    return f"built the {index} index again"


# ---- the command -------------------------------------------------------------------------------------------------


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe to mend, and say what was done.")
@json_option
@pass_context
def doctor(context: Context, fix: bool, as_json: bool) -> None:  # noqa: FBT001
    """Check everything that can be wrong on this machine, and say how to mend each.

    Looks at versions, the data folder, Redis, the log, the space's file and its indexes, what waits, and what was
    left over. --fix closes permissions, removes what dead processes left, and builds damaged indexes again; all else
    it leaves to you. Starts no Redis. Ends with status 9 when there is a problem; a warning is none.

    \b
    mnemolog doctor
    mnemolog doctor --fix
    """
    with console.status("looking at the machine") as status:
        seen = Examination(context, lambda what: status.update(f"looking at {what}"))
        found = seen.findings()
        if fix:
            found = [_mend(context, seen, one) if one.fixable else one for one in found]
    left = sum(one.state == "problem" for one in found)
    if as_json:
        print_json({"ok": not left, "findings": found})
    else:
        _show(found, left)
    if left:
        sys.exit(PROBLEMS)


def _show(found: list[Finding], left: int) -> None:
    for one in found:
        click.echo(f"{_MARKS[one.state]}  {one.name}: {shown(one.found)}")
        if one.fixed is not None:
            click.echo(f"             {shown(one.fixed)}")
        elif one.mend:
            click.echo(f"             mend: {shown(one.mend)}{' (or --fix)' if one.fixable else ''}")
    warnings = sum(one.state == "warning" for one in found)
    click.echo(f"{left} problem(s), {warnings} warning(s), {len(found)} checks")


COMMANDS = (doctor,)
