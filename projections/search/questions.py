"""What a question asks, beyond its words: who, when, and which dates it names."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

import msgspec

from mnemolog.projections.indexes.analysis import MAX_QUERY_CHARS, QueryTerms, clean, query_terms
from mnemolog.schema.times import from_datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_ALSO_WORDS = frozenset({"may", "march", "mar", "jan", "sep", "dec", "jun"})
_BEFORE_MONTH = frozenset(
    {"in", "of", "during", "since", "until", "till", "by", "early", "mid", "late", "last", "next"}
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_DAY = re.compile(r"(0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?")
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_WHEN = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:day|date|month|year|week|time)\b|\bhow long\b|什么时候|何时|いつ|เมื่อไ", re.IGNORECASE
)
_WHY = re.compile(
    r"\bwhy\b|\bhow come\b|\bwhat for\b|\b(?:reasons?|causes?d?)\b|\bwarum\b|\bwieso\b|\bweshalb\b|\bpor qué\b"
    r"|为什么|为何|怎么会|なぜ|どうして|ทำไม",
    re.IGNORECASE,
)
_WHO = re.compile(r"\bwho(?:m|se)?\b|\bwer\b|\bwe[mn]\b|\bwessen\b|\bquién(?:es)?\b|谁|誰|だれ|ใคร", re.IGNORECASE)
# Without case and diacritics. English, German, Spanish, French, Italian, Portuguese; then Chinese and Japanese.
_SELF = (
    "i me my mine myself im ive ich mich mir mein meine meinen meinem meiner meines yo mi mis mio mia conmigo"
    " je moi mon mes io miei mie eu meu minha meus minhas comigo"
)
_FIRST_PERSON = frozenset(_SELF.split())
_FIRST_PERSON_CJK = re.compile("我(?![们們])|咱(?![们們])|俺|僕|私|わたし|ぼく")
#: Index terms that tell a time: days, months, years, and times counted from now.
TIME_TERMS = frozenset(
    query_terms(
        """yesterday today tomorrow tonight ago last next week weekend month year day recently morning evening monday
        tuesday wednesday thursday friday saturday sunday january february april june july august september october
        november december 昨天 今天 明天 去年 今年 明年 上周 下周 个月 昨日 今日 明日 先週 来週"""
    ).terms
) | frozenset(map(str, range(1900, 2100)))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Date(msgspec.Struct, frozen=True):
    """A date as far as a question names it; None where it does not."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def span(self) -> tuple[int, int] | None:
        """The milliseconds (UTC) from which and until which it lasts; None unless it names a real month or day."""
        if self.year is None or self.month is None:
            return None
        try:
            first = datetime(self.year, self.month, self.day or 1, tzinfo=UTC)
        except ValueError:
            return None
        days = 1 if self.day else monthrange(self.year, self.month)[1]
        return from_datetime(first), from_datetime(first + timedelta(days=days))


class Question(msgspec.Struct, frozen=True):
    """A query as recall sees it; `askers` are those whom its "I" and "my" mean, by their normalised names."""

    text: str
    asked: QueryTerms
    is_when: bool
    dates: tuple[Date, ...]
    is_why: bool = False
    is_who: bool = False
    is_first_person: bool = False
    askers: tuple[str, ...] = ()


def understand(query: str) -> Question:
    """What any text asks."""
    text = clean(query)[:MAX_QUERY_CHARS]
    asked = query_terms(text)
    return Question(
        text,
        asked,
        is_when=_WHEN.search(text) is not None,
        dates=tuple(_dates(text, asked.spoken)),
        is_why=_WHY.search(text) is not None,
        is_who=_WHO.search(text) is not None,
        is_first_person=not _FIRST_PERSON.isdisjoint(asked.spoken) or _FIRST_PERSON_CJK.search(text) is not None,
    )


def _dates(query: str, spoken: tuple[str, ...]) -> list[Date]:
    found = [Date(int(y), int(m), int(d) if d else None) for y, m, d in _ISO.findall(query)]
    years = [] if found else [int(word) for word in spoken if _YEAR.fullmatch(word)]
    year = years[0] if years else None
    months = [place for place in range(len(spoken)) if _is_month(spoken, place)]
    found += [Date(year, _MONTHS[spoken[place]], _day(spoken, place)) for place in months]
    return found or ([Date(year)] if year else [])


def _is_month(spoken: tuple[str, ...], place: int) -> bool:
    word = spoken[place]
    if word not in _MONTHS:
        return False
    around = spoken[max(place - 1, 0) : place] + spoken[place + 1 : place + 2]
    numbers = any(_DAY.fullmatch(other) or _YEAR.fullmatch(other) for other in around)
    return word not in _ALSO_WORDS or numbers or (place > 0 and spoken[place - 1] in _BEFORE_MONTH)


def _day(spoken: tuple[str, ...], place: int) -> int | None:
    for other in (place - 1, place + 1):
        match = _DAY.fullmatch(spoken[other]) if 0 <= other < len(spoken) else None
        if match:
            return int(match[1])
    return None


def date_match(dates: tuple[Date, ...], occurred_at: int) -> float:
    """How well a time (milliseconds, UTC) fits the best of the dates, in 0–1."""
    if not dates:
        return 0.0
    time = _EPOCH + timedelta(milliseconds=occurred_at)
    return max(_fit(date, time) for date in dates)


def _fit(date: Date, time: datetime) -> float:
    # A day fits only in its month, and a month only in its year, as far as they are named.
    pairs = [(date.year, time.year), (date.month, time.month), (date.day, time.day)]
    named = [wanted == actual for wanted, actual in pairs if wanted is not None]
    fitting = next((place for place, fits in enumerate(named) if not fits), len(named))
    return fitting / len(named)
