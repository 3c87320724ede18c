"""The command that looks at a space's archive: archive verify."""

from __future__ import annotations

import sys
from contextlib import closing

import apsw
import click
import msgspec

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json, progress_to
from mnemolog.gateway.cli.telling import counted
from mnemolog.projections.connection import open_reader
from mnemolog.schema import archive as archives
from mnemolog.schema.archive import Examined
from mnemolog.schema.errors import DamagedFile, SpaceNotFound
from mnemolog.schema.settings import Settings
from mnemolog.workers.writer import reconcile
from mnemolog.workers.writer.batches import entry_hash
from mnemolog.workers.writer.reconcile import Folded
from mnemolog.workers.writer.space_file import DAMAGE, has_tables

DAMAGED = 9


@click.group()
def archive() -> None:
    """The log on disk: every entry that was folded, as numbered segments.

    \b
    mnemolog archive verify
    """


@archive.command()
@json_option
@pass_context
def verify(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Read the whole archive: every line against its checksum, the order of entries, every segment against its seal.

    Says of each damaged segment what is wrong first, with its line, byte and position. What the file says was folded
    last must be in the archive, too. A writer may go on meanwhile. Ends with status 9 when something is wrong.

    \b
    mnemolog archive verify
    """
    # Before the archive, which is written first.
    folded = _folded(context.settings)
    with progress_to("reading segments") as progress:
        found = archives.examine(context.settings.archive, progress)
    if not (found.segments or folded):
        folder = context.settings.archive
        raise SpaceNotFound(f"there is no archive at {folder} yet: publish something, and run `mnemolog up`")
    problems = found.problems or _missing(context.settings, found, folded)
    if as_json:
        print_json({"ok": not problems, **msgspec.structs.asdict(found), "problems": problems})
    else:
        click.echo(
            f"{found.entries:,} sound entries in {counted(found.segments, 'segment')}, {found.first} to {found.last}"
        )
    if problems:
        for problem in problems:
            click.echo(f"mnemolog: {problem}", err=True)
        click.echo(
            f"mnemolog: restore {context.settings.archive} from a backup before the writer is started again", err=True
        )
        sys.exit(DAMAGED)


def _folded(settings: Settings) -> Folded | None:
    """What the file says was folded last; None without a file that can say so."""
    try:
        with closing(open_reader(settings.file)) as connection:
            return reconcile.folded(connection) if has_tables(connection) else None
    except (SpaceNotFound, apsw.SQLError, *DAMAGE):
        return None


def _missing(settings: Settings, found: Examined, folded: Folded | None) -> tuple[str, ...]:
    """What a sound archive lacks of what the file was made from."""
    if folded is None or not folded.last_entry:
        return ()
    try:
        entry = archives.entry(settings.archive, folded.position)
    except DamagedFile as error:
        return (str(error),)
    if entry is None:
        return (f"the archive ends at {found.last}, and does not hold {folded.position}, which is folded",)
    if entry_hash(entry) != folded.last_entry:
        return (f"the archive holds another entry at {folded.position} than the one that was folded",)
    return ()


COMMANDS = (archive,)
