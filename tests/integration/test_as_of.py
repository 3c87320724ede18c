"""Two time axes over the small histories: what was true at every step, and what had been learned by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from integration.test_histories import HISTORIES, NEVER, History, Interval, day_of, hear, order_of, shown
from support.folding import START_MS, Words, days
from support.telling import Telling

from mnemolog.projections.context import context
from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.history import history
from mnemolog.projections.recall import Result, recall
from mnemolog.projections.scenes import scenes_at
from mnemolog.projections.search.filters import Filters
from mnemolog.schema.archive import ArchiveWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.requests import NodesRecalled
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding import known

ORDERS: dict[str, Callable[[Iterable[object]], list[object]]] = {
    "in order": list,
    "backwards": lambda said: list(reversed(list(said))),
}


@contextmanager
def told(path: Path, said: Iterable[object]) -> Iterator[Telling]:
    """A memory that was told everything, worked off one by one."""
    with Telling(path) as telling:
        for one in said:
            hear(telling, one)  # type: ignore[arg-type]
            telling.work_off()
        yield telling


def at(day: float) -> int:
    return START_MS + days(day)


def truth(history: History, day: float) -> list[str]:
    """What holds on a day by the expected intervals."""
    return sorted(name for name, interval in history.expected if interval != NEVER and _holds(interval, day))


def _holds(interval: Interval, day: float) -> bool:
    begin, end = interval
    return bool(begin <= day and (end is None or day < end))


def live(connection: apsw.Connection, day: float) -> list[Fact]:
    return facts(connection, at(day))


def name_of(fact: Fact) -> str:
    return shown(fact)[0]


def as_of(connection: apsw.Connection, query: str, day: float) -> list[Result]:
    filters = Filters(said_until=at(day))
    return recall(connection, query, embedder=Words(), now=at(day), limit=100, filters=filters)


# ---- what was true then ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("story", HISTORIES, ids=lambda story: story.name)
def test_asking_as_of_every_step_gives_the_truth_of_that_step(story: History, order: str, tmp_path: Path) -> None:
    with told(tmp_path / "a.db", ORDERS[order](story.said)) as telling:
        for day, *_ in story.said:
            found = live(telling.memory.connection, day)
            assert sorted(map(name_of, found)) == truth(story, day), day


@pytest.mark.parametrize("story", HISTORIES, ids=lambda story: story.name)
def test_recall_as_of_every_step_finds_what_was_true_and_nothing_that_was_said_later(
    story: History, tmp_path: Path
) -> None:
    with told(tmp_path / "a.db", story.said) as telling:
        connection = telling.memory.connection
        everything = telling.known()
        for day, *_ in story.said:
            true = {fact.node_id for fact in live(connection, day)}
            for fact in everything:
                found = as_of(connection, fact.content, day)
                ids = {result.node_id for result in found if result.type != "episodic"}
                assert ids <= true, (day, fact.content)
                assert fact.node_id in ids or fact.node_id not in true or _is_told(found, fact), (day, fact.content)
                assert all(result.occurred_at <= at(day) for result in found if result.type == "episodic")


def _is_told(found: list[Result], fact: Fact) -> bool:
    """Whether another result of the same words stands for a fact."""
    return any(result.content == fact.content for result in found)


def test_a_context_and_the_scenes_as_of_a_day_tell_nothing_that_came_later(tmp_path: Path) -> None:
    said = ((0, "I work at Acme."), (7, "I started at Bolt."), (8, "I live in Oslo."), (14, "I started at Coil."))
    with told(tmp_path / "a.db", said) as telling:
        connection = telling.memory.connection
        for day, company, later in ((0, "Acme", "Bolt"), (8, "Bolt", "Coil")):
            asked = {"embedder": Words(), "now": at(day), "filters": Filters(said_until=at(day))}
            text = context(connection, "Which company does Ada work at?", **asked).text
            assert company in text
            assert later not in text
            assert "until" not in text.partition(company)[2].partition("before")[0]
            summaries = " ".join(scene.summary for scene in scenes_at(connection, at(day)))
            assert company in summaries
            assert later not in summaries


def test_a_history_as_of_a_day_ends_with_what_had_begun_by_then(tmp_path: Path) -> None:
    said = ((0, "I work at Acme."), (7, "I started at Bolt."), (14, "I started at Coil."))
    with told(tmp_path / "a.db", said) as telling:
        connection = telling.memory.connection
        oldest = min(telling.known(), key=lambda fact: fact.valid_from)
        for day, companies in ((1, ["acme"]), (8, ["acme", "bolt"]), (15, ["acme", "bolt", "coil"])):
            links = history(connection, oldest.node_id, at(day), until=at(day))
            assert [link.fact.object for link in links] == companies


def test_a_recall_after_the_day_asked_about_does_not_count_for_it(tmp_path: Path) -> None:
    with told(tmp_path / "a.db", ((0, "I prefer Python."),)) as telling:
        memory = telling.memory
        (fact,) = telling.known(at=telling.today)
        faded = fact.fades_at
        assert faded is not None
        memory.now = faded + days(10)
        memory.add(NodesRecalled(recalls=((memory.now, (fact.node_id,)),)))
        for moment, count in ((faded - days(1), 1), (faded + days(1), 0), (memory.now + days(1), 1)):
            assert len(facts(memory.connection, moment)) == count


# ---- what had been learned by then -------------------------------------------------------------------------------


def archived(telling: Telling, data: Path) -> Settings:
    """The memory's log as the archive of a space."""
    settings = Settings(data=data, space="test")
    writer = ArchiveWriter(settings.archive)
    writer.append(telling.memory.log)
    writer.close()
    return settings


def intervals(found: Iterable[Fact]) -> list[tuple[str, Interval]]:
    return sorted(map(shown, found), key=order_of)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("story", HISTORIES, ids=lambda story: story.name)
def test_what_was_known_at_every_step_is_what_had_been_told_by_then(story: History, order: str, tmp_path: Path) -> None:
    said = ORDERS[order](story.said)
    ends: list[Position] = []
    with Telling(tmp_path / "a.db") as telling:
        for one in said:
            hear(telling, one)  # type: ignore[arg-type]
            telling.work_off()
            ends.append(telling.memory.log[-1].position)
        settings = archived(telling, tmp_path)
    for count, end in enumerate(ends, 1):
        with (
            told(tmp_path / f"{count}.db", said[:count]) as until_then,
            known.opened(settings, Words(), end) as found,
        ):
            learned = facts(found.connection, at(10_000), everything=True)
            assert found.position == end
            assert intervals(learned) == intervals(until_then.known())


def test_an_old_conversation_that_is_imported_late_was_true_then_and_not_known_before(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I started at Bolt.", 7)
        telling.work_off()
        before = telling.memory.log[-1].position
        telling.hear("I work at Acme.", 0)
        telling.work_off()
        settings = archived(telling, tmp_path)
        after = telling.memory.log[-1].position

    def objects(moment: known.Moment, day: float) -> list[str]:
        with known.opened(settings, Words(), moment) as found:
            return [fact.object for fact in facts(found.connection, at(day))]

    assert (objects(before, 1), objects(before, 8)) == ([], ["bolt"])
    assert (objects(after, 1), objects(after, 8)) == (["acme"], ["bolt"])
    with known.opened(settings, Words(), before) as found:
        assert as_of(found.connection, "Where does Ada work?", 1) == []
        assert [fact.object for fact in facts(found.connection, at(500), everything=True)] == ["bolt"]
        assert day_of(facts(found.connection, at(8))[0].valid_until) is None
