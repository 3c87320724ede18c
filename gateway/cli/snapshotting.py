"""The command that keeps a copy of a space's file to go on from: snapshot."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.workers.rebuilding import snapshots


@click.command()
@json_option
@pass_context
def snapshot(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Copy the space's file as it stands; a writer may go on meanwhile.

    `replay` and questions with --known-at go on from there instead of folding the whole log. A running writer makes a
    snapshot by itself after every MNEMOLOG_SNAPSHOT_EVENTS events (100,000). The newest two are kept, and a damaged
    one is passed over.

    \b
    mnemolog snapshot
    """
    made = snapshots.take(context.settings)
    if made is None:
        raise SpaceNotFound(f"nothing that this version folded is in {context.settings.file} yet")
    if as_json:
        print_json(made)
    else:
        click.echo(f"{snapshots.folder_of(context.settings) / made.file}: {made.events:,} events up to {made.position}")


COMMANDS = (snapshot,)
