"""The times that a question in Chinese or Japanese tells, where no spaces separate the words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from mnemolog.projections.moments import spans
from mnemolog.projections.moments.dates import Tense, days
from mnemolog.projections.moments.spans import BEGIN, END, MONTHS, WEEKDAYS, Found, Span

_NUMBER = "(?:[0-9]{1,3}|十[一二]?|[一二两兩三四五六七八九])"
_YEAR = "(?:(?:19|20)[0-9]{2}年|一昨年|前年|去年|昨年|今年|明年|来年|來年)"
_UNIT = (
    "(?:分钟|分鐘|分|小时|小時|時間|天|日|周|週間?|星期|礼拜|禮拜|[个個](?:星期|礼拜|禮拜|月|小时|小時)"
    "|[ヶか箇カケ]月|年)"
)
_WEEK = "(?:周|週|星期|礼拜|禮拜)"
_PART = "(?:的|の)?(?P<part>早上|早晨|上午|中午|下午|傍晚|晚上|夜里|夜裡|朝|午前|午後|夕方|夜|晩)"
_PHRASE = re.compile(
    rf"""(?P<from>从|從|自从|自從|自)?(?<![0-9])(?:
    (?P<ago>{_NUMBER}多?{_UNIT}(?:之|以)?前)
    |(?:最近|过去|過去|近|ここ|この)的?(?P<rolling>{_NUMBER}{_UNIT})[间間里裡内內来來]?
    |(?P<year>{_YEAR})(?:[的の]?(?:(?P<month>{_NUMBER})月份?(?:(?P<date>{_NUMBER}|[二三]?十[一二三四五六七八九]?)[日号號])?
        |(?P<season>[春夏秋冬])(?:天|季|休み)?|(?P<feast>圣诞|聖誕|クリスマス)节?節?))?
    |(?P<bare_month>{_NUMBER})月份?(?![天亮球饼光])(?:(?P<bare_date>[0-9]{{1,2}}|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号號])?
    |(?P<bare_season>[春夏秋冬])(?:天|季|休み)
    |(?P<bare_feast>圣诞节|聖誕節|クリスマス)
    |(?P<which>上上|上|这|這|本|下|先々|先|今|来|來)一?(?:个|個)?(?P<what>{_WEEK}|月)
        (?:(?P<weekend>末)|[のの]?(?P<weekday>[一二三四五六日天]|[月火水木金土日](?=曜)))?曜?日?(?![围圍边邊期球刊])
    |{_WEEK}(?P<bare_weekday>[一二三四五六日天])|(?P<day_of_week>[月火水木金土日])曜日?
    |(?P<bare_weekend>周末|週末)
    |(?P<day>大前天|前天|昨天|昨日|今天|今日|明天|明日|后天|後天|一昨日|おととい|きのう|きょう|あした)(?:{_PART})?
    |(?P<half_day>昨晚|昨夜|昨晩|今晚|今夜|今晩|今早|今朝)
    )(?:の|的)?(?P<bound>以来|以來|开始|開始|以降|から|起|之后|之後|以后|以後|より後|之前|以前|より前|まで|为止|為止)?""",
    re.VERBOSE,
)
_BOUNDS = {
    **dict.fromkeys(("以来", "以來", "开始", "開始", "以降", "から", "起"), "since"),
    **dict.fromkeys(("之后", "之後", "以后", "以後", "より後"), "after"),
    **dict.fromkeys(("之前", "以前", "より前"), "before"),
    **dict.fromkeys(("まで", "为止", "為止"), "until"),
}
_JOINS = frozenset({"到", "至", "から", "~", "-", "–"})
_CLOSED = re.compile("之间|之間|の間|まで|为止|為止")
_YEARS_AWAY = {"一昨年": -2, "前年": -2, "去年": -1, "昨年": -1, "今年": 0, "明年": 1, "来年": 1, "來年": 1}
_WHICH: dict[str, spans.Which] = {
    **dict.fromkeys(("上", "先"), "last"),
    **dict.fromkeys(("这", "這", "本", "今"), "this"),
    **dict.fromkeys(("下", "来", "來"), "next"),
}
_SEASONS = {"春": "spring", "夏": "summer", "秋": "autumn", "冬": "winter"}
_PARTS = {
    **dict.fromkeys(("早上", "早晨", "上午", "朝", "午前", "早"), "morning"),
    **dict.fromkeys(("中午", "下午", "午後"), "afternoon"),
    **dict.fromkeys(("傍晚", "晚上", "夕方"), "evening"),
    **dict.fromkeys(("夜里", "夜裡", "夜", "晩", "晚"), "night"),
}
_DAYS = {
    "大前天": "3天前", "昨日": "昨天", "今日": "今天", "明日": "明天", "後天": "后天", "一昨日": "前天",
    "おととい": "前天", "きのう": "昨天", "きょう": "今天", "あした": "明天",
}  # fmt: skip
_DIGITS = {**{digit: number for number, digit in enumerate("一二三四五六七八九十", start=1)}, "两": 2, "兩": 2}
_UNITS = (
    ("分", "minute"),
    ("时", "hour"),
    ("時", "hour"),
    ("月", "month"),
    ("年", "year"),
    ("天", "day"),
    ("日", "day"),
)

Order = tuple[Literal["first", "last", "before", "after"], int, int, str]
_FIRST = re.compile("第一次|首次|最初|初めて|はじめて")
_LAST = re.compile("最后一次|最後一次|最近一次|上一?次|最後に|最新|前回")
_DOER = "(?:我们?|我們|你们?|你們|他们?|她们?|他們|她們|咱们)"
_BEFORE = re.compile(
    rf"(?:^|[，,。?!、 ])(?:(?P<text>(?:{_DOER}|(?<=在))[^，,。?!、]{{2,20}}?|[^，,。?!、]{{4,20}}?(?<!比)(?=之前))"
    r"(?:之前|以前)(?!的)"
    r"|(?P<ja>[^，,。?!、]{1,20}?[うくぐすつぬぶむる]|[^，,。?!、]{1,20}(?<!目)(?=の前))の?前[にはの])"
)
_AFTER = re.compile(
    r"(?:^|[，,。?!、 ])(?:自从|自從|自|在)?(?:(?P<text>[^，,。?!、]{2,20}?)(?:之后|之後|以后|以後|以来|以來)"
    r"|(?P<ja>[^，,。?!、]{1,20}?(?:[ただ](?=後|あと)|[てで](?=から|以来)|(?=の後)))の?(?:後|あと|から|以来))"
)


def found_in(text: str, now: datetime, tense: Tense) -> Iterator[Found]:
    """The spans that a text tells, asked at `now`."""
    matches = list(_PHRASE.finditer(text))
    skipped = -1
    for place, match in enumerate(matches):
        if place == skipped:
            continue
        following = matches[place + 1] if place + 1 < len(matches) else None
        joined = following and _range(text, match, following, now, tense)
        if joined:
            skipped = place + 1
            yield joined
            continue
        span = _span(match, now, tense)
        if span is not None:
            yield Found(match.start(), match.end(), _bounded(match, span))


def orders_in(text: str, found: list[Found]) -> Iterator[Order]:
    """(kind, from, until which character, words) of the orders in time that a text tells beside its spans."""
    for one in found:
        text = text[: one.place] + "," * (one.end - one.place) + text[one.end :]
    for kind, pattern in (("before", _BEFORE), ("after", _AFTER)):
        match = pattern.search(text)
        if match:
            yield kind, match.start(), match.end(), (match["text"] or match["ja"]).strip()  # type: ignore[misc]
    for kind, pattern in (("first", _FIRST), ("last", _LAST)):
        match = pattern.search(text)
        if match:
            yield kind, match.start(), match.start(), match[0]  # type: ignore[misc]


def _range(text: str, match: re.Match[str], following: re.Match[str], now: datetime, tense: Tense) -> Found | None:
    """From March to June; the year of the first is the second's where that has none."""
    between = text[match.end() : following.start()]
    joined = between in _JOINS or (not between and match["bound"] == "から")
    end = following.end()
    closed = _CLOSED.match(text, end)
    if not joined and not (between in {"和", "与", "與", "と"} and closed):
        return None
    last = _span(following, now, tense)
    if match["year"] and not following["year"] and following["bare_month"]:
        whole = _PHRASE.fullmatch(match["year"] + following[0].removesuffix(following["bound"] or ""))
        last = whole and _span(whole, now, tense)
    first = last and _span(match, last[1], "past")
    if not first or not last or first[0] >= last[1]:
        return None
    return Found(match.start(), closed.end() if closed else end, (first[0], last[1]))


def _bounded(match: re.Match[str], span: Span) -> Span:
    match _BOUNDS.get(match["bound"] or "", "since" if match["from"] else ""):
        case "since":
            return span[0], END
        case "after":
            return span[1], END
        case "before":
            return BEGIN, span[0]
        case "until":
            return BEGIN, span[1]
        case _:
            return span


def _span(match: re.Match[str], now: datetime, tense: Tense) -> Span | None:
    try:
        return _dated(match, now, tense) or _counted(match, now) or _named(match, now, tense)
    except (ValueError, OverflowError, IndexError):
        return None


def _dated(match: re.Match[str], now: datetime, tense: Tense) -> Span | None:
    stated, month, date = match["year"], match["month"] or match["bare_month"], match["date"] or match["bare_date"]
    year = now.year + _YEARS_AWAY[stated] if stated in _YEARS_AWAY else int(stated[:4]) if stated else None
    if month and date:
        return spans.date(_number(date), MONTHS[_number(month) - 1], year, now, tense)
    name = MONTHS[_number(month) - 1] if month else _feast(match) if stated else None
    if name is None:
        return None if year is None else spans.years(year)
    return spans.named(name, "at", now, tense) if year is None else spans.in_year(name, year)


def _feast(match: re.Match[str]) -> str | None:
    return _SEASONS[match["season"]] if match["season"] else "christmas" if match["feast"] else None


def _counted(match: re.Match[str], now: datetime) -> Span | None:
    stated = match["ago"] or match["rolling"]
    if not stated:
        return None
    written = re.match(_NUMBER, stated)
    number = _number(written[0]) if written else 1
    unit = next((unit for sign, unit in _UNITS if sign in stated.removesuffix("前")), "week")
    if match["rolling"]:
        return spans.within(number, unit, now)
    if unit in {"minute", "hour"}:
        return spans.moment_ago(number, unit, now)
    found = days(f"{number} {unit} ago", "en", spans.midnight(now), "past")
    return found and found[:2]


def _named(match: re.Match[str], now: datetime, tense: Tense) -> Span | None:
    if match["day"]:
        found = days(_DAYS.get(match["day"], match["day"]), "zh", spans.midnight(now), tense)
        return found and (spans.part_of_day(found[0], _PARTS[match["part"]]) if match["part"] else found[:2])
    if match["half_day"]:
        which: spans.Which = "last" if match["half_day"][0] == "昨" else "this"
        return spans.named(_PARTS[match["half_day"][1]], which, now)
    if match["which"]:
        return _relative(match, now)
    if match["bare_season"] or match["bare_feast"]:
        return spans.named(_SEASONS.get(match["bare_season"] or "", "christmas"), "at", now, tense)
    weekday = match["bare_weekday"] or match["day_of_week"]
    if not weekday and not match["bare_weekend"]:
        return None
    return spans.named(WEEKDAYS[_weekday(weekday)] if weekday else "weekend", "at", now, tense)


def _relative(match: re.Match[str], now: datetime) -> Span | None:
    if match["which"] in {"上上", "先々"}:
        found = days(f"2 {'month' if match['what'] == '月' else 'week'} ago", "en", spans.midnight(now), "past")
        whole = found and found[:2]
    else:
        whole = spans.named("month" if match["what"] == "月" else "week", _WHICH[match["which"]], now)
    if whole is None or not (match["weekend"] or match["weekday"]):
        return whole
    first = 5 if match["weekend"] else _weekday(match["weekday"])
    return spans.day_of(whole, first, 2 if match["weekend"] else 1)


def _weekday(sign: str) -> int:
    for signs in ("一二三四五六日", "月火水木金土天"):
        if sign in signs:
            return signs.index(sign)
    return 0


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + _DIGITS.get(ones, 0)
