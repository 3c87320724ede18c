"""What was erased and is published again: refused, or lifted on the log where somebody means it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click

from mnemolog.gateway.cli.context import Context
from mnemolog.producers import Producer
from mnemolog.projections.connection import open_reader
from mnemolog.projections.tombstones import Tombstones
from mnemolog.schema.errors import SpaceNotFound

force_option = click.option("--force", is_flag=True, help="Publish what was erased before, too.")

WasErased = Callable[[str], bool]


@contextmanager
def lifted(context: Context, producer: Producer, event_ids: Iterable[str], *, force: bool) -> Iterator[WasErased]:
    """Whether an event of an id was erased, as far as the file on this machine tells; none any more with `force`."""
    try:
        connection = open_reader(context.settings.file)
    except SpaceNotFound:
        yield lambda _: False
        return
    try:
        tombstones = Tombstones(connection)
        if force:
            for payload in tombstones.lifting(event_ids):
                producer.send(producer.event(payload))
        yield (lambda _: False) if force else tombstones.has
    finally:
        connection.close()
