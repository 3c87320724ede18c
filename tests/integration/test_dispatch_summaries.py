"""Summaries while somebody talks: made once for a burst of changes, over a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from support.jobs import Desk
from support.stories import BEGIN_MS

from mnemolog.schema import keys
from mnemolog.schema.events import MessagePublished, SessionClosed
from mnemolog.schema.times import DAY
from mnemolog.workers.jobs import dispatcher
from mnemolog.workers.jobs.limits import JobLimits


@pytest.fixture
def desk(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(redis, redis_url, tmp_path / "data", JobLimits())
    yield desk
    desk.close()


def summaries_asked_for(desk: Desk) -> int:
    return int(desk.client.llen("rq:queue:mnemolog-consolidate"))  # type: ignore[arg-type]


def go_on_talking(desk: Desk) -> None:
    """A scene with a summary, and then a full window of a session that stays open, which changes the scene."""
    desk.say("I have a cat.", "I have a dog.", session="before")
    desk.finish()
    assert desk.get("SELECT count(*) FROM scenes WHERE NOT stale") == 1
    for number, content in enumerate(["I have a hamster.", *["Nice weather."] * 7]):
        said = MessagePublished(
            session="now",
            role="user",
            speaker="Ada",
            content=content,
            occurred_at=BEGIN_MS + DAY + number,
            seq=number,
        )
        desk.put(said)
    desk.fold()
    for kind in ("extract", "resolve"):
        desk.turn()
        desk.work(kinds=(kind,))
    assert [kind for _, _, kind in desk.jobs("due")] == ["consolidate"]


def test_a_summary_that_there_is_waits_while_somebody_talks(desk: Desk) -> None:
    go_on_talking(desk)
    desk.turn()
    assert summaries_asked_for(desk) == 0


def test_a_summary_is_made_when_the_session_ends(desk: Desk) -> None:
    go_on_talking(desk)
    desk.put(SessionClosed(session="now", occurred_at=BEGIN_MS + 2 * DAY))
    desk.fold()
    desk.turn()
    assert summaries_asked_for(desk) == 1


def test_a_summary_is_made_when_nothing_is_said_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on_talking(desk)
    monkeypatch.setattr(dispatcher, "TALK_PAUSE_MS", 0)
    desk.turn()
    assert summaries_asked_for(desk) == 1


def test_a_summary_does_not_wait_for_ever(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on_talking(desk)
    monkeypatch.setattr(dispatcher, "TALK_MS", 0)
    desk.turn()
    assert summaries_asked_for(desk) == 1


def test_a_summary_is_made_when_somebody_waits_for_it(desk: Desk) -> None:
    go_on_talking(desk)
    desk.client.set(keys.awaited("default"), b"1", px=60_000)
    desk.turn()
    assert summaries_asked_for(desk) == 1


def test_the_first_summary_of_a_scene_is_made_while_somebody_talks(desk: Desk) -> None:
    for number, content in enumerate(["I have a cat.", "I have a dog.", *["Nice weather."] * 6]):
        said = MessagePublished(
            session="now", role="user", speaker="Ada", content=content, occurred_at=BEGIN_MS + number
        )
        desk.put(said)
    desk.fold()
    for kind in ("extract", "resolve"):
        desk.turn()
        desk.work(kinds=(kind,))
    desk.turn()
    assert summaries_asked_for(desk) == 1
