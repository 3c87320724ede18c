"""The command that puts files of conversations on the log: import."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from mnemolog.gateway.cli.context import FILE, TIME, Context, json_option, pass_context, print_json, progress_bar
from mnemolog.gateway.cli.spooling import producer_with, spool_options
from mnemolog.producers.importer import Imported, Importer, ImportFile
from mnemolog.projections.connection import open_reader
from mnemolog.projections.progress import wait_until_done, writer_position
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.workers.background import background_workers, background_writer
from mnemolog.workers.jobs.limits import limits_from

PAUSE_S = 0.02
DRAIN_TIMEOUT_S = 24 * 3600.0


@click.command(name="import")
@click.argument("file", type=FILE)
@click.option("--at", type=TIME, help="The time of lines that have none.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out instead of publishing nothing.")
@click.option("--drain", is_flag=True, help="Run writer and workers until no work is left, then stop them.")
@spool_options
@json_option
@pass_context
def import_(
    context: Context,
    /,
    file: Path,
    at: int | None,
    skip_bad: bool,  # noqa: FBT001
    drain: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Import events from FILE, one JSON object a line.

    A line has session, role and content, and at (ISO 8601 with an offset, or UTC milliseconds); it may have id,
    speaker, seq and metadata. A line without an id gets a hash of what it says, so that importing again adds nothing.

    \b
    mnemolog import chats.jsonl --drain
    """
    source = ImportFile(file, at)
    with progress_bar("checking", file.stat().st_size) as advance:
        source.check(advance)
    with ExitStack() as stack:
        url = stack.enter_context(context.redis())
        producer = stack.enter_context(producer_with(context, url, given["spool"], given["spool_bytes"]))
        check = _everything(stack, context, url) if drain else None
        known = stack.enter_context(_known(context))
        importer = Importer(producer, known, lambda: writer_position(context.stream(url)), lambda: time.sleep(PAUSE_S))
        with progress_bar("publishing", source.good) as advance:
            imported = importer.run(source, skip_bad=skip_bad, progress=advance)
        if check is not None:
            wait_until_done(context.settings, context.stream(url), DRAIN_TIMEOUT_S, check)
    _report(imported, source, as_json=as_json)


def _everything(stack: ExitStack, context: Context, url: str) -> Callable[[], None]:
    """Writer and workers, until the stack is left; gives what is to be called while waiting for them."""
    limits = limits_from(os.environ)
    check_writer = stack.enter_context(background_writer(context.settings, log_client(url), context.embedder(), limits))
    check_workers = stack.enter_context(background_workers(url))

    def check() -> None:
        check_writer()
        check_workers()

    return check


@contextmanager
def _known(context: Context) -> Iterator[Callable[[str], bytes | None]]:
    """A look-up of the digest that an event id is folded with, in the file on this machine if there is one."""
    try:
        connection = open_reader(context.settings.file)
    except SpaceNotFound:
        yield lambda _: None
        return
    try:
        yield lambda id_: connection.execute("SELECT digest FROM events WHERE event_id = ?", (id_,)).get
    finally:
        connection.close()


def _report(imported: Imported, source: ImportFile, *, as_json: bool) -> None:
    for number, reason in source.problems:
        click.echo(f"mnemolog: line {number} left out: {reason}", err=True)
    if as_json:
        print_json(imported)
        return
    waiting = f", {imported.spooled} events wait in the spool" if imported.spooled else ""
    click.echo(
        f"{imported.published} events published, {imported.already_there} were there already, "
        f"{imported.skipped_bad} bad lines left out, {imported.sessions} sessions{waiting}"
    )


COMMANDS = (import_,)
