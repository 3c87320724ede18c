"""Commands that move a memory: export, import-bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import (
    FILE,
    TIME,
    Context,
    json_option,
    now_ms,
    pass_context,
    print_json,
    progress_bar,
)
from mnemolog.gateway.exporting import json_lines, markdown
from mnemolog.projections.connection import read_transaction
from mnemolog.schema import archive
from mnemolog.schema.endpoint import RedisFolder, log_client
from mnemolog.schema.errors import InvalidInput, MnemologError
from mnemolog.schema.ids import check_space
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.bundles import bundles, bundling, unbundling
from mnemolog.workers.bundles.bundling import Exported
from mnemolog.workers.bundles.unbundling import Restored

_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_STANDARD_OUTPUT = Path("-")
_FOR_PEOPLE = {"markdown": markdown, "jsonl": json_lines}


@contextmanager
def _stream(context: Context) -> Iterator[Stream | None]:
    """The space's stream; an embedded server that is at rest is started, as it may hold what nobody archived yet."""
    url = context.running_redis()
    if url is not None:
        yield context.stream(url)
    elif RedisFolder(context.settings.data).path.exists():
        with context.redis() as started:
            yield context.stream(started)
    else:
        yield None


@click.command()
@click.argument("file", type=_NEW_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(("bundle", *_FOR_PEOPLE)),
    default="bundle",
    show_default=True,
    help="A bundle to move or keep, or for people Markdown or JSON lines.",
)
@click.option("--as-of", type=TIME, help="For markdown and jsonl: what was true at this time.")
@click.option("--snapshot", is_flag=True, help="Put a copy of the space's file in too: the bundle is imported faster.")
@click.option("--force", is_flag=True, help="Replace the file if it is there already.")
@json_option
@pass_context
def export(
    context: Context,
    file: Path,
    form: str,
    as_of: int | None,
    snapshot: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Put the whole memory into one file: its log up to now, its policy, and checksums. A writer may go on meanwhile.

    The file is a tar archive, readable by you only. It holds everything that was said, also what has been forgotten
    since: keep it as safe as the memory. What is erased later stays in it.

    With --format markdown or jsonl it is for people or their programs: facts by topic, plans and what was said, without
    what was forgotten. It cannot be imported again; FILE - is standard output.

    \b
    mnemolog export backup.tar
    mnemolog export memory.md --format markdown
    """
    if form != "bundle":
        _refuse(given=snapshot or as_json, reason=f"--snapshot and --json do not go with --format {form}")
        _for_people(context, file, form, as_of, force=force)
        return
    _refuse(given=as_of is not None or file == _STANDARD_OUTPUT, reason="a bundle is a whole file: no --as-of, no -")
    with _stream(context) as stream, progress_bar("exporting", archive.count(context.settings.archive)) as advance:
        found = bundling.export(
            context.settings, stream, file.absolute(), snapshot=snapshot, force=force, progress=advance
        )
    if as_json:
        print_json(_as_object(found))
        return
    manifest = found.manifest
    click.echo(f"{found.file}: {found.bytes:,} bytes, {manifest.entries:,} entries up to {manifest.last}")
    if found.left_out:
        click.echo(f"mnemolog: what was not archived yet is not in it: {found.left_out}", err=True)


def _refuse(*, given: bool, reason: str) -> None:
    if given:
        raise InvalidInput(reason)


def _for_people(context: Context, file: Path, form: str, as_of: int | None, *, force: bool) -> None:
    """Writes what people can read, piece by piece. Raises InvalidInput where the file is there already."""
    _refuse(
        given=file != _STANDARD_OUTPUT and file.exists() and not force, reason=f"{file} is there: --force replaces it"
    )
    at = now_ms() if as_of is None else as_of
    with context.reader() as connection, read_transaction(connection):
        pieces = _FOR_PEOPLE[form](connection, context.settings.space, at)
        if file == _STANDARD_OUTPUT:
            for piece in pieces:
                click.echo(piece, nl=False)
            return
        part = file.with_name(f"{file.name}.part")
        with part.open("w", encoding="utf-8") as stream:
            stream.writelines(pieces)
        part.replace(file)
    click.echo(f"{file}: {file.stat().st_size:,} bytes")


def _as_object(found: Exported) -> dict[str, Any]:
    manifest = msgspec.structs.asdict(found.manifest)
    state = found.manifest.state
    manifest["state"] = state and {**msgspec.structs.asdict(state), "policy": msgspec.json.decode(state.policy)}
    return {"file": found.file, "bytes": found.bytes, "left_out": found.left_out or None, "manifest": manifest}


@click.command(name="import-bundle")
@click.argument("file", type=FILE)
@click.option("--space", "name", metavar="NEW", help="Under another name: a fork, which goes its own way from here.")
@json_option
@pass_context
def import_bundle(context: Context, file: Path, name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Build a memory again from what `export` wrote, on this or another machine, without Redis and without a model.

    The space must not exist here or be empty. The bundle is checked first, and compared by its hashes at the end: a
    damaged one changes nothing. Then the end of its log is put into Redis, if there is one, so that what is published
    comes after it; without one, start the writer (`mnemolog up`) before anything is published.

    \b
    mnemolog import-bundle backup.tar
    mnemolog import-bundle backup.tar --space experiment
    """
    space = check_space(name) if name is not None else None
    total = bundles.manifest_of(file).entries
    with progress_bar("folding", total) as advance:
        found = unbundling.restore(context.settings, file, space, context.embedder(), advance)
    apart = _put_back(context, context.settings.of_space(found.space))
    if as_json:
        print_json({**msgspec.structs.asdict(found), "stream": apart})
    else:
        _show(found)
        if apart:
            click.echo(f"mnemolog: start `mnemolog up` before you publish to it: {apart}", err=True)


def _put_back(context: Context, settings: Settings) -> str | None:
    """Puts the last entry of the archive into Redis where the space has no stream; why not, where that failed.

    Without it the first producer would begin another log under the same name.
    """
    last = archive.last_entry(settings.archive)
    try:
        with context.redis() as url, closing(log_client(url)) as client:
            stream = Stream(client, settings.space)
            if last is not None and stream.bounds() is None:
                stream.restore(last)
    except MnemologError as error:
        return str(error)
    return None


def _show(found: Restored) -> None:
    fork = f", a fork of {found.fork_of}" if found.fork_of else ""
    click.echo(f"space {found.space}{fork}: {found.entries:,} entries, folded up to {found.position}")
    click.echo(f"hash         {found.hash}\ncontent_hash {found.content_hash}")
    if found.compared:
        click.echo("equal to the memory that the bundle was made from")
    else:
        click.echo("the bundle tells no hash of this version of the fold to compare with")


COMMANDS = (export, import_bundle)
