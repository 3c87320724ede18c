"""The file that answers: the live one, or one that holds what was known at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import apsw

from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.place import Place
from mnemolog.projections.connection import read_transaction
from mnemolog.schema import archive
from mnemolog.schema.ids import START
from mnemolog.workers.rebuilding import known


@contextmanager
def reading(place: Place, axes: Axes) -> Iterator[apsw.Connection]:
    """A connection that reads the file that answers.

    Gives notice where nothing was known yet: then the file is empty. Raises SpaceNotFound, DamagedFile, and what
    `known.opened` raises.
    """
    if axes.known_at is None:
        with place.reader() as connection:
            yield connection
        return
    with ExitStack() as stack:
        # A bar has gone before anything is printed, and others may fold meanwhile what they ask about.
        with place.folding, place.progress(archive.count(place.settings.archive)) as advance:
            found = stack.enter_context(
                known.opened(place.settings, place.embedder(), axes.known_at, stream=place.stream(), progress=advance)
            )
        if found.position == START:
            place.notice("knew nothing yet")
        yield found.connection


@contextmanager
def transaction(place: Place, axes: Axes) -> Iterator[apsw.Connection]:
    """The same, in one state of the file."""
    with reading(place, axes) as connection, read_transaction(connection):
        yield connection
