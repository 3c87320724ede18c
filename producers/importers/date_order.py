"""Which number of a date is the day: decided over all dates of a file, never guessed from one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from mnemolog.producers.importers.chat_lines import Stamp
from mnemolog.schema.errors import InvalidInput, InvalidTime

DateOrder = Literal["dmy", "mdy", "ymd"]
DATE_ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd")
#: Years of two digits are of this century.
_CENTURY = 2000
_YEAR_DIGITS = 3


def date_of(stamp: Stamp, order: DateOrder) -> date | None:
    """The date of a stamp whose numbers stand in this order; None for one without. Raises InvalidTime for no date."""
    if stamp.numbers is None:
        return None
    numbers = [int(number) for number in stamp.numbers]
    year, month, day = (numbers[_own_order(stamp, order).index(part)] for part in "ymd")
    try:
        return date(year if year > 99 else _CENTURY + year, month, day)  # noqa: PLR2004
    except ValueError:
        raise InvalidTime(f"{stamp.separator.join(stamp.numbers)} is no date in the order {order}") from None


def _own_order(stamp: Stamp, order: DateOrder) -> DateOrder:
    """The order of a date that says it by itself, else the one given."""
    first, _, third = stamp.numbers or ("", "", "")
    if len(first) >= _YEAR_DIGITS:
        return "ymd"
    # No country writes the month first with full stops.
    return "dmy" if stamp.separator == "." and len(third) >= _YEAR_DIGITS else order


class Orders:
    """Collects the dates of a file, and says in which order they stand."""

    def __init__(self) -> None:
        self._last: dict[DateOrder, datetime] = {}
        self._backwards: dict[DateOrder, int] = dict.fromkeys(DATE_ORDERS, 0)
        self._wrong: dict[DateOrder, int] = dict.fromkeys(DATE_ORDERS, 0)
        self._differ = False
        self._example = ""

    def add(self, stamp: Stamp) -> None:
        """Takes the date of one more line, in the order of the file."""
        if stamp.numbers is None:
            return
        read = {order: self._read(stamp, order) for order in DATE_ORDERS}
        if read["dmy"] != read["mdy"]:
            self._differ = True
            self._example = self._example or stamp.separator.join(stamp.numbers)
        for order, day in read.items():
            if day is None:
                self._wrong[order] += 1
                continue
            at = datetime(day.year, day.month, day.day, stamp.hour, stamp.minute, stamp.second)  # noqa: DTZ001
            self._backwards[order] += order in self._last and at < self._last[order]
            self._last[order] = at

    def _read(self, stamp: Stamp, order: DateOrder) -> date | None:
        try:
            return date_of(stamp, order)
        except InvalidTime:
            return None

    def decide(self) -> DateOrder:
        """The one order in which all are dates, and run forward. Raises InvalidInput where two are possible."""
        if not self._differ:
            return "dmy"
        doubts = {order: (self._wrong[order], self._backwards[order]) for order in DATE_ORDERS}
        least = min(doubts["dmy"], doubts["mdy"])
        if doubts["ymd"] < least:
            return "ymd"
        fitting: list[DateOrder] = [order for order in DATE_ORDERS[:2] if doubts[order] == least]
        if len(fitting) == 1:
            return fitting[0]
        raise InvalidInput(
            f"dates such as {self._example} may begin with the day or with the month, and nothing in the file decides "
            "it: say --date-order dmy or --date-order mdy"
        )
