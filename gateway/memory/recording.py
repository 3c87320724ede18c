"""Recalls through a door leave a trace: what is used does not fade, and what was answered can be shown again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import apsw
import msgspec

from mnemolog.gateway.memory.axes import now_ms
from mnemolog.gateway.memory.place import Place
from mnemolog.producers.answers import answered
from mnemolog.producers.recalls import FIRST_RESULTS, RecallRecorder
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.context import Context as Recalled
from mnemolog.projections.integrity import position_of
from mnemolog.projections.lines.rendering import FORMAT
from mnemolog.projections.recall import Result
from mnemolog.projections.recalls import answer_lines, results_text, salt_of
from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import AnswerLine, Kind, OptionValue
from mnemolog.schema.settings import RecallLog

log = logging.getLogger("mnemolog.recalls")

#: A time asked about that is this near to the clock is now.
NOW_MS = 60_000

Options = Mapping[str, OptionValue | None]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: the text, the time asked about (UTC milliseconds), and with which options.

    `message` is the event id of the message that the text was, if it was one. `is_use` is False where an answer is no
    use of what it tells, as where the past is asked about.
    """

    query: str
    about: int
    options: Options = msgspec.field(default_factory=dict)
    message: str | None = None
    is_use: bool = True


class Given(msgspec.Struct, frozen=True):
    """What was answered: its lines, its exact text, and how far the file was folded that they are from."""

    kind: Kind
    lines: tuple[AnswerLine, ...]
    text: str
    position: Position


class Recording:
    """Notes what doors answered; does nothing without a recorder. Never waits for Redis, and fails no answer."""

    def __init__(self, recorder: RecallRecorder | None, keep: RecallLog) -> None:
        self._recorder = recorder
        self._keep = keep

    def recall(self, connection: apsw.Connection, asked: Asked, results: Sequence[Result]) -> None:
        """Notes the results of a recall. The facts among the first of them are used, unless they only stand in."""
        if self._recorder is None:
            return
        lines = tuple(AnswerLine(_kind(found), found.node_id) for found in results)
        with _never_failing(), read_transaction(connection):
            # What a node says does not change: the file may have grown since it was found.
            given = Given("recall", lines, results_text(connection, lines), position_of(connection))
            self._note(self._recorder, connection, asked, counted(results), given)

    def context(self, connection: apsw.Connection, asked: Asked, found: Recalled) -> None:
        """Notes a context. The facts in it are used."""
        if self._recorder is None:
            return
        told_in = msgspec.structs.replace(asked, options={**asked.options, "format": FORMAT})
        with _never_failing(), read_transaction(connection):
            given = Given("context", answer_lines(connection, found.lines), found.text, Position.parse(found.position))
            self._note(self._recorder, connection, told_in, found.facts, given)

    def _note(
        self, recorder: RecallRecorder, connection: apsw.Connection, asked: Asked, told: Sequence[str], given: Given
    ) -> None:
        at, salt = now_ms(), salt_of(connection)
        if not salt:
            # The file is that of a time before the space's first event: nobody was answered from it.
            return
        # Another time than now was asked about: that is no use of what was told.
        reinforces = asked.is_use and abs(asked.about - at) < NOW_MS
        answer = answered(
            kind=given.kind,
            query=asked.query,
            text=given.text,
            lines=given.lines,
            position=given.position,
            at=at,
            about=asked.about,
            options=asked.options,
            reinforces=reinforces,
            salt=salt,
            keep=self._keep,
            message=asked.message,
        )
        recorder.record(told if reinforces else (), at, None if self._keep == "off" else answer)


@contextmanager
def _never_failing() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        log.debug("a recall left no trace: %s", error)


def recording(place: Place, *, wanted: bool) -> Recording:
    """What notes the recalls of a door; nothing is noted where that is not wanted.

    No Redis is started for it: where none runs, there is no trace.
    """
    return Recording(place.recorder() if wanted else None, place.settings.recall_log)


def counted(results: Sequence[Result]) -> list[str]:
    """The facts among the first results of a recall; what only stands in for an empty answer does not count."""
    return [found.node_id for found in results[:FIRST_RESULTS] if found.type != "episodic" and not found.fallback]


def _kind(found: Result) -> str:
    if found.fallback:
        return "fallback"
    return "message" if found.type == "episodic" else "fact"
