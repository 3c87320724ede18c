"""The command that puts files of conversations on the log: import."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import FILE, TIME, Context, json_option, pass_context, print_json, progress_bar
from mnemolog.gateway.cli.lifting import force_option, lifted
from mnemolog.gateway.cli.spooling import producer_with, spool_options
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.hearsay import read_hearsay
from mnemolog.gateway.memory.objects import as_object
from mnemolog.producers.importer import Imported, Importer, ImportFile, Source, closing_id
from mnemolog.producers.importers.chatgpt import ChatGptReader
from mnemolog.producers.importers.chatlog import ChatLogReader
from mnemolog.producers.importers.claude import ClaudeReader
from mnemolog.producers.importers.date_order import DATE_ORDERS
from mnemolog.producers.importers.detection import FORMATS, detect
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.producers.importers.mem0 import Mem0Reader
from mnemolog.producers.importers.opening import total_bytes
from mnemolog.producers.importers.preview import Known, Preview, preview, skipped_of
from mnemolog.projections.connection import open_reader
from mnemolog.projections.progress import wait_until_done, writer_position
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import PROBLEMS_SHOWN, SpaceNotFound
from mnemolog.schema.times import show, utc_offset_min
from mnemolog.workers.background import background_workers, background_writer
from mnemolog.workers.jobs.limits import limits_from

PAUSE_S = 0.02
DRAIN_TIMEOUT_S = 24 * 3600.0


@click.command(name="import")
@click.argument("file", type=FILE)
@click.option("--format", "form", type=click.Choice(("auto", *FORMATS)), default="auto", help="Else told by content.")
@click.option("--at", type=TIME, help="The time of messages that have none.")
@click.option("--time-zone", "--timezone", "zone", envvar="MNEMOLOG_TIME_ZONE", help="Of times without an offset.")
@click.option("--date-order", "order", type=click.Choice(DATE_ORDERS), help="Of dates such as 03/04/2026.")
@click.option("--me", metavar="NAME", help="Your name, for what a file has from the user, or from you.")
@click.option("--chat", metavar="NAME", help="What a chat log is called; its file's name unless given.")
@click.option("--dry-run", is_flag=True, help="Publish nothing, and say what would be.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out instead of publishing nothing.")
@force_option
@click.option("--drain", is_flag=True, help="Run writer and workers until no work is left, then stop them.")
@spool_options
@json_option
@pass_context
def import_(
    context: Context,
    /,
    file: Path,
    dry_run: bool,  # noqa: FBT001
    skip_bad: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    drain: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Import conversations from FILE, with their own dates, roles and speakers. Again adds nothing.

    FILE is JSON lines; an export of ChatGPT or Claude (the zip, or its conversations.json); memories of mem0; or a chat
    log (WhatsApp, IRC, Slack, Markdown). All of it is checked before anything is published.

    A line of JSON has session, role and content, and at (ISO 8601 with an offset, or UTC milliseconds); it may have id,
    speaker, seq and metadata. A line without an id gets a hash of what it says.

    \b
    mnemolog import chatgpt.zip --me Ada --dry-run
    mnemolog import chats.jsonl --drain
    """
    form = detect(file) if given["form"] == "auto" else given["form"]
    source = _source(file, form, given)
    with progress_bar("checking", total_bytes(file)) as advance:
        source.check(advance)
    if dry_run:
        with _known(context) as known:
            _show(preview(source, form, known), as_json=as_json)
        return
    with ExitStack() as stack:
        url = stack.enter_context(context.redis())
        producer = stack.enter_context(producer_with(context, url, given["spool"], given["spool_bytes"]))
        check = _everything(stack, context, url) if drain else None
        known = stack.enter_context(_known(context))
        was_erased = stack.enter_context(lifted(context, producer, _ids_in(source), force=force))
        importer = Importer(
            producer, known, lambda: writer_position(context.stream(url)), lambda: time.sleep(PAUSE_S), was_erased
        )
        with progress_bar("publishing", source.findings.good) as advance:
            imported = importer.run(source, skip_bad=skip_bad, progress=advance)
        if check is not None:
            wait_until_done(context.settings, context.stream(url), DRAIN_TIMEOUT_S, check)
    _report(imported, source, as_json=as_json)


def _source(file: Path, form: str, given: dict[str, Any]) -> ImportFile | ExportFile:
    """The file as something to import. Raises InvalidTime for an unknown time zone."""
    zone = given["zone"]
    if zone is not None:
        utc_offset_min(zone, 0)
    who = {"me": given["me"], "zone": zone}
    match form:
        case "chatgpt":
            return ExportFile(file, ChatGptReader(file, **who))
        case "claude":
            return ExportFile(file, ClaudeReader(file, **who))
        case "mem0":
            return ExportFile(file, Mem0Reader(file, read_hearsay, **who))
        case "chatlog":
            details = {"order": given["order"], "chat": given["chat"], "default_at": given["at"]}
            return ExportFile(file, ChatLogReader(file, **who, **details))
    return ImportFile(file, given["at"])


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
def _known(context: Context) -> Iterator[Known]:
    """A look-up of the digest that an event id is folded with, in the file on this machine if there is one."""
    try:
        connection = open_reader(context.settings.file)
    except SpaceNotFound:
        yield lambda _: None
        return
    try:
        has_events = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'events'").get
        look_up = "SELECT digest FROM events WHERE event_id = ?"
        yield (lambda id_: connection.execute(look_up, (id_,)).get) if has_events else (lambda _: None)
    finally:
        connection.close()


def _ids_in(source: Source) -> Iterator[str]:
    yield from (event.event_id for event in source.events())
    yield from (closing_id(session, end) for session, end in source.findings.sessions.items())


def _show(found: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(as_object(found))
        return
    roles = ", ".join(f"{count} {role}" for role, count in found.by_role.items())
    span = f", {_day(found.first_at)} to {_day(found.last_at)}" if found.first_at is not None else ""
    click.echo(f"{found.format}: {found.messages} messages ({roles or 'none'}) in {found.sessions} sessions{span}")
    click.echo(f"{found.there} of them are there already; nothing was published")
    for reason, count in found.skipped.items():
        click.echo(f"passed over: {count} · {reason}")
    for problem in found.problems[:PROBLEMS_SHOWN]:
        click.echo(f"bad: {short(problem)}")
    if len(found.problems) > PROBLEMS_SHOWN:
        click.echo(f"bad: … and {len(found.problems) - PROBLEMS_SHOWN} more")
    for sample in found.samples:
        who = short(sample.speaker or sample.role)
        click.echo(f"{_day(sample.occurred_at)}  {short(sample.session, 40)}  {who}: {short(sample.content, 80)}")


def _day(at: int | None) -> str:
    return "" if at is None else show(at)[:10]


def _report(imported: Imported, source: Source, *, as_json: bool) -> None:
    for number, reason in source.findings.problems:
        click.echo(f"mnemolog: {source.what} {number} left out: {short(reason)}", err=True)
    skipped = skipped_of(source)
    if as_json:
        print_json({**msgspec.structs.asdict(imported), "skipped": skipped})
        return
    waiting = f", {imported.spooled} events wait in the spool" if imported.spooled else ""
    click.echo(
        f"{imported.published} events published, {imported.already_there} were there already, "
        f"{imported.skipped_bad} bad {source.what}s left out, {imported.sessions} sessions{waiting}"
    )
    if imported.erased:
        click.echo(f"{imported.erased} were erased before, and are not published again without --force")
    if imported.changed:
        click.echo(f"{imported.changed} that were there say something else there, and were left as they are")
    if skipped:
        click.echo("passed over: " + ", ".join(f"{count} · {reason}" for reason, count in skipped.items()))


COMMANDS = (import_,)
