"""The place of the space that a command is about, with a terminal to tell what it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from mnemolog.gateway.cli.context import Context, progress_bar
from mnemolog.gateway.memory.place import Place


@contextmanager
def place_of(context: Context) -> Iterator[Place]:
    """The place for the block; an embedded Redis is started when something is put on the log and none runs.

    What recalls are waiting is sent at the end, within a second, where a Redis runs.
    """
    with ExitStack() as redis:
        place = Place(
            context.settings,
            context.embedder,
            notice=lambda text: click.echo(text, err=True),
            progress=lambda total: progress_bar("folding what was known", total),
            start=lambda: redis.enter_context(context.redis()),
        )
        try:
            yield place
        finally:
            # The answer is not to wait for Redis.
            sys.stdout.flush()
            place.close()
