"""Commands that look at a space: status, verify."""

from __future__ import annotations

import sys

import click
import msgspec

from mnemolog.gateway.cli.context import Context, console, json_option, pass_context, print_answer, print_json
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.standing import lines_of
from mnemolog.gateway.memory import standing
from mnemolog.projections.integrity import verify as verify_file

VERIFY_FAILED = 9


@click.command()
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Show how far the space is, what it holds, who writes it, and what an acknowledged event survives.

    --json says more: jobs by kind, edges, positions, what the stream may keep.

    \b
    mnemolog status --json
    """
    with place_of(context) as place:
        found = standing.status(place)
    if as_json:
        print_answer(found)
        return
    for line in lines_of(found):
        click.echo(line)


@click.command()
@json_option
@pass_context
def verify(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """Check the space's file: SQLite, every table against its checksum, edges, full text and vectors against nodes.

    Prints `hash` (equal for every replay of this log) and `content_hash` (equal for every log of the same story). Ends
    with status 9 when something is wrong; `mnemolog replay` builds the file again.

    \b
    mnemolog verify
    """
    with context.reader() as connection, console.status("checking") as shown:
        found = verify_file(connection, lambda what: shown.update(f"checking {what}"))
    if as_json:
        print_json({**msgspec.structs.asdict(found.hashes), "ok": not found.problems, "problems": found.problems})
    else:
        click.echo(f"hash         {found.hashes.hash}\ncontent_hash {found.hashes.content_hash}")
        click.echo(f"position     {found.hashes.position}")
    if found.problems:
        for problem in found.problems:
            click.echo(f"mnemolog: {problem}", err=True)
        click.echo("mnemolog: the file is not what the log says: build it again with `mnemolog replay`", err=True)
        sys.exit(VERIFY_FAILED)


COMMANDS = (status, verify)
