"""Memory: one space with all that a door can ask of it or tell it."""

from __future__ import annotations

import time
from typing import Self

from mnemolog.gateway.memory.asking import Asking
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.telling import Telling
from mnemolog.projections.integrity import position_of
from mnemolog.projections.progress import POLL_S, writer_position
from mnemolog.schema.errors import LogUnavailable, SpaceNotFound
from mnemolog.schema.ids import START, Position


class Memory(Asking, Telling):
    """One space, for any number of threads at once. Everything blocks: an async door calls it from a thread.

    Answers are frozen structs that encode to the JSON which the command of the same name prints with --json. Times
    that are asked about are UTC milliseconds or ISO 8601 with an offset; those in answers are ISO 8601 in UTC. Every
    method raises the errors of `mnemolog.schema.errors`: InvalidInput for what cannot be, SpaceNotFound where nothing
    has been folded yet, LogUnavailable and its like for what Redis does.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def space(self) -> str:
        """The name of the space."""
        return self.place.settings.space

    def position(self) -> str:
        """How far the log is folded into the file; 0-0 where there is no file yet."""
        return str(self._position())

    def wait(self, position: str, timeout_s: float) -> bool:
        """Whether the file holds a position of the log: at once, or within so many seconds where a writer runs."""
        wanted = Position.parse(position)
        until = time.monotonic() + timeout_s
        while self._position() < wanted:
            if time.monotonic() >= until or not self._is_written():
                return False
            time.sleep(POLL_S)
        return True

    def _position(self) -> Position:
        try:
            with self.place.reader() as connection:
                return position_of(connection)
        except SpaceNotFound:
            return START

    def _is_written(self) -> bool:
        """Whether a writer runs, as far as Redis tells."""
        try:
            stream = self.place.stream()
            return stream is not None and writer_position(stream) is not None
        except LogUnavailable:
            return True

    def close(self) -> None:
        """Closes what is open; sends what waits, for a second at most. It opens again when it is used."""
        self.place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
