"""The times that a question tells: `last week`, `in May 2023`, `when we first met`, `before I moved`.

Words and patterns of English, German, Spanish, French, Italian and Portuguese are in `moment_words.toml`, those of
Chinese and Japanese in `moments_cjk`; dateparser says which days a date means. A question that tells no time is told
by its words alone, without any pattern being tried.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from mnemolog.projections import moment_spans as spans
from mnemolog.projections.dates import days
from mnemolog.projections.moment_grammar import COMMON, TELLING, Grammar, grammar
from mnemolog.projections.moment_spans import MONTHS, WEEKDAYS, Span, Tense
from mnemolog.schema.times import MAX_MS, MIN_MS, MINUTE, from_datetime

Kind = Literal["span", "first", "last", "before", "after"]

#: A time is looked for in this many characters of a question.
_MAX_CHARS = 1_000
_BEGIN = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORD = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}(?![0-9])")
_ENDS = re.compile(r"\s*(?:$|[?!.,;:)\]\"”–-]|[A-Z])")
_NEXT_WORD = re.compile(r"\s*([^\W_]+)")
_NUMBER = re.compile(r"[0-9]{1,2}(?:st|nd|rd|th)?(?![\w:.])")
_ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th|er|º|°)\b")
_NOISE = re.compile(r"^(?:the|le|el|il) |,|\bof\b|\.(?= |$)")
_ASKS = re.compile(r",? (?:what|where|who|whom|when|how|which|why)\b.*", re.IGNORECASE)
_ASKS_FIRST = re.compile(
    r" (?:did|do|does|was|were|is|are|has|have|had) (?:i|we|you|he|she|they|it|the|my|our)\b.*", re.IGNORECASE
)
_PARTS_OF_DAY = frozenset({"morning", "afternoon", "evening", "night"})
_UNITS = frozenset({"week", "month", "year", "decade"})
_VERBS_TOO = frozenset({"may", "march", "mar"})
_SHORT = frozenset({"jan", "mar", "jun", "sep", "dec"})


class Moment(msgspec.Struct, frozen=True):
    """A time that a question tells: [start, end) in milliseconds (UTC), and the words that tell it.

    A `span` is when what is asked for was said or took place; one that lies ahead of the time of asking is when it
    will. `first` and `last` tell an order in time, `before` and `after` one beside the event in `text`; then start and
    end are the whole of time, the years 1 to 9999.
    """

    start: int
    end: int
    text: str
    kind: Kind


class _Asked(msgspec.Struct, frozen=True):
    """A question being read: its text, the words of its language, and when it is asked, on the asker's clock."""

    text: str
    language: str
    words: Grammar
    now: datetime
    tense: Tense


class _Found(msgspec.Struct, frozen=True):
    place: int
    end: int
    span: Span


def moments(question: str, now: int, utc_offset_min: int = 0) -> tuple[Moment, ...]:
    """The times that a question tells, in the order of its words, then the orders in time.

    `now` is the time of asking (milliseconds, UTC), `utc_offset_min` the minutes that the asker is east of UTC.
    Any text is taken; a text that tells no time gives an empty tuple.
    """
    text = unicodedata.normalize("NFKC", question[:_MAX_CHARS]).replace("’", "'")
    language = _language(text)
    if language is None:
        return ()
    local = _EPOCH + timedelta(milliseconds=now, minutes=utc_offset_min)
    words = grammar(language)
    asked = _Asked(text, language, words, local, "future" if words.future.search(text) else "past")
    found = list(_spans(asked))
    ordered = list(_events(asked, found))
    inside = [(place, end) for place, end, _ in ordered]
    told = [one for one in found if not any(first <= one.place < last for first, last in inside)]
    return (
        *(_moment(text, one, utc_offset_min) for one in _joined(sorted(told, key=lambda one: one.place))),
        *(moment for _, _, moment in ordered),
        *_orders(asked),
    )


def _language(text: str) -> str | None:
    """The language in which a text may tell a time; None if it tells none."""
    spoken = set(_WORD.findall(text.casefold()))
    dated = _YEAR.search(text) is not None
    telling = {language: len(words & spoken) for language, words in TELLING.items()}
    if not dated and not any(telling.values()):
        return None
    return max(TELLING, key=lambda language: len(COMMON[language] & spoken) + telling[language])


def _moment(text: str, found: _Found, offset_min: int) -> Moment:
    start, end = (_ms(time, offset_min) for time in found.span)
    return Moment(start, end, text[found.place : found.end].strip(), "span")


def _ms(time: datetime, offset_min: int) -> int:
    if time in {_BEGIN, _END}:
        return MIN_MS if time == _BEGIN else MAX_MS
    return from_datetime(time) - offset_min * MINUTE


def _joined(found: list[_Found]) -> list[_Found]:
    """The spans, with an open end and an open beginning that overlap made one."""
    since = [one for one in found if one.span[1] == _END]
    until = [one for one in found if one.span[0] == _BEGIN]
    if len(since) != 1 or len(until) != 1 or since[0].span[0] >= until[0].span[1]:
        return found
    both = _Found(
        min(since[0].place, until[0].place), max(since[0].end, until[0].end), (since[0].span[0], until[0].span[1])
    )
    return [both, *(one for one in found if one not in {since[0], until[0]})]


def _spans(asked: _Asked) -> Iterator[_Found]:
    text = asked.words.never.sub(_blank, asked.text)
    for finder in (_ranges, _beside, _phrases):
        for found in finder(asked, text):
            yield found
            text = text[: found.place] + " " * (found.end - found.place) + text[found.end :]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _ranges(asked: _Asked, text: str) -> list[_Found]:
    found = [_range(asked, text, begin) for begin in asked.words.between.finditer(text)]
    return [one for one in found if one is not None]


def _range(asked: _Asked, text: str, begin: re.Match[str]) -> _Found | None:
    words = asked.words
    first = words.point.match(text, begin.end()) or _NUMBER.match(text, begin.end())
    join = first and words.join.match(text, first.end())
    second = join and (words.point.match(text, join.end()) or _NUMBER.match(text, join.end()))
    if not first or not second:
        return None
    a, b = first[0], second[0]
    month = words.month.search(a) or words.month.search(b)
    if month and a.isdigit():
        a = f"{a} {month[0]}"
    if month and b.isdigit():
        b = f"{month[0]} {b}"
    year = _YEAR.search(text[second.end() : second.end() + 6].lstrip(", "))
    end = second.end()
    if year and b.startswith(month[0] if month else "\0") and not _YEAR.search(b):
        b, end = f"{b} {year[0]}", second.end() + text[second.end() :].index(year[0]) + 4
    stated = _YEAR.search(b)
    if stated and not _YEAR.search(a):
        a = f"{a} {stated[0]}"
    last = _read(asked, b, asked.now)
    if last is None:
        return None
    start = _read(asked, a, last[1] if stated else last[0])
    if start is None or start[0] >= last[1]:
        return None
    return _Found(begin.start(), end, (start[0], last[1]))


def _read(asked: _Asked, words: str, now: datetime) -> Span | None:
    match = asked.words.point.fullmatch(words)
    return None if match is None else _span(asked, match, now)


def _beside(asked: _Asked, text: str) -> list[_Found]:
    found = [_near(asked, text, match) for match in asked.words.beside.finditer(text)]
    return [one for one in found if one is not None]


def _near(asked: _Asked, text: str, match: re.Match[str]) -> _Found | None:
    """The week before 3 August 2023; two weeks after it; the Sunday before it."""
    words = asked.words
    anchor = words.point.match(text, match.end())
    date = _span(asked, anchor, asked.now) if anchor and anchor["date"] else None
    if anchor is None or date is None:
        return None
    what, ahead = match["what"].casefold(), match["side"].casefold() in {"after", "following"}
    span: Span | None
    if what not in words.units:
        span = spans.named(words.names[what], "next" if ahead else "last", date[0])
    elif match["n"]:
        number = words.numbers.get(match["n"].casefold(), match["n"])
        unit = words.units[what]
        found = days(f"in {number} {unit}" if ahead else f"{number} {unit} ago", "en", date[0], "past")
        span = found and found[:2]
    else:
        within = spans.within(1, words.units[what], date[0] - timedelta(days=1))
        span = (date[1], date[1] + (within[1] - within[0])) if ahead else within
    return None if span is None else _Found(match.start(), anchor.end(), span)


def _phrases(asked: _Asked, text: str) -> list[_Found]:
    found = []
    for match in asked.words.phrase.finditer(text):
        span = _span(asked, match, asked.now) if _is_told(asked, match) else None
        if span is not None:
            found.append(_Found(match.start(), match.end(), _bounded(asked, match, span)))
    return found


def _bounded(asked: _Asked, match: re.Match[str], span: Span) -> Span:
    match asked.words.bounds.get((match["prep"] or "").casefold()):
        case "since" if match["ago"] is None or asked.language == "en":
            return span[0], _END
        case "after":
            return span[1], _END
        case "until":
            return _BEGIN, span[1]
        case "before":
            return _BEGIN, span[0]
        case _:
            return span


def _is_told(asked: _Asked, match: re.Match[str]) -> bool:
    """Whether a name or a number tells a time where it stands: `in May` does, `may I` does not."""
    prep = (match["prep"] or "").casefold()
    introduced = bool(prep or match["share"])
    if match["date"]:
        month = asked.words.month.search(match["date"])
        if month is None:
            return introduced or match["date"].count("-") != 1
        clear = introduced or _YEAR.search(match["date"]) is not None
        return clear or (month[0] not in _VERBS_TOO and _ends(asked, match))
    if match["which"]:
        return not (asked.words.which[match["which"].casefold()] == "this" and match["named"] in _VERBS_TOO)
    if match["bare"] and match["bare_year"]:
        return True
    if match["bare"] or match["year"] or match["decade"]:
        return introduced and _name_is_told(asked, match, prep)
    return True


def _name_is_told(asked: _Asked, match: re.Match[str], prep: str) -> bool:
    words = asked.words
    name = (match["bare"] or "").casefold()
    thing = words.names.get(name, "year")
    kind = "month" if thing in MONTHS else "weekday" if thing in WEEKDAYS else "year" if thing == "year" else "other"
    if match["bare"] and (thing in _UNITS or thing in _PARTS_OF_DAY or name in _SHORT):
        return bool(match["share"]) and thing in _UNITS
    if prep and words.told_after and prep not in words.told_after[kind]:
        return False
    if kind in {"weekday", "other"} and words.habit.search(asked.text):
        return False
    return _ends(asked, match) and not asked.text.startswith("'", match.end())


def _ends(asked: _Asked, match: re.Match[str]) -> bool:
    """Whether no noun or verb follows of which the words before it could be a part or the doer."""
    if _ENDS.match(asked.text, match.end()):
        return True
    word = _NEXT_WORD.match(asked.text, match.end())
    return word is not None and word[1].casefold() in COMMON[asked.language]


def _span(asked: _Asked, match: re.Match[str], now: datetime) -> Span | None:
    """What a point means, seen from `now`; None where it means nothing, or nothing in the years 1 to 9999."""
    try:
        span = _whole(asked, match, now)
        if span is None or match["share"] is None:
            return span
        share = asked.words.shares[match["share"].casefold()]
        return spans.week_of(span, int(share[-1])) if share.startswith("week") else spans.share(span, share)
    except (ValueError, OverflowError):
        return None


def _whole(asked: _Asked, match: re.Match[str], now: datetime) -> Span | None:
    words, today = asked.words, spans.midnight(now)
    if match["date"]:
        return _days(_NOISE.sub(" ", _ORDINAL.sub("", match["date"].casefold())), asked, today)
    if match["ago"]:
        return _ago(asked, match["ago"].casefold(), now)
    if match["rolling"]:
        number, unit = _amount(words, match["rolling"])
        return spans.within(number, unit, now)
    if match["days"]:
        return _day(asked, match, now)
    if match["quarter"]:
        start = datetime(int(match["quarter_year"]), 3 * int(match["quarter"][1]) - 2, 1, tzinfo=UTC)
        return start, (start + timedelta(days=95)).replace(day=1)
    if match["decade"]:
        return tuple(datetime(int(match["decade"]) + years, 1, 1, tzinfo=UTC) for years in (0, 10))  # type: ignore[return-value]
    if match["year"]:
        return tuple(datetime(int(match["year"]) + years, 1, 1, tzinfo=UTC) for years in (0, 1))  # type: ignore[return-value]
    return _named(asked, match, now)


def _named(asked: _Asked, match: re.Match[str], now: datetime) -> Span | None:
    words = asked.words
    if match["bare"]:
        thing = words.names[match["bare"].casefold()]
        if match["bare_year"]:
            known = thing not in _UNITS | _PARTS_OF_DAY | {*WEEKDAYS, "weekend"}
            return spans.in_year(thing, int(match["bare_year"])) if known else None
        which: spans.Which = "this" if thing in _UNITS else "at"
    else:
        thing = words.names[(match["named"] or match["named_after"]).casefold()]
        which = words.which[(match["which"] or match["which_after"]).casefold()]  # type: ignore[assignment]
    span = spans.named(thing, which, now, asked.tense)
    if span is not None and match["bare_part"]:
        return spans.part_of_day(span[0], words.names[match["bare_part"].casefold()])
    return span


def _day(asked: _Asked, match: re.Match[str], now: datetime) -> Span | None:
    word = match["days"].casefold()
    if word == "tonight":
        return spans.named("night", "this", now)
    span = _days(word, asked, spans.midnight(now))
    if span is None or match["part"] is None:
        return span
    return spans.part_of_day(span[0], asked.words.names[match["part"].casefold()])


def _days(words: str, asked: _Asked, today: datetime) -> Span | None:
    found = days(" ".join(words.split()), asked.language, today, asked.tense)
    return None if found is None else found[:2]


def _ago(asked: _Asked, ago: str, now: datetime) -> Span | None:
    number, unit = _amount(asked.words, ago)
    if unit in {"minute", "hour"}:
        return spans.moment_ago(number, unit, now)
    found = days(f"{number} {unit} ago", "en", spans.midnight(now), "past")
    return None if found is None else found[:2]


def _amount(words: Grammar, text: str) -> tuple[int, str]:
    match = next(match for match in reversed(list(words.amount.finditer(text))) if match["unit"])
    number = (match["n"] or "1").casefold()
    return int(words.numbers.get(number, number)), words.units[match["unit"].casefold()]


def _events(asked: _Asked, found: list[_Found]) -> Iterator[tuple[int, int, Moment]]:
    """(from, until which character, moment) of each event that something is asked to lie before or after."""
    text = asked.words.never.sub(_blank, asked.text)
    for one in found:
        text = text[: one.place] + " " * (one.end - one.place) + text[one.end :]
    patterns: list[tuple[Kind, re.Pattern[str]]] = [("before", asked.words.before)]
    patterns += [("after", pattern) for pattern in asked.words.after]
    for kind, pattern in patterns:
        match = pattern.search(text)
        event = match and _event(asked, match)
        if match and event:
            yield match.start(), match.end(), Moment(MIN_MS, MAX_MS, event, kind)


def _event(asked: _Asked, match: re.Match[str]) -> str:
    event = asked.text[match.start("text") : match.end("text")]
    event = _ASKS.sub("", event)
    if not asked.text[: match.start()].strip():
        event = _ASKS_FIRST.sub("", event)
    spoken = set(_WORD.findall(event.casefold()))
    return "" if spoken <= asked.words.empty or event[:1].isdigit() else event.strip()


def _orders(asked: _Asked) -> Iterator[Moment]:
    text = asked.words.never.sub(_blank, asked.text)
    patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (("first", asked.words.first), ("last", asked.words.last))
    for kind, pattern in patterns:
        match = pattern.search(text)
        if match:
            yield Moment(MIN_MS, MAX_MS, match[0].strip(), kind)
