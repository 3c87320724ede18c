"""Plain chat logs: WhatsApp, IRC, Slack and the like, and transcripts in Markdown.

A log of years is many conversations: one ends where nobody wrote for eight hours.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import cast

import msgspec

from mnemolog.producers.importers.chat_lines import (
    ROLE_WORDS,
    Line,
    cleaned,
    day_line,
    is_oneself,
    marked_line,
    role_of,
    timed_line,
)
from mnemolog.producers.importers.date_order import DateOrder, Orders, date_of
from mnemolog.producers.importers.opening import Document, documents
from mnemolog.producers.importers.parts import Bad, Draft, Part, Progress, Skipped
from mnemolog.producers.importers.zones import local
from mnemolog.producers.messages import Message, Time
from mnemolog.schema.errors import InvalidTime
from mnemolog.schema.events import Role

QUIET = timedelta(hours=8)
_MAX_NAME = 120
#: What downloads put behind a name that is there already.
_COPY = re.compile(r"(?: ?\(\d+\)|[ _-]copy)+$", re.IGNORECASE)
#: What WhatsApp writes in the place of a picture, in any language; and what it adds to an edited message.
_MEDIA = re.compile(r"<[^<>]{3,60}>|(?:null|\S+\.\w{3,4} \([^()]{4,30}\))")
_EDITED = re.compile(r"\s*<[^<>]*(?:edited|bearbeitet|editado|modifié|modificato)[^<>]*>$", re.IGNORECASE)
_MARK_CHARS = 80
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class _Survey(msgspec.Struct, frozen=True):
    """What holds for the whole file: whether its messages have times, the order of dates, the names in a transcript."""

    timed: bool
    order: DateOrder
    names: frozenset[str]


class _Told(msgspec.Struct, frozen=True):
    """A message as it stands: its first line, the day that holds there, and all its words."""

    number: int
    line: Line
    day: date | None
    text: str


def looks_like_chat(lines: list[str]) -> bool:
    """Whether the beginning of a file is a chat log: its lines begin messages, and not just here and there."""
    begun = sum(timed_line(line) is not None for line in lines)
    marked = sum(marked_line(line) is not None for line in lines)
    written = sum(bool(line.strip()) for line in lines)
    return begun >= max(1, written // 20) if begun else marked >= 2  # noqa: PLR2004


class ChatLogReader:
    """Reads a log. `zone` is that of its times; `me` the speaker where a log says You or User; `chat` its name.

    `default_at` (UTC milliseconds) is the time of messages without one, and the day of times without a date.
    """

    what = "line"

    def __init__(
        self,
        path: Path,
        *,
        me: str | None = None,
        zone: str | None = None,
        order: DateOrder | None = None,
        chat: str | None = None,
        default_at: int | None = None,
    ) -> None:
        self._document = documents(path)[0]
        self._me = me
        self._zone = zone
        self._order = order
        self._default_at = default_at
        self._chat = (chat or _COPY.sub("", path.stem).strip() or path.stem)[:_MAX_NAME]
        self._found: _Survey | None = None

    def read(self, progress: Progress) -> Iterator[Part]:
        """The messages; see Reader. Raises InvalidInput where the order of dates cannot be known."""
        survey = self._found = self._found or self._survey()
        sessions = _Sessions(self._chat)
        for told in self._messages(survey, progress):
            if isinstance(told, Skipped):
                yield told
                continue
            text = (told.text[:-_MARK_CHARS] + _EDITED.sub("", told.text[-_MARK_CHARS:])).strip()
            if told.line.name is None:
                yield Skipped("notice")
            elif not text or _MEDIA.fullmatch(text):
                yield Skipped("no text")
            else:
                yield self._part(told, text, survey, sessions)

    def _part(self, told: _Told, text: str, survey: _Survey, sessions: _Sessions) -> Part:
        name = told.line.name or ""
        try:
            at, naive = self._time(told, survey)
        except InvalidTime as error:
            return Bad(told.number, str(error))
        said = Message(
            role=cast("Role", role_of(name)),
            content=text,
            session=sessions.at(naive),
            speaker=self._me if is_oneself(name) else name,
            occurred_at=at,
            line=told.number,
            source_type="import",
        )
        return Draft(told.number, "", sessions.event_id(naive, name, text), said)

    def _time(self, told: _Told, survey: _Survey) -> tuple[Time, datetime | None]:
        """The time of a message, and what the log's clock showed. Raises InvalidTime."""
        stamp = told.line.stamp
        if stamp is None:
            if self._default_at is None:
                raise InvalidTime("its messages have no times: give one for all with --at")
            return self._default_at, None
        day = date_of(stamp, survey.order) or told.day or self._default_day()
        naive = datetime.combine(day, time(stamp.hour, stamp.minute, stamp.second))
        zone = "+00:00" if stamp.offset == "Z" else _with_colon(stamp.offset) if stamp.offset else self._zone
        return local(naive, zone), naive

    def _default_day(self) -> date:
        if self._default_at is None:
            raise InvalidTime("the time has no date: give the day of such lines with --at")
        return (datetime(1970, 1, 1) + timedelta(milliseconds=self._default_at)).date()  # noqa: DTZ001

    def _survey(self) -> _Survey:
        """Reads the whole file for what its lines leave open."""
        orders, names, timed = Orders(), Counter[str](), False
        for text in _lines(self._document):
            line = timed_line(text)
            if line is not None and line.stamp is not None:
                timed = True
                orders.add(line.stamp)
            elif (marked := marked_line(text)) and marked.name:
                names[marked.name.casefold()] += 1
        # Where somebody is called User or Assistant, other words in bold are not people.
        known = {name for name in names if name in ROLE_WORDS or (self._me and name == self._me.casefold())}
        return _Survey(
            timed,
            self._order or (orders.decide() if timed else "dmy"),
            frozenset(known or (name for name, times in names.items() if times > 1)),
        )

    def _messages(self, survey: _Survey, progress: Progress) -> Iterator[_Told | Skipped]:
        """The messages with all their lines. What stands before the first is passed over."""
        first: tuple[int, Line, date | None] | None = None
        words: list[str] = []
        day: date | None = None
        for number, text in enumerate(_lines(self._document, progress), 1):
            begun = _begins(text, survey)
            new_day = None if begun else day_line(text)
            if begun is None and new_day is None:
                if first is not None:
                    words.append(cleaned(text))
                elif text.strip():
                    yield Skipped("before the first message")
                continue
            if first is not None:
                yield _Told(*first, "\n".join((first[1].text, *words)).strip())
            first, words = (None if begun is None else (number, begun, day)), []
            day = new_day or day
        if first is not None:
            yield _Told(*first, "\n".join((first[1].text, *words)).strip())


def _begins(text: str, survey: _Survey) -> Line | None:
    if survey.timed:
        return timed_line(text)
    marked = marked_line(text)
    return marked if marked and marked.name and marked.name.casefold() in survey.names else None


def _with_colon(offset: str) -> str:
    return offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"


def _lines(document: Document, progress: Progress = lambda _: None) -> Iterator[str]:
    """The lines of a log, of UTF-8 or UTF-16; what is neither is left for the check of each message to refuse."""
    with document.open() as stream:
        encoding = "utf-16" if stream.read(2) in _UTF16 else "utf-8"
    with document.open(progress) as stream:
        for line in io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="\n"):
            yield line.rstrip("\r\n")


class _Sessions:
    """Names the conversations of a log, and its messages: the same in every export that goes on from there."""

    def __init__(self, chat: str) -> None:
        self._chat = chat
        self._session = chat
        self._last: datetime | None = None
        self._at: datetime | None = None
        self._times: Counter[tuple[str, str]] = Counter()

    def at(self, naive: datetime | None) -> str:
        """The session of a message at a time."""
        if naive is not None and (self._last is None or naive - self._last >= QUIET):
            self._session = f"{self._chat} {naive:%Y-%m-%d %H:%M}"
        self._last = naive
        return self._session

    def event_id(self, naive: datetime | None, name: str, text: str) -> str:
        """The id of a message: a hash of what it says, and of how often that was said at that time."""
        if naive != self._at:
            self._at, self._times = naive, Counter()
        self._times[name, text] += 1
        said = "\x1f".join((self._chat, str(naive), name, text, str(self._times[name, text])))
        return "chatlog-" + hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
