"""Small histories told in sentences, read and judged by the rules: the same intervals in every order of import."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import START_MS, days
from support.telling import Telling

from mnemolog.projections.facts import Fact
from mnemolog.projections.integrity import content_hash
from mnemolog.projections.verdicts import retiring
from mnemolog.schema.requests import FactConfirmed, FactUnpinned, VerdictGiven

#: What holds for ever, in an expected interval.
OPEN = None
#: The interval of what was never true.
NEVER = ("never", "true")

Interval = tuple[Any, Any]
Said = tuple[float, str] | tuple[float, str, dict[str, Any]]


class History(msgspec.Struct, frozen=True):
    """Who said what on which day, and the facts: (object with its polarity, (from, until)) in days.

    `told_alike` is False where the words of a fact depend on what was known when it was read.
    """

    name: str
    said: tuple[Said, ...]
    expected: tuple[tuple[str, Interval], ...]
    told_alike: bool = True


HISTORIES = [
    History(
        "a return makes three intervals",
        ((0, "I prefer Python."), (7, "I'm writing in Rust now."), (14, "Back to Python after all.")),
        (("python", (0, 7)), ("python", (14, OPEN)), ("rust", (7, 14))),
    ),
    History(
        "four changes of one value make five intervals",
        (
            (0, "My favorite editor is Vim."),
            (3, "I switched to Emacs."),
            (6, "I switched to Helix."),
            (9, "I'm back to Vim."),
        ),
        (("emacs", (3, 6)), ("helix", (6, 9)), ("vim", (0, 3)), ("vim", (9, OPEN))),
    ),
    History(
        "a new employer ends the old one, and a stated past ends nothing",
        ((0, "I work at Company A."), (7, "I started at Company B."), (8, "In 2019 I worked at Initech.")),
        (("company a", (0, 7)), ("company b", (7, OPEN)), ("initech", (-2624, -2259))),
    ),
    History(
        "a job between two others that is told last stands between them",
        ((0, "I work at Acme."), (30, "I started at Bolt."), (60, "I started at Coil.")),
        (("acme", (0, 30)), ("bolt", (30, 60)), ("coil", (60, OPEN))),
    ),
    History(
        "quitting ends a job, and another begins later",
        ((0, "I work at Acme."), (30, "I quit my job."), (60, "I started at Globex.")),
        (("-", (30, OPEN)), ("acme", (0, 30)), ("globex", (60, OPEN))),
    ),
    History(
        "a fact that is told again holds from its first beginning",
        ((0, "I work at Acme."), (30, "I work at Acme."), (60, "I started at Globex.")),
        (("acme", (0, 30)), ("acme", (30, 60)), ("globex", (60, OPEN))),
    ),
    History(
        "backdated moves begin when they are said to have been",
        (
            (0, "I live in Munich."),
            (30, "I've lived in Berlin since March 15."),
            (40, "I moved to Hamburg on April 10."),
        ),
        (("berlin", (6, 32)), ("hamburg", (32, OPEN)), ("munich", (0, 6))),
    ),
    History(
        "a move in a month that is past",
        ((-60, "I live in Munich."), (0, "I used to live in Munich but moved to Berlin last month.")),
        (("berlin", (-36, OPEN)), ("munich", (-60, -36)), ("munich", (-36, -36))),
    ),
    History(
        "a week elsewhere ends by itself, and the residence goes on until a move",
        ((-30, "I live in Berlin."), (2, "I'm in Lisbon this week."), (20, "I moved to Porto.")),
        (("berlin", (-30, 20)), ("lisbon", (0, 7)), ("porto", (20, OPEN))),
    ),
    History(
        "what has an end of its own ends then",
        ((0, "I work at Acme until the end of April."), (60, "I started at Bolt.")),
        (("acme", (0, 53)), ("bolt", (60, OPEN))),
    ),
    History(
        "one of two likings ends, and comes back",
        (
            (0, "I like jazz."),
            (1, "I like techno too."),
            (9, "I don't like techno anymore."),
            (12, "I like techno again."),
        ),
        (("-techno", (9, 12)), ("jazz", (0, OPEN)), ("techno", (1, 9)), ("techno", (12, OPEN))),
    ),
    History(
        "a refinement leaves what it refines",
        ((0, "I love yoga."), (5, "Really into power yoga lately.")),
        (("power yoga", (5, OPEN)), ("yoga", (0, OPEN))),
    ),
    History(
        "a diet ends without another",
        ((0, "I'm vegetarian."), (50, "I'm not vegetarian anymore.")),
        (("-vegetarian", (50, OPEN)), ("vegetarian", (0, 50))),
    ),
    History(
        "a decision is taken back",
        ((0, "We use MySQL for the shop."), (5, "We'll use Postgres instead of MySQL.")),
        (("mysql", (0, 5)), ("postgres", (5, OPEN))),
    ),
    History(
        "a task ends when it is done",
        ((0, "Send the invoice by Friday, I must."), (4, "Invoice sent.")),
        (("send invoice", (0, 4)), ("send invoice", (4, OPEN))),
    ),
    History(
        "a plan ends when it has come true, and changes nothing before",
        ((0, "I live in Berlin."), (1, "I'm moving to Rome next month."), (40, "I moved to Rome.")),
        (("berlin", (0, 40)), ("rome", (1, 40)), ("rome", (40, OPEN))),
    ),
    History(
        "an opinion and another skill leave a preference alone",
        ((0, "I prefer Rust."), (1, "I think Rust is hard."), (2, "I also know some Go.")),
        (("go", (2, OPEN)), ("hard", (1, OPEN)), ("rust", (0, OPEN))),
    ),
    History(
        "people do not share their facts",
        (
            (0, "I moved to Rome.", {"speaker": "Ben"}),
            (1, "I live in Berlin."),
            (2, "I moved to Oslo.", {"speaker": "Ben"}),
        ),
        (("berlin", (1, OPEN)), ("oslo", (2, OPEN)), ("rome", (0, 2))),
    ),
    History(
        "a correction takes over the beginning of what was never true, and its end",
        ((0, "I work at A."), (7, "I started at B."), (8, "I meant C, not B."), (20, "I started at D.")),
        (("a", (0, 7)), ("b", NEVER), ("c", (7, 20)), ("d", (20, OPEN))),
        told_alike=False,
    ),
    History(
        "a correction of what was said first",
        ((0, "I live in Rome."), (1, "Sorry, I meant Milan, not Rome."), (9, "I moved to Turin.")),
        (("milan", (0, 9)), ("rome", NEVER), ("turin", (9, OPEN))),
        told_alike=False,
    ),
    History(
        "a move told in German",
        ((0, "Ich wohne in Köln."), (5, "Ich wohne jetzt in Hamburg.")),
        (("cologne", (0, 5)), ("hamburg", (5, OPEN))),
    ),
    History(
        "a liking that ends in Chinese",
        ((0, "我喜欢咖啡。"), (5, "我不再喜欢咖啡了。")),
        (("-coffee", (5, OPEN)), ("coffee", (0, 5))),
    ),
]


def day_of(ms: int | None) -> float | None:
    return None if ms is None else round((ms - START_MS) / days(1), 2)


def shown(fact: Fact) -> tuple[str, Interval]:
    sign = "-" if fact.polarity < 0 else ""
    return sign + fact.object, NEVER if fact.status == "corrected" else (
        day_of(fact.valid_from),
        day_of(fact.valid_until),
    )


def order_of(row: tuple[str, Interval]) -> tuple[str, str]:
    return row[0], f"{row[1][0]:>9}"


def hear(telling: Telling, said: Said) -> None:
    day, text, *more = said
    telling.hear(text, day, **(more[0] if more else {}))


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
def test_a_history_has_its_intervals_in_every_order_of_import(history: History, at_once: bool, tmp_path: Path) -> None:
    hashes = set()
    for number, order in enumerate(permutations(history.said)):
        with Telling(tmp_path / f"{number}.db") as telling:
            for said in order:
                hear(telling, said)
                if not at_once:
                    telling.work_off()
            telling.work_off()
            assert sorted(map(shown, telling.known()), key=order_of) == sorted(history.expected, key=order_of), order
            hashes.add(content_hash(telling.memory.connection))
    assert len(hashes) == 1 or not history.told_alike


def test_a_fact_told_twice_holds_since_the_first_time(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        for day in (30, 0):
            telling.hear("I work at Acme.", day)
        telling.work_off()
        (live,) = [fact for fact in telling.known() if fact.superseded_by is None]
        assert (day_of(live.since), day_of(live.valid_from), len(live.event_ids)) == (0, 30, 2)


def test_a_plan_that_nobody_closed_ends_in_the_unknown(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I'm flying to Rome next week.", 0)
        telling.work_off()
        assert [fact.note for fact in telling.known(at=3)] == [""]
        assert [fact.note for fact in telling.known(at=23)] == ["planned for 2026-03-22, outcome unknown"]


# ---- forgotten, and told again --------------------------------------------------------------------------------------


def employers(telling: Telling, *statuses: str) -> list[str]:
    return sorted(fact.object for fact in telling.known(at=500) if fact.status in (statuses or ("live",)))


def test_what_was_forgotten_stays_so_when_it_is_imported_again(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I work at Acme.", 0)
        telling.work_off()
        telling.forget("I work at Acme.")
        telling.hear("I work at Acme.", 0)
        telling.hear("I work at Acme.", 0, event_id="told-again")
        telling.work_off()
        assert employers(telling) == []
        assert employers(telling, "forgotten") == ["acme"]


@pytest.mark.parametrize("order", list(permutations(("old", "other", "new"))))
def test_what_was_forgotten_lives_again_when_it_is_said_later(order: tuple[str, ...], tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I live in Rome.", 0)
        telling.work_off()
        telling.forget("I live in Rome.")
        later = telling.today + 3
        telling.memory.now += days(20)
        told = {
            "old": ("I live in Rome.", 10),
            "other": ("I live in Oslo.", later),
            "new": ("I live in Rome.", later + 5),
        }
        for name in order:
            text, day = told[name]
            telling.hear(text, day, event_id=name)
            telling.work_off()
        telling.work_off()
        open_ended = [fact for fact in telling.known(at=later + 9) if fact.status == "live"]
        assert [(fact.object, day_of(fact.valid_from)) for fact in open_ended] == [("rome", later + 5)]


class Forgotten(msgspec.Struct, frozen=True):
    """A history of which one sentence is forgotten at the end, and then something is done; the intervals of the rest."""

    name: str
    said: tuple[Said, ...]
    forgotten: str
    expected: tuple[tuple[str, Interval], ...]


FORGOTTEN = [
    Forgotten(
        "what is so now, and what was so before does not come back",
        ((0, "I prefer Python."), (7, "I'm writing in Rust now.")),
        "I'm writing in Rust now.",
        (("python", (0, 7)),),
    ),
    Forgotten(
        "what was so between, and the two others keep their times",
        ((0, "I prefer Python."), (7, "I'm writing in Rust now."), (14, "Back to Python after all.")),
        "I'm writing in Rust now.",
        (("python", (0, 7)), ("python", (14, OPEN))),
    ),
    Forgotten(
        "the return, and what it came back from is over all the same",
        ((0, "I prefer Python."), (7, "I'm writing in Rust now."), (14, "Back to Python after all.")),
        "Back to Python after all.",
        (("python", (0, 7)), ("rust", (7, 14))),
    ),
    Forgotten(
        "the first of several, and the later ones are as they were",
        ((0, "I work at Acme."), (30, "I started at Bolt."), (60, "I started at Coil.")),
        "I work at Acme.",
        (("bolt", (30, 60)), ("coil", (60, OPEN))),
    ),
    Forgotten(
        "an end, and what had ended is over all the same",
        ((0, "I like techno."), (9, "I don't like techno anymore.")),
        "I don't like techno anymore.",
        (("techno", (0, 9)),),
    ),
    Forgotten(
        "a correction, and what it corrected was never true all the same",
        ((0, "I live in Rome."), (1, "Sorry, I meant Milan, not Rome.")),
        "Sorry, I meant Milan, not Rome.",
        (("rome", NEVER),),
    ),
    Forgotten(
        "what was never true, which ended nothing either",
        ((0, "I work at A."), (7, "I started at B."), (8, "I meant C, not B.")),
        "I started at B.",
        (("a", (0, 7)), ("c", (7, OPEN))),
    ),
]


@pytest.mark.parametrize("history", FORGOTTEN, ids=lambda history: history.name)
def test_forgetting_leaves_the_times_of_the_rest_as_they_were(history: Forgotten, tmp_path: Path) -> None:
    for number, order in enumerate(permutations(history.said)):
        with Telling(tmp_path / f"{number}.db") as telling:
            for said in order:
                hear(telling, said)
            telling.work_off()
            telling.forget(history.forgotten)
            telling.work_off()
            rest = [shown(fact) for fact in telling.known() if fact.status != "forgotten"]
            assert sorted(rest, key=order_of) == sorted(history.expected, key=order_of), order


def test_what_a_forgotten_fact_closed_lives_again_once_a_person_says_so(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I work at Acme.", 0)
        telling.hear("I started at Bolt.", 7)
        telling.work_off()
        telling.forget("I started at Bolt.")
        assert employers(telling) == []
        acme = next(fact for fact in telling.known() if fact.object == "acme")
        for other in retiring(telling.memory.connection, acme.node_id):
            telling.memory.add(VerdictGiven(first=acme.node_id, second=other, ruling="compatible"))
        assert employers(telling) == ["acme"]


# ---- pinned ---------------------------------------------------------------------------------------------------------


def test_a_pinned_fact_outlives_ten_years_and_not_its_successor(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I think Rust is hard.", 0)
        telling.hear("I work at Acme.", 0)
        telling.work_off()
        for fact in telling.known():
            telling.memory.add(FactConfirmed(node_id=fact.node_id))
        assert {fact.status for fact in telling.known(at=telling.today + 3_650)} == {"live"}

        telling.hear("I started at Bolt.", 20)
        telling.work_off()
        opinion = next(fact for fact in telling.known() if fact.type == "opinion")
        telling.memory.add(FactUnpinned(node_id=opinion.node_id))
        statuses = {fact.object: fact.status for fact in telling.known(at=telling.today + 3_650)}
        assert statuses == {"hard": "faded", "acme": "superseded", "bolt": "faded"}
