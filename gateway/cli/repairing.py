"""Commands that build again what is derived: replay, reindex."""

from __future__ import annotations

import sys

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json, progress_bar, progress_to
from mnemolog.projections.indexes import fulltext, vectors
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.workers.rebuilding import replay as replaying
from mnemolog.workers.rebuilding.replay import BATCH, Replayed
from mnemolog.workers.writer.space_writer import SpaceWriter

NOT_EQUAL = 9


@click.command()
@click.option("--verify", is_flag=True, help="Compare the hashes and change nothing; a writer may go on meanwhile.")
@click.option(
    "--batch", type=click.IntRange(1, 100_000), default=BATCH, show_default=True, help="Entries in a transaction."
)
@click.option("--full", is_flag=True, help="Fold the whole log, snapshots or not; --verify always does.")
@json_option
@pass_context
def replay(context: Context, verify: bool, batch: int, full: bool, as_json: bool) -> None:  # noqa: FBT001
    """Build the space's file again from its log, without asking a model, and swap it in.

    It goes on from the newest sound snapshot, if there is one; --verify folds the log from its beginning. Ends with
    status 9 when the hash of the rebuilt file is not that of the one there was.

    \b
    mnemolog replay --verify
    """
    if verify:
        with progress_bar("replaying", replaying.total_entries(context.settings)) as advance:
            found = replaying.verify(context.settings, context.embedder(), batch=batch, progress=advance)
    else:
        with context.redis() as url:
            stream = context.stream(url)
            with progress_bar("replaying", replaying.total_entries(context.settings, stream)) as advance:
                found = replaying.replay(
                    context.settings, stream, context.embedder(), batch=batch, full=full, progress=advance
                )
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.equal is False:
        sys.exit(NOT_EQUAL)


def _show(found: Replayed) -> None:
    click.echo(
        f"{found.events} events in {found.seconds:g} s ({found.events_per_s:,} a second), "
        f"{found.model_calls} model calls, up to {found.position}"
    )
    if found.equal is None:
        click.echo("there was no readable file to compare with")
        return
    click.echo(f"hash of the live file    {found.hash_live}\nhash of the rebuilt file {found.hash_rebuilt}")
    click.echo("equal" if found.equal else "NOT EQUAL: the live file was not what its log says")


@click.command()
@click.argument("index", type=click.Choice(["fulltext", "vectors"]))
@pass_context
def reindex(context: Context, index: str) -> None:
    """Build one index again beside the old one and swap it in; who searches meanwhile finds the old one.

    \b
    mnemolog reindex vectors
    """
    embedder = context.embedder()
    if not context.settings.file.exists():
        raise SpaceNotFound(f"there is no file at {context.settings.file}: build it with `mnemolog replay`")
    with context.redis() as url:
        writer = SpaceWriter(context.settings, context.stream(url), embedder)
        writer.take()
        try:
            with progress_to(f"indexing {index}") as progress:
                if index == "fulltext":
                    fulltext.rebuild(writer.connection, writer.transaction, progress)
                else:
                    vectors.rebuild(writer.connection, embedder, writer.transaction, progress)
        finally:
            writer.close()
    click.echo(f"{index} rebuilt")


COMMANDS = (replay, reindex)
