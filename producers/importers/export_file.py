"""A file of another program as something to import: checked as a whole, then read again for its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mnemolog.producers.importer import Findings, ImportEvent
from mnemolog.producers.importers.parts import Bad, Draft, Progress, Reader, Skipped
from mnemolog.producers.messages import Message, check_id, payload_of
from mnemolog.schema.codec import check_payload, digest
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import EventId


class ExportFile:
    """A file to import. `findings` are its good events and problems, `skipped` counts what is passed over by reason.

    An id that is known for something else is left alone: the same message may be told with another name or title later.
    """

    keeps_first = True

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.what = reader.what
        self.findings = Findings(self.what)
        self.skipped: Counter[str] = Counter()
        self._reader = reader
        self._refused: set[int] = set()

    def check(self, progress: Progress = lambda _: None) -> None:
        """Reads the file once. `progress` is told bytes. Raises OSError when the file cannot be read."""
        drafts = 0
        for part in self._reader.read(progress):
            match part:
                case Skipped(reason):
                    self.skipped[reason] += 1
                case Bad(number, reason):
                    self.findings.problems.append((number, reason))
                case Draft():
                    self._check(part, drafts)
                    drafts += 1

    def _check(self, draft: Draft, index: int) -> None:
        try:
            self.findings.add(event_of(draft))
        except InvalidInput as error:
            self._refused.add(index)
            self.findings.problems.append((draft.number, f"{draft.place}: {error}" if draft.place else str(error)))

    def events(self) -> Iterator[ImportEvent]:
        """The good events in order, read again; what `check` refused is left out."""
        drafts = (part for part in self._reader.read(lambda _: None) if isinstance(part, Draft))
        return (event_of(draft) for index, draft in enumerate(drafts) if index not in self._refused)


def event_of(draft: Draft) -> ImportEvent:
    """The event of a draft. Raises InvalidInput, InvalidTime or InvalidContent with the reason."""
    payload = payload_of(draft.said) if isinstance(draft.said, Message) else draft.said
    check_payload(payload)
    return ImportEvent(draft.number, EventId(check_id("id", draft.event_id)), payload, digest(payload))
