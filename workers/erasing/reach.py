"""Reach: which extractions were made with a message before the engine's eyes, though it was not in their window.

A dispatcher shows an engine what was said before a window (see `packing`). What exactly is not on the log, so here is
whatever may have been shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import msgspec

from mnemolog.schema.ids import Position
from mnemolog.workers.jobs.packing import EARLIER_MESSAGES, ELSEWHERE_MESSAGES

_JOBS = "SELECT job_key, kind, inputs, min(position_ms), min(position_seq) FROM jobs GROUP BY job_key"
_FIRST = """
    SELECT session, occurred_at, seq, event_id FROM nodes WHERE node_id IN (SELECT value FROM json_each(?))
    ORDER BY occurred_at, seq, event_id LIMIT 1
"""
_SPEAKERS = """
    SELECT speaker FROM nodes WHERE node_id IN (SELECT value FROM json_each(?)) AND role = 'user'
    ORDER BY occurred_at, seq, event_id
"""
_EARLIER = """
    SELECT node_id, hidden, position_ms, position_seq FROM nodes
    WHERE type = 'episodic' AND session = ? AND extractable AND (occurred_at, seq, event_id) < (?, ?, ?)
    ORDER BY occurred_at DESC, seq DESC, event_id DESC
"""
_ELSEWHERE = """
    SELECT node_id, hidden, position_ms, position_seq FROM nodes INDEXED BY nodes_in_time
    WHERE type = 'episodic' AND role = 'user' AND speaker IS ?1 AND extractable AND occurred_at <= ?2
        AND (occurred_at, seq, event_id) < (?2, ?3, ?4)
    ORDER BY occurred_at DESC, seq DESC, event_id DESC
"""


class Job(msgspec.Struct, frozen=True):
    """A job by its key: what it was made of, and when."""

    kind: str
    inputs: tuple[str, ...]
    made: Position


def jobs_of(connection: apsw.Connection) -> dict[str, Job]:
    """All jobs of a file by their keys."""
    rows: Iterable[Any] = connection.execute(_JOBS)
    return {
        key: Job(kind, msgspec.json.decode(inputs, type=tuple[str, ...]), Position(ms, seq))
        for key, kind, inputs, ms, seq in rows
    }


class Reach:
    """Answers for the nodes of one file which windows some messages (node ids) were shown with."""

    def __init__(self, connection: apsw.Connection, erased: set[str]) -> None:
        self._connection = connection
        self._erased = erased

    def was_read_in(self, job: Job) -> bool:
        """Whether one of the messages was in the window, or may have been shown before it."""
        if not self._erased.isdisjoint(job.inputs):
            return True
        inputs = _json(job.inputs)
        first = self._connection.execute(_FIRST, (inputs,)).get
        if first is None:
            return False
        seen, shown = self._within(_EARLIER, first, EARLIER_MESSAGES, job.made)
        if seen or shown:
            return seen
        speakers = self._connection.execute(_SPEAKERS, (inputs,)).fetchall()
        if not speakers:
            return False
        return self._within(_ELSEWHERE, (speakers[0][0], *first[1:]), ELSEWHERE_MESSAGES, job.made)[0]

    def speakers_in(self, job: Job) -> set[str]:
        """Who speaks in a window, as subjects of facts are called."""
        return {speaker or "user" for (speaker,) in self._connection.execute(_SPEAKERS, (_json(job.inputs),))}

    def _within(self, sql: str, values: tuple[Any, ...], most: int, made: Position) -> tuple[bool, int]:
        """Whether an erased message is among the last ones that a job may have been shown, and how many those were.

        One that is hidden now may have been shown or not, so that it does not count.
        """
        shown = 0
        for node_id, hidden, ms, seq in self._connection.execute(sql, values):
            if node_id in self._erased:
                return True, shown
            shown += not hidden and (ms, seq) <= made
            if shown == most:
                break
        return False, shown


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode("utf-8")


def subjects_of(connection: apsw.Connection, node_ids: Iterable[str]) -> set[str]:
    """The subjects of some facts."""
    sql = "SELECT DISTINCT subject FROM cells WHERE node_id IN (SELECT value FROM json_each(?))"
    return {subject for (subject,) in connection.execute(sql, (_json(node_ids),))}


def by_job(jobs: Mapping[str, Job], key: str, kind: str) -> Job | None:
    """The job of a key, if it is of this kind."""
    job = jobs.get(key)
    return job if job is not None and job.kind == kind else None
