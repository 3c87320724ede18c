"""Lines of plain chat logs: which begin a message, when, and by whom. Pure.

Known are WhatsApp's exports of Android and iOS in many languages, logs of IRC and Slack, KakaoTalk, and transcripts in
Markdown. Dates stay numbers here: which of them is the day is decided over the whole file.
"""

from __future__ import annotations

import re
from datetime import date, datetime

import msgspec

_SPACES = re.compile("[\u00a0\u202f\u2009]")
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
#: Begins a notice of WhatsApp on iOS: something was left out, or somebody joined.
NOTICE = "\u200e"

_DATE = (
    r"(?P<first>\d{1,4})(?P<by>[./\-]|\. |年 ?|년 ?)(?P<second>\d{1,2})(?:[./\-]|\. |月 ?|월 ?)(?P<third>\d{1,4})"
    r"[日일.]?"
)
_TIME = (
    r"(?:(?P<before>上午|下午|午前|午後|오전|오후) ?)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<seconds>\d{2}))?"
    r"(?:\.\d+)?(?: ?(?P<after>[AaPp]\.? ?[Mm]\.?))?"
)
_JOINT = r"(?:,? (?:klo |kl\.? |at |um |à |às |alle )?|T)"
_OFFSET = r"(?P<offset> ?Z|[+-]\d{2}:?\d{2})?"
_TIMED = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rf"\[{_DATE}{_JOINT}{_TIME}{_OFFSET}\] ?(?P<rest>.*)",
        rf"\[{_TIME}, {_DATE}\] ?(?P<rest>.*)",
        rf"{_DATE}{_JOINT}{_TIME} [-–] (?P<rest>.*)",
        rf"{_DATE}{_JOINT}{_TIME}, (?P<rest>.*)",
        rf"{_DATE}{_JOINT}{_TIME}{_OFFSET}(?:\t| )(?P<rest>[^\t]{{1,60}}\t.*|<.*)",
        rf"{_DATE}{_JOINT}{_TIME}{_OFFSET} (?P<rest>[^\s:]{{1,60}}: .*)",
        rf"\[{_TIME}\] ?(?P<rest>.*)",
        rf"{_TIME} (?P<rest><.*|-!-.*|\* .*)",
    )
]
_SAID = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<[@+%&~ ]?(?P<name>[^<>]{1,60})> (?P<text>.*)",
        r"(?P<name>[^:\t\"“”«»<>]{1,60}?) ?:(?: (?P<text>.*)|$)",
        r"(?P<name>[^\t\"]{1,60})\t(?P<text>.*)",
    )
]
_DAY_ISO = re.compile(
    r"[\s#=*_–—-]*(?P<year>\d{4})(?:-|[年년] ?)(?P<month>\d{2}|\d{1,2}[月월] ?)-?(?P<day>\d{1,2})[일日]?"
    r"(?:[ ,(]*[월화수목금토일月火水木金土日](?:요일|曜日)?\)?)?[\s=*_:–—-]*"
)
_DAY_IRC = re.compile(r"--- (?:Day changed|Log opened) (?P<text>\w{3} \w{3} \d{1,2} (?:[\d:]{8} )?\d{4})")
_PM = ("下午", "午後", "오후")

_USERS = ("user", "human", "me", "you", "i")
_ASSISTANTS = ("assistant", "ai", "bot", "chatbot", "chatgpt", "gpt", "gpt-4", "gpt-4o", "claude", "gemini", "copilot")
_OTHERS = ("system", "tool")
#: Names that stand for a role.
ROLE_WORDS = frozenset((*_USERS, *_ASSISTANTS, "meta ai", *_OTHERS))
_ROLE = "|".join(re.escape(word) for word in sorted(ROLE_WORDS, key=len, reverse=True))
_MARKDOWN = re.compile(
    r"(?:[-*] |#{1,6} )?(?:\*\*|__)(?P<name>[^*_:]{1,60})(?::(?:\*\*|__)|(?:\*\*|__) ?:)(?: (?P<text>.*)|$)", re.DOTALL
)
_HEADING = re.compile(rf"#{{1,6}} (?:\*\*)?(?P<name>{_ROLE}):?(?:\*\*)?:?$", re.IGNORECASE)
_PLAIN = re.compile(rf"(?P<name>{_ROLE}):(?: (?P<text>.*)|$)", re.IGNORECASE | re.DOTALL)


class Stamp(msgspec.Struct, frozen=True):
    """When a line says that it was written: the numbers of its date as they stand (None: no date), and the time."""

    numbers: tuple[str, str, str] | None
    separator: str
    hour: int
    minute: int
    second: int
    offset: str | None = None


class Line(msgspec.Struct, frozen=True):
    """A line that begins something: a message of `name`, or a notice (no name)."""

    stamp: Stamp | None
    name: str | None
    text: str


def cleaned(line: str) -> str:
    """A line without the invisible marks that phones put in, and with plain spaces."""
    return _MARKS.sub("", _SPACES.sub(" ", line)).rstrip()


def timed_line(line: str) -> Line | None:
    """The beginning of a message or notice with a time; None for a line that goes on. `line` is as it stands."""
    plain = cleaned(line)
    for pattern in _TIMED:
        found = pattern.fullmatch(plain)
        if found and (stamp := _stamp(found)):
            return _said(stamp, found["rest"], notice=f": {NOTICE}" in line)
    return None


def marked_line(line: str) -> Line | None:
    """The beginning of a message in a transcript: `**Ada:** …`, `## User`, `User: …`."""
    plain = cleaned(line)
    for pattern in (_MARKDOWN, _HEADING, _PLAIN):
        found = pattern.fullmatch(plain)
        if found:
            return Line(None, found["name"].strip(), (found.groupdict().get("text") or "").strip())
    return None


def day_line(line: str) -> date | None:
    """The day that a line by itself says has begun."""
    plain = cleaned(line)
    irc = _DAY_IRC.fullmatch(plain)
    if irc:
        words = irc["text"].split()
        try:
            return datetime.strptime(" ".join((*words[1:3], words[-1])), "%b %d %Y").date()  # noqa: DTZ007
        except ValueError:
            return None
    found = _DAY_ISO.fullmatch(plain)
    try:
        return found and date(int(found["year"]), int(found["month"].strip("月월 ")), int(found["day"]))
    except ValueError:
        return None


def _stamp(found: re.Match[str]) -> Stamp | None:
    """The time of a line; None where its numbers are none."""
    groups = found.groupdict()
    hour, minute, second = int(groups["hour"]), int(groups["minute"]), int(groups["seconds"] or 0)
    half = (groups["after"] or "").lower()[:1] or ("p" if groups["before"] in _PM else "a" if groups["before"] else "")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004
        return None
    numbers = (groups["first"], groups["second"], groups["third"]) if groups.get("first") else None
    offset = (groups.get("offset") or "").strip() or None
    return Stamp(numbers, (groups.get("by") or "").strip(), hour, minute, second, offset)


def _said(stamp: Stamp, rest: str, *, notice: bool) -> Line:
    for pattern in _SAID:
        found = pattern.fullmatch(rest)
        if found and not notice:
            return Line(stamp, found["name"].strip(), (found["text"] or "").strip())
    return Line(stamp, None, rest)


def role_of(name: str) -> str:
    """The role that a name stands for: people are users."""
    word = name.casefold()
    if word in _OTHERS:
        return word
    return "assistant" if word in _ASSISTANTS or word == "meta ai" else "user"


def is_oneself(name: str) -> bool:
    """Whether a name stands for whoever owns the log."""
    return name.casefold() in _USERS
