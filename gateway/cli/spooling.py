"""The spool on the command line: its options for who publishes, and the commands that show it and drain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_json
from mnemolog.producers import Producer
from mnemolog.producers.draining import SPOOLED
from mnemolog.producers.spool import DEFAULT_SPOOL_BYTES, Spool
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import InvalidInput

spool_option = click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="MNEMOLOG_SPOOL",
    help="Folder of yours that keeps what Redis does not take. [env MNEMOLOG_SPOOL]",
)
_bytes_option = click.option(
    "--spool-bytes",
    type=click.IntRange(min=1),
    default=DEFAULT_SPOOL_BYTES,
    envvar="MNEMOLOG_SPOOL_BYTES",
    help=f"How much of it for each space. [env MNEMOLOG_SPOOL_BYTES; default {DEFAULT_SPOOL_BYTES}]",
)


def spool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --spool and --spool-bytes to a command."""
    return spool_option(_bytes_option(command))


@contextmanager
def producer_with(context: Context, url: str, spool: Path | None, spool_bytes: int) -> Iterator[Producer]:
    """A producer that has sent what waited in the spool, if there is one and if Redis takes it."""
    with Producer(context.settings.space, redis_url=url, spool=spool, spool_bytes=spool_bytes) as producer:
        with suppress(*SPOOLED):
            producer.drain()
        yield producer


def _given(spool: Path | None) -> Path:
    if spool is None:
        raise InvalidInput("no spool is named: give one with --spool DIR or MNEMOLOG_SPOOL")
    return spool


@click.group()
def spool() -> None:
    """Events that wait on this machine's disk, because Redis does not take them.

    They are published in order when it does: by the program that published them, by the next one with the same
    --spool, or by `spool drain`.

    \b
    mnemolog spool status --spool ~/.mnemolog-spool
    """


@spool.command()
@spool_options
@json_option
@pass_context
def status(context: Context, spool: Path | None, spool_bytes: int, as_json: bool) -> None:  # noqa: FBT001
    """Show how much waits in the space's spool.

    \b
    mnemolog spool status --spool ~/.mnemolog-spool
    """
    found = Spool(_given(spool), context.settings.space, spool_bytes)
    waiting = found.waiting()
    if as_json:
        print_json(waiting)
    elif waiting.events:
        click.echo(f"{waiting.events:,} events wait in {found.path}: {waiting.bytes:,} of {waiting.most_bytes:,} bytes")
    else:
        click.echo(f"nothing waits in {found.path}")


@spool.command()
@spool_options
@pass_context
def drain(context: Context, spool: Path | None, spool_bytes: int) -> None:
    """Publish what waits in the space's spool, now.

    \b
    mnemolog spool drain --spool ~/.mnemolog-spool
    """
    with (
        context.redis() as url,
        Producer(context.settings.space, redis_url=url, spool=_given(spool), spool_bytes=spool_bytes) as producer,
    ):
        click.echo(f"{producer.drain():,} events were published")


@spool.command()
@click.option("--event", "events", multiple=True, help="The id of an event; may be given again.")
@click.option("--session", "sessions", multiple=True, help="A conversation; may be given again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@spool_options
@pass_context
def discard(
    context: Context,
    /,
    events: tuple[str, ...],
    sessions: tuple[str, ...],
    yes: bool,  # noqa: FBT001
    spool: Path | None,
    spool_bytes: int,
) -> None:
    """Take events away that wait, without publishing them.

    \b
    mnemolog spool discard --session monday --spool ~/.mnemolog-spool
    """
    if not events and not sessions:
        raise InvalidInput("nothing was named: give --event or --session")
    found = Spool(_given(spool), context.settings.space, spool_bytes)
    if not yes:
        click.confirm("They are published never. Go on?", abort=True, err=True)

    def unwanted(body: bytes) -> bool:
        event = decode(body)
        return event.id in events or getattr(event.payload, "session", None) in sessions

    click.echo(f"{found.discard(unwanted):,} events were taken away")


COMMANDS = (spool,)
