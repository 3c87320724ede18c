"""Commands that run mnemolog: up, ingest, wait."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

import click

from mnemolog.gateway import logs
from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json
from mnemolog.projections.progress import wait_until_done
from mnemolog.schema.endpoint import log_client, without_password
from mnemolog.schema.errors import LogFull, LogUnavailable, MnemologError, SpaceHeld
from mnemolog.schema.ids import check_space
from mnemolog.schema.jobs import QUEUES
from mnemolog.schema.outcomes import JobKind
from mnemolog.schema.settings import spaces_in
from mnemolog.schema.stream import spaces_on
from mnemolog.workers.homes.homes import Homes, Standing
from mnemolog.workers.jobs.limits import limits_from
from mnemolog.workers.supervisor import Workers
from mnemolog.workers.writer.files import allow_many_files
from mnemolog.workers.writer.ingest import Ingest

DISCOVER_S = 2.0
#: So many new spaces are taken between two reads.
NEW_AT_ONCE = 16
#: So many of its own, so that those that it has are looked after meanwhile.
OURS_AT_ONCE = 64
#: What `wait` ends with when all that is left waits for a person or for a budget.
WAITS = 11

_more_spaces = click.argument("more_spaces", metavar="[SPACE]...", nargs=-1)
_all_spaces = click.option(
    "--all", "all_spaces", is_flag=True, help="Write every space that has a stream or a folder, new ones too."
)

_most_spaces = click.option(
    "--most-spaces",
    type=click.IntRange(min=0),
    help="With --all: take new spaces only up to so many. Those that are at home here are always written.",
)

_metrics_port = click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Serve metrics for Prometheus at this port; 0 for any."
)
_metrics_host = click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, help="The address to serve metrics at."
)


@contextmanager
def _metrics(context: Context, url: str, host: str, port: int | None) -> Iterator[None]:
    """Serves metrics of all spaces of the data folder while the block runs, where a port is given for them."""
    if port is None:
        yield
        return
    # Who serves no metrics does not wait for their library.
    exposition: Any = import_module("mnemolog.gateway.metrics.exposition")
    registry = exposition.registry_of(context.settings, lambda: url)
    with exposition.metrics_server(registry, host, port) as taken:
        logs.say(f"metrics at http://{host}:{taken}{exposition.PATH}")
        yield


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets; a second Ctrl-C ends the process at once."""
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    stopping = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` is respected
        stopping.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in stopping}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Discovery:
    """Takes the spaces of this machine and new ones while the writer runs; one that cannot be taken is named once."""

    def __init__(self, context: Context, url: str, ingest: Ingest, homes: Homes, most: int | None) -> None:
        self._context = context
        self._client = log_client(url)
        self._ingest = ingest
        self._homes = homes
        self._most = most
        self._refused: set[str] = set()
        self._named: set[str] = set()
        self._elsewhere: set[str] = set()
        self._due = 0.0

    def __call__(self) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + DISCOVER_S
        try:
            self._homes.claims.introduce(self._homes.machine)
            found = {*spaces_in(self._context.settings.data), *spaces_on(self._client), *self._homes.claims.claimed()}
            standing = self._homes.standing(found.difference(self._ingest.spaces, self._refused))
        except (LogUnavailable, LogFull):
            return
        self._name(standing)
        room = len(standing.new) if self._most is None else self._most - len(self._ingest.spaces) - len(standing.ours)
        self._take_some(standing.ours, OURS_AT_ONCE)
        self._take_some(standing.new, min(max(0, room), NEW_AT_ONCE))

    def _take_some(self, spaces: list[str], most: int) -> None:
        """A few at a time, each machine in an order of its own, so that several machines share what is new."""
        wanted = sorted(spaces, key=lambda space: (space in self._named, self._homes.order(space)))
        if sum(self._take(space) for space in wanted[:most]):
            self._due = 0.0

    def _take(self, space: str) -> bool:
        try:
            self._ingest.hold(self._context.settings.of_space(space))
        except SpaceHeld as error:
            # Another process may let go of it.
            self._say_once(space, str(error))
            return False
        except MnemologError as error:
            self._refused.add(space)
            self._say_once(space, str(error))
            return False
        self._named.discard(space)
        return True

    def _name(self, standing: Standing) -> None:
        for space in standing.elsewhere:
            self._homes.clear_away(space)
        if fresh := set(standing.elsewhere).difference(self._elsewhere):
            logs.say(f"{len(fresh)} more spaces are at home on other machines: see `mnemolog home list`")
        self._elsewhere = set(standing.elsewhere)
        for reason in standing.waiting.values():
            self._say_once(reason, reason)

    def _say_once(self, about: str, message: str) -> None:
        if about not in self._named:
            self._named.add(about)
            logs.complain(message)


def _write(
    context: Context,
    url: str,
    spaces: tuple[str, ...],
    *,
    all_spaces: bool,
    accept: bool,
    ready: str,
    most: int | None = None,
    kinds: tuple[JobKind, ...] = (),
) -> None:
    """Writes the spaces until stopped, with a worker process for each of `kinds`.

    Ends the process with the status of what kept a named space from being written, after the others ended.
    """
    allow_many_files()
    homes = Homes(log_client(url), context.settings.data)
    ingest = Ingest(log_client(url), context.embedder(), limits_from(os.environ), homes)
    workers = Workers(kinds, lambda: url)
    discover = _Discovery(context, url, ingest, homes, most) if all_spaces else None
    refused: list[MnemologError] = []

    def between() -> None:
        if discover is not None:
            discover()
        if stop.is_set():
            # Before the writer drains, so that it also folds what the workers still conclude.
            workers.ask_to_stop()
        else:
            workers.check()

    with _until_stopped() as stop:
        for space in dict.fromkeys((context.settings.space, *spaces)):
            try:
                ingest.hold(context.settings.of_space(space), accept_stream=accept)
            except MnemologError as error:
                if all_spaces and isinstance(error, SpaceHeld) and space not in spaces:
                    continue  # of all machines that write all spaces one has the default one
                refused.append(error)
                logs.complain(str(error))
        if ingest.spaces or all_spaces:
            workers.check()
            logs.say(ready)
            try:
                ingest.run(stop, between, lasting=all_spaces)
            except KeyboardInterrupt:
                workers.stop(lambda: True)
                raise
            finally:
                workers.stop()
    for reason in (*refused, *ingest.failures.values()):
        sys.exit(getattr(reason, "exit_status", 1))


@click.command()
@_more_spaces
@_all_spaces
@_most_spaces
@_metrics_port
@_metrics_host
@click.option(
    "--accept-stream", is_flag=True, help="Go on with a stream that was trimmed, emptied or replaced, as it is."
)
@pass_context
def ingest(
    context: Context,
    more_spaces: tuple[str, ...],
    all_spaces: bool,  # noqa: FBT001
    most_spaces: int | None,
    metrics_port: int | None,
    metrics_host: str,
    accept_stream: bool,  # noqa: FBT001
) -> None:
    """Run the writer alone: archive and fold what is published, until Ctrl-C. One process serves many spaces.

    \b
    mnemolog --redis redis://localhost ingest
    mnemolog --redis redis://localhost --space ada ingest ben carla
    mnemolog --redis redis://redis.example ingest --all --most-spaces 500
    """
    for space in more_spaces:
        check_space(space)
    with context.redis() as url, _metrics(context, url, metrics_host, metrics_port):
        _write(
            context,
            url,
            more_spaces,
            all_spaces=all_spaces,
            most=most_spaces,
            accept=accept_stream,
            ready=f"mnemolog writes to {context.settings.data}, reads {without_password(url)}; Ctrl-C drains and stops",
        )


@click.command()
@_more_spaces
@_all_spaces
@_most_spaces
@_metrics_port
@_metrics_host
@pass_context
def up(
    context: Context,
    more_spaces: tuple[str, ...],
    all_spaces: bool,  # noqa: FBT001
    most_spaces: int | None,
    metrics_port: int | None,
    metrics_host: str,
) -> None:
    """Run everything on this machine: Redis unless one is given, the writer, the workers. Ctrl-C drains and stops.

    \b
    mnemolog up
    mnemolog --data ./memory --space ada up
    """
    for space in more_spaces:
        check_space(space)
    with context.redis() as url, _metrics(context, url, metrics_host, metrics_port):
        _write(
            context,
            url,
            more_spaces,
            all_spaces=all_spaces,
            most=most_spaces,
            accept=False,
            kinds=QUEUES,
            ready=f"mnemolog is up: data in {context.settings.data}, Redis at {without_password(url)}; "
            "Ctrl-C drains and stops",
        )


@click.command()
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@json_option
@pass_context
def wait(context: Context, timeout: float, as_json: bool) -> None:  # noqa: FBT001
    """Wait until everything published so far is folded, indexed and worked off.

    Ends with status 0 when it is, 10 when time runs out, and 11 when all that is left waits for a person (failed
    jobs) or for a budget of tokens. Dead letters are counted; they do not change the status.

    \b
    mnemolog wait --timeout 10
    """
    url = context.running_redis()
    if url is None:
        raise LogUnavailable(
            f"no Redis is running for {context.settings.data}, so nothing can be folded: start `mnemolog up`"
        )
    left = wait_until_done(context.settings, context.stream(url), timeout)
    if as_json:
        print_json(left)
    else:
        failed = f", {left.jobs_failed} failed jobs wait for a person" if left.jobs_failed else ""
        parked = f", {left.dead_letters} dead letters" if left.dead_letters else ""
        waiting = f", {left.jobs_waiting} jobs wait ({left.waiting_for})" if left.jobs_waiting else ""
        click.echo(f"all done up to {left.position}{failed}{waiting}{parked}")
    if left.jobs_failed or left.jobs_waiting:
        sys.exit(WAITS)


COMMANDS = (up, ingest, wait)
