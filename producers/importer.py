"""Imports events from a file: all are checked first, then published with their own ids and times.

Here are the files of JSON lines, and the publishing of any file; what else can be read stands in `importers`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mnemolog.producers.client import Producer
from mnemolog.producers.messages import Message, Outgoing, check_id, closing, payload_of
from mnemolog.schema.codec import check_nesting, digest, given_bytes
from mnemolog.schema.errors import InvalidFile, InvalidInput
from mnemolog.schema.events import MAX_EVENT_BYTES, MAX_NESTING, MessagePublished, Payload, Role
from mnemolog.schema.ids import EventId, Position, imported_id

#: How many entries an import may be ahead of a running writer, so that live chat is not kept waiting behind it.
AHEAD = 2_000
CHUNK = 200


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a file to import. `at` is ISO 8601 with an offset, or UTC milliseconds."""

    session: str
    role: Role
    content: str
    id: str | None = None
    speaker: str | None = None
    at: int | str | None = None
    seq: int | None = None
    metadata: dict[str, Any] = {}


class SessionEnd(msgspec.Struct):
    """A session of the file: its newest time, and the sum of its event ids' hashes, which no order changes."""

    newest_at: int
    ids_sum: int = 0


class ImportEvent(msgspec.Struct, frozen=True):
    """A good line (or message): its number, event id and payload, and the digest that tells whether it is known."""

    line: int
    event_id: EventId
    payload: Payload
    digest: bytes


class Imported(msgspec.Struct, frozen=True):
    """What an import did, in events; `position` is that of the last one that reached the stream, `spooled` wait.

    `changed` of those that are there already say something else there, and were left as they are. What was `erased` was
    not published again.
    """

    lines: int
    published: int
    already_there: int
    skipped_bad: int
    sessions: int
    position: Position | None
    spooled: int = 0
    changed: int = 0
    erased: int = 0


_decoder = msgspec.json.Decoder(Line)


def parse_line(text: bytes, number: int, default_at: int | None) -> ImportEvent:
    """The event of a line. Raises InvalidInput, InvalidTime or InvalidContent with the reason.

    A line without an id gets a hash of what it says, so that it is the same event in every import.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise InvalidInput(f"the line has {len(text):,} bytes; the most is {MAX_EVENT_BYTES:,}")
    line = _decode_line(text)
    if line.at is None and default_at is None:
        raise InvalidInput("it has no `at`: add the time, or give one for all such lines with --at")
    message = Message(
        role=line.role,
        content=line.content,
        session=line.session,
        speaker=line.speaker,
        occurred_at=default_at if line.at is None else line.at,
        seq=line.seq,
        line=number,
        metadata=line.metadata,
        source_type="import",
    )
    payload = payload_of(message)
    event_id = EventId(check_id("id", line.id)) if line.id is not None else imported_id(given_bytes(payload))
    return ImportEvent(number, event_id, payload, digest(payload))


def _decode_line(text: bytes) -> Line:
    check_nesting(text, MAX_NESTING + 1)
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = f"; a line may have {', '.join(Line.__struct_fields__)}" if "unknown field" in str(error) else ""
        raise InvalidInput(f"{error}{hint}") from None


class Source(Protocol):
    """A file that was checked: `what` its parts are called, and what was found.

    With `keeps_first` an id that is known for something else is left alone; else the writer parks what is published.
    """

    path: Path
    what: str
    keeps_first: bool
    findings: Findings

    def events(self) -> Iterator[ImportEvent]:
        """The good events, in order."""
        ...


class Findings:
    """What a file holds: how many good events, which sessions, and the problems by the number of their place."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: dict[EventId, tuple[int, bytes]] = {}
        self.problems: list[tuple[int, str]] = []
        self.good = 0
        self.sessions: dict[str, SessionEnd] = {}

    def add(self, event: ImportEvent) -> None:
        """Counts an event. Raises InvalidInput where its id stands for something else earlier in the file."""
        known = self._seen.get(event.event_id)
        if known is not None and known[1] != event.digest:
            raise InvalidInput(f"its id {event.event_id!r} stands for something else on {self._what} {known[0]}")
        self.good += 1
        if known is None:
            self._seen[event.event_id] = (event.line, event.digest)
            if isinstance(event.payload, MessagePublished):
                self._add_to_session(event.event_id, event.payload)

    def _add_to_session(self, event_id: EventId, payload: MessagePublished) -> None:
        end = self.sessions.setdefault(payload.session, SessionEnd(payload.occurred_at or 0))
        end.newest_at = max(end.newest_at, payload.occurred_at or 0)
        end.ids_sum += int.from_bytes(hashlib.blake2b(event_id.encode("utf-8"), digest_size=16).digest(), "big")


class ImportFile:
    """A file of JSON lines to import. Reading it may be repeated; lines of white space are passed over."""

    what = "line"
    keeps_first = False

    def __init__(self, path: Path, default_at: int | None = None) -> None:
        self.path = path
        self._default_at = default_at
        self.findings = Findings(self.what)

    def check(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Reads every line once: fills `findings`. `progress` is told the bytes of each line.

        Raises OSError when the file cannot be read.
        """
        for number, text in self._lines():
            progress(len(text))
            try:
                self.findings.add(parse_line(text, number, self._default_at))
            except InvalidInput as error:
                self.findings.problems.append((number, str(error)))

    @property
    def problems(self) -> list[tuple[int, str]]:
        """The bad lines: number and reason."""
        return self.findings.problems

    @property
    def good(self) -> int:
        """How many lines are good."""
        return self.findings.good

    @property
    def sessions(self) -> dict[str, SessionEnd]:
        """The sessions of the good lines."""
        return self.findings.sessions

    def events(self) -> Iterator[ImportEvent]:
        """The good lines in order, read again; what `check` refused is left out."""
        bad = {number for number, _ in self.problems}
        for number, text in self._lines():
            if number not in bad:
                yield parse_line(text, number, self._default_at)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.strip()
                if number == 1:
                    text = text.removeprefix(b"\xef\xbb\xbf")
                if text:
                    yield number, text


def closing_id(session: str, end: SessionEnd) -> EventId:
    """The id of the event that closes an imported session: the same for the same messages in any order."""
    name = f"{session}\x1f{end.newest_at}\x1f{end.ids_sum:x}"
    return EventId("closed-" + hashlib.blake2b(name.encode("utf-8"), digest_size=16).hexdigest())


class Importer:
    """Publishes a checked file, never far ahead of a running writer.

    `known` says which digest an event id is folded with, if it is; `writer_position` how far a running writer is, None
    when none runs; `pause` waits a moment for it. What `was_erased`, by its event id, is not published.
    """

    def __init__(
        self,
        producer: Producer,
        known: Callable[[str], bytes | None],
        writer_position: Callable[[], Position | None],
        pause: Callable[[], None],
        was_erased: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._producer = producer
        self._known = known
        self._writer_position = writer_position
        self._pause = pause
        self._was_erased = was_erased
        self._erased = 0
        self._ahead: deque[Position] = deque()
        self._spooled = 0
        self._changed = 0

    def run(
        self, file: Source, *, skip_bad: bool = False, progress: Callable[[int], None] = lambda _: None
    ) -> Imported:
        """Publishes the file's good events, then closes its sessions. `progress` is told the events of each chunk.

        Nothing is published when a part is bad and `skip_bad` is not set (InvalidFile). Raises the errors of the log;
        then the import can be repeated, and goes on where it was.
        """
        found = file.findings
        if found.problems and not skip_bad:
            raise InvalidFile(str(file.path), found.problems, file.what)
        published = already = 0
        position = None
        events = file.events()
        while chunk := list(islice(events, CHUNK)):
            fresh = [self._outgoing(event) for event in chunk if self._is_new(event, file)]
            position = self._send(fresh) or position
            published += len(fresh)
            already += len(chunk) - len(fresh)
            progress(len(chunk))
        position = self._close_sessions(found.sessions) or position
        return Imported(
            *(found.good, published, already - self._erased, len(found.problems), len(found.sessions), position),
            spooled=self._spooled,
            changed=self._changed,
            erased=self._erased,
        )

    def _is_new(self, event: ImportEvent, file: Source) -> bool:
        if self._was_erased(event.event_id):
            self._erased += 1
            return False
        known = self._known(event.event_id)
        if known is None or known == event.digest:
            return known is None
        self._changed += file.keeps_first
        return not file.keeps_first

    def _is_unknown(self, event_id: str) -> bool:
        return self._known(event_id) is None and not self._was_erased(event_id)

    def _outgoing(self, event: ImportEvent) -> Outgoing:
        return self._producer.event(event.payload, event.event_id)

    def _close_sessions(self, sessions: Mapping[str, SessionEnd]) -> Position | None:
        closings = (
            (closing_id(session, end), closing(session, end.newest_at)) for session, end in sorted(sessions.items())
        )
        fresh = [self._producer.event(payload, id_) for id_, payload in closings if self._is_unknown(id_)]
        position = None
        source = iter(fresh)
        while chunk := list(islice(source, CHUNK)):
            position = self._send(chunk)
        return position

    def _send(self, events: list[Outgoing]) -> Position | None:
        if not events:
            return None
        self._wait_for_writer()
        done = self._producer.send_many(events)
        self._ahead.extend(published.position for published in done if published.position is not None)
        self._spooled += sum(published.spooled for published in done)
        return done[-1].position

    def _wait_for_writer(self) -> None:
        while len(self._ahead) > AHEAD - CHUNK:
            reached = self._writer_position()
            if reached is None:
                return
            while self._ahead and self._ahead[0] <= reached:
                self._ahead.popleft()
            if len(self._ahead) > AHEAD - CHUNK:
                self._pause()
