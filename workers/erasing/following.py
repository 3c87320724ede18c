"""Following: what was made from messages that are erased, and so goes with them or is made again from what is left.

An extraction goes when one of them was in its window or may have been shown before it, or when it repeats what they
said in words that its own messages do not have, or has a word that stands in no message that is left. Its facts go with
it, and come again from the messages that are left; those that quote an erased message do not. Where erased facts may
have been before an engine's eyes, its recorded reply goes, and what was understood of it stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from mnemolog.schema.cells import Cell
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    ExtractedCell,
    JobFailed,
    Outcome,
    SceneConsolidated,
)
from mnemolog.schema.requests import Statement
from mnemolog.workers.erasing.finding import Found
from mnemolog.workers.erasing.likeness import phrases, phrases_of, words
from mnemolog.workers.erasing.reach import Job, Reach, jobs_of
from mnemolog.workers.fold.cells import cell_id

_SAID = "SELECT node_id, content, speaker FROM nodes WHERE type = 'episodic'"

#: What is left of why a job failed: the reason may quote a reply.
REASON = "erased"


def texts_of(item: ExtractedCell) -> Iterable[str]:
    """What a cell says in words, but for what it quotes."""
    cell = item.cell
    texts = (cell.content, cell.subject, cell.scene, cell.slot, cell.object, cell.stated_by, cell.ends, cell.scope)
    yield from (text for text in texts if text)
    yield from (mention.name for mention in cell.entities)
    yield from (entity.name for entity in item.entities)


def _all_texts_of(outcome: CellsExtracted) -> Iterable[str]:
    for wish in outcome.forget:
        yield from (wish.words, wish.subject)
    for item in outcome.cells:
        yield from texts_of(item)


class Gone(msgspec.Struct, kw_only=True):
    """What goes with erased messages.

    `stubbed` are outcomes that go, `redacted` what is left of others; `facts` are the ids of all facts that go, `lost`
    of those that do not come again; `scenes` are those that told them, `since` is when the first was there. `words`
    stand in erased messages and in nothing that is left.
    """

    stubbed: set[Position] = msgspec.field(default_factory=set)
    redacted: dict[Position, Outcome] = msgspec.field(default_factory=dict)
    facts: dict[str, Cell] = msgspec.field(default_factory=dict)
    lost: set[str] = msgspec.field(default_factory=set)
    windows: set[str] = msgspec.field(default_factory=set)
    phrases: set[tuple[str, ...]] = msgspec.field(default_factory=set)
    words: set[str] = msgspec.field(default_factory=set)
    since: Position | None = None

    @property
    def scenes(self) -> set[str]:
        """The scenes that the facts belong to."""
        return {cell.scene for cell in self.facts.values()}

    def tells(self, *texts: str | None) -> bool:
        """Whether a word stands in some texts that can only be from erased messages."""
        return any(text and not self.words.isdisjoint(words(text)) for text in texts)


class Following:
    """Follows erased messages through the outcomes on the log; the file is that of the log before the erasure."""

    def __init__(self, connection: apsw.Connection, found: Found, asked_at: Position) -> None:
        self._connection = connection
        self._found = found
        self._asked_at = asked_at
        self._jobs = jobs_of(connection)
        self._reach = Reach(connection, found.nodes)
        self._first = found.first or asked_at
        self._values: set[tuple[str, str]] = set()
        self._subjects: set[str] = set()
        self.gone = Gone()

    def follow(self) -> Gone:
        """What goes with what was found."""
        outcomes = [(position, event.payload) for position, event in self._found.others]
        self.gone.words |= self._own_words(outcomes)
        extracted = [(at, one) for at, one in outcomes if isinstance(one, CellsExtracted) and at > self._first]
        self._take_statements()
        shown = {at for at, one in extracted if self._was_shown(at, one)}
        for _, one in extracted:
            self._note_lost(one.cells)
        self.gone.phrases |= phrases_of(self._found.texts)
        repeating = {at for at, one in extracted if at not in shown and self._is_repeating(one)}
        for at, one in extracted:
            if at in shown or at in repeating:
                self._take(at, one)
        for at, payload in outcomes:
            if isinstance(payload, Outcome) and at > self._first and at not in self.gone.stubbed:
                self._judge(at, payload)
        return self.gone

    # ---- facts -------------------------------------------------------------------------------------------------

    def _take_statements(self) -> None:
        for position, event in self._found.erased.items():
            if isinstance(event.payload, Statement):
                self._add(position, event.payload.cells)
                self._note_lost(event.payload.cells)
            elif isinstance(event.payload, CellsExtracted):
                self._add(position, event.payload.cells)

    def _was_shown(self, position: Position, outcome: CellsExtracted) -> bool:
        quoted = {evidence.event_id for item in outcome.cells for evidence in item.cell.evidence}
        asked = {wish.event_id for wish in outcome.forget}
        if position > self._asked_at or not self._found.events.isdisjoint(quoted | asked):
            return True
        job = self._jobs.get(outcome.job_key)
        return job is None or self._reach.was_read_in(job)

    def _note_lost(self, cells: Iterable[ExtractedCell]) -> None:
        for item in cells:
            cell = item.cell
            if any(evidence.event_id in self._found.events for evidence in cell.evidence):
                self.gone.lost.add(cell_id(cell))
                self.gone.phrases |= phrases(cell.content)
                self._subjects.add(cell.subject)
                if cell.object:
                    self._values.add((cell.slot or "", cell.object.casefold()))

    def _own_words(self, outcomes: Iterable[tuple[Position, Payload]]) -> set[str]:
        """The words of erased messages that no message has that is left, nor an engine had by itself."""
        own = set().union(*map(words, (*self._found.texts, *self._found.speakers)))
        rows: Iterable[Any] = self._connection.execute(_SAID)
        for node_id, content, speaker in rows:
            if node_id not in self._found.nodes:
                own -= words(content)
                own -= words(speaker or "")
        for at, one in outcomes:
            if isinstance(one, CellsExtracted) and at < self._first:
                own -= set().union(*(words(text) for text in _all_texts_of(one)))
        return own

    def _is_repeating(self, outcome: CellsExtracted) -> bool:
        return any(map(self._repeats, outcome.cells)) or self.gone.tells(*_all_texts_of(outcome))

    def _repeats(self, item: ExtractedCell) -> bool:
        """Whether a cell says what was lost, and its own messages do not."""
        cell = item.cell
        own = " ".join(evidence.quote for evidence in cell.evidence)
        known = (cell.slot or "", cell.object.casefold()) in self._values
        if known and cell.object.casefold() not in own.casefold():
            return True
        return bool((phrases(cell.content) & self.gone.phrases) - phrases(own))

    def _take(self, position: Position, outcome: CellsExtracted) -> None:
        self.gone.stubbed.add(position)
        self.gone.windows.add(outcome.job_key)
        self._add(position, outcome.cells)

    def _add(self, position: Position, cells: Iterable[ExtractedCell]) -> None:
        found: dict[str, Cell] = {cell_id(item.cell): item.cell for item in cells}
        self.gone.facts |= found
        if found and (self.gone.since is None or position < self.gone.since):
            self.gone.since = position

    # ---- outcomes ----------------------------------------------------------------------------------------------

    def _judge(self, position: Position, outcome: Outcome) -> None:
        """Says what becomes of an outcome that made none of the facts that go."""
        job = self._jobs.get(outcome.job_key)
        summary = outcome.summary if isinstance(outcome, SceneConsolidated) else ""
        if job is None or position > self._asked_at or self._is_about(job) or self.gone.tells(summary):
            self.gone.stubbed.add(position)
            return
        since = self.gone.since
        left = self._left_of(outcome, job) if since is not None and position > since else outcome
        left = self._without_words(left)
        if left != outcome:
            self.gone.redacted[position] = left

    def _without_words(self, outcome: Outcome) -> Outcome:
        """An outcome without a reply, or a reason, that has words of erased messages."""
        refused = getattr(outcome, "refused", ())
        if self.gone.tells(outcome.raw, *(why for _, why in refused)):
            left: dict[str, Any] = {"raw": "", **({"refused": ()} if refused else {})}
            outcome = msgspec.structs.replace(outcome, **left)
        if isinstance(outcome, JobFailed) and self.gone.tells(outcome.reason):
            return msgspec.structs.replace(outcome, reason=REASON)
        return outcome

    def _is_about(self, job: Job) -> bool:
        if job.kind == "extract":
            return self._reach.was_read_in(job)
        concerned = self.gone.scenes if job.kind == "consolidate" else self.gone.facts.keys()
        return not concerned.isdisjoint(job.inputs)

    def _left_of(self, outcome: Outcome, job: Job) -> Outcome:
        if isinstance(outcome, SceneConsolidated) or not self._may_have_seen(job):
            return outcome
        if isinstance(outcome, ConflictsJudged):
            gone = self.gone.facts.keys()
            verdicts = tuple(one for one in outcome.verdicts if gone.isdisjoint((one.first, one.second)))
            return msgspec.structs.replace(outcome, raw="", refused=(), verdicts=verdicts)
        if isinstance(outcome, CellsExtracted):
            return msgspec.structs.replace(outcome, raw="", refused=())
        if isinstance(outcome, JobFailed):
            return msgspec.structs.replace(outcome, raw="", reason=REASON)
        return outcome

    def _may_have_seen(self, job: Job) -> bool:
        """Whether a fact that is lost may have been among those that an engine was shown."""
        if job.kind == "extract":
            return not self._subjects.isdisjoint(self._reach.speakers_in(job))
        # Conflicts of several jobs are judged by one question, whose reply is recorded with the first of them.
        return job.kind == "resolve"
