"""The times that a question tells: `last week`, `in May 2023`, `when we first met`, `before I moved`.

Words and patterns of English, German, Spanish, French, Italian and Portuguese are in `words.toml`, those of
Chinese and Japanese in `cjk`; dateparser says which days a date means. Most questions tell no time: they are
told by their words, without any pattern being tried.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from mnemolog.projections.moments import cjk, phrases
from mnemolog.projections.moments.cjk import Order
from mnemolog.projections.moments.grammar import COMMON, TELLING, grammar
from mnemolog.projections.moments.phrases import Asked, blanked, joined
from mnemolog.projections.moments.spans import BEGIN, END, Found
from mnemolog.schema.times import MAX_MS, MIN_MS, MINUTE, from_datetime

Kind = Literal["span", "first", "last", "before", "after"]

#: A time is looked for in this many characters of a question.
_MAX_CHARS = 1_000
#: No question tells more times than this; what goes on is a list.
_MOST_SPANS = 8
#: A text of so many characters is taken as a whole.
_SHORT = 200
_QUESTION = re.compile(r"[^.!?。\n]+\?")
#: The calendar ends in the years 1 and 9999; times are reckoned from these on.
_ASKED = (from_datetime(datetime(1000, 1, 1, tzinfo=UTC)), from_datetime(datetime(9000, 1, 1, tzinfo=UTC)))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_CJK_FUTURE = re.compile("将|會|会|打算|计划|計劃|予定|つもり")
_WORD = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}(?![0-9])")
_ASKS = re.compile(r",? (?:what|where|who|whom|when|how|which|why)\b.*", re.IGNORECASE)
_ASKS_FIRST = re.compile(
    r" (?:did|do|does|was|were|is|are|has|have|had) (?:i|we|you|he|she|they|it|the|my|our)\b.*", re.IGNORECASE
)


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


def moments(question: str, now: int, utc_offset_min: int = 0) -> tuple[Moment, ...]:
    """The times that a question tells, in the order of its words, the first eight; then the orders in time.

    `now` is the time of asking (milliseconds, UTC), `utc_offset_min` the minutes that the asker is east of UTC.
    Any text is taken; a text that tells no time, or is asked outside the years 1000 to 9000, gives an empty tuple.
    """
    if not _ASKED[0] <= now <= _ASKED[1]:
        return ()
    text = _asking(unicodedata.normalize("NFKC", question[:_MAX_CHARS])[:_MAX_CHARS].replace("’", "'"))
    local = _EPOCH + timedelta(milliseconds=now, minutes=utc_offset_min)
    found, orders = _read_unspaced(text, local) if _CJK.search(text) else ([], [])
    if not found and not orders:
        found, orders = _read_spaced(text, local)
    # A time inside the words for an event is the event's, not that of what is asked for.
    told = [one for one in found if not any(first <= one.place < last for _, first, last, _ in orders)]
    return (
        *(_span(text, one, utc_offset_min) for one in joined(sorted(told, key=lambda one: one.place))[:_MOST_SPANS]),
        *(Moment(MIN_MS, MAX_MS, said, kind) for kind, _, _, said in orders),
    )


def _read_unspaced(text: str, local: datetime) -> tuple[list[Found], list[Order]]:
    found = list(cjk.found_in(text, local, "future" if _CJK_FUTURE.search(text) else "past"))
    return found, list(cjk.orders_in(text, found))


def _read_spaced(text: str, local: datetime) -> tuple[list[Found], list[Order]]:
    language = _language(text)
    if language is None:
        return [], []
    words = grammar(language)
    ahead = words.future.search(text) and not words.past.search(text)
    asked = Asked(text, language, words, local, "future" if ahead else "past")
    found = list(phrases.found_in(asked))
    return found, [*_events(asked, found), *_orders(asked)]


def _asking(text: str) -> str:
    """The text; of a long one the sentences that ask, if any do: the others tell times of their own."""
    return (" ".join(_QUESTION.findall(text)) or text) if len(text) > _SHORT else text


def _language(text: str) -> str | None:
    """The language in which a text may tell a time; None if it tells none."""
    spoken = set(_WORD.findall(text.casefold()))
    dated = _YEAR.search(text) is not None
    telling = {language: len(words & spoken) for language, words in TELLING.items()}
    if not dated and not any(telling.values()):
        return None
    return max(TELLING, key=lambda language: len(COMMON[language] & spoken) + telling[language])


def _span(text: str, found: Found, offset_min: int) -> Moment:
    start, end = (_ms(time, offset_min) for time in found.span)
    return Moment(start, end, text[found.place : found.end].strip(), "span")


def _ms(time: datetime, offset_min: int) -> int:
    if time in {BEGIN, END}:
        return MIN_MS if time == BEGIN else MAX_MS
    return from_datetime(time) - offset_min * MINUTE


def _events(asked: Asked, found: list[Found]) -> Iterator[Order]:
    """What something is asked to lie before or after."""
    text = asked.words.never.sub(blanked, asked.text)
    for one in found:
        text = text[: one.place] + " " * (one.end - one.place) + text[one.end :]
    yield from _event(asked, "before", asked.words.before.search(text))
    for pattern in asked.words.after:
        yield from _event(asked, "after", pattern.search(text))


def _event(asked: Asked, kind: Literal["before", "after"], match: re.Match[str] | None) -> Iterator[Order]:
    if match is None:
        return
    event = _ASKS.sub("", asked.text[match.start("text") : match.end("text")])
    if not asked.text[: match.start()].strip():
        event = _ASKS_FIRST.sub("", event)
    end = match.start("text") + len(event)
    spoken = set(_WORD.findall(match.string[match.start("text") : end].casefold()))
    if not spoken <= asked.words.empty and not event[:1].isdigit():
        yield kind, match.start(), end, event.strip()


def _orders(asked: Asked) -> Iterator[Order]:
    text = asked.words.never.sub(blanked, asked.text)
    first, last = asked.words.first.search(text), asked.words.last.search(text)
    if first:
        yield "first", first.start(), first.start(), first[0].strip()
    if last:
        yield "last", last.start(), last.start(), last[0].strip()
