"""A memory to erase from, and the search for what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mnemolog.projections.connection import open_reader
from mnemolog.projections.integrity import verify
from mnemolog.schema import archive
from mnemolog.schema.controls import ErasureRequested, salted
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.events import MessagePublished, SessionClosed
from mnemolog.workers.erasing import plans
from mnemolog.workers.rebuilding import replay
from support.jobs import Desk
from support.raw import found_in
from support.redis_server import RedisServer
from support.stories import BEGIN_MS, SmallEmbedder

FACTS = "SELECT content FROM cells JOIN nodes USING (node_id) ORDER BY content"
HOUR = 3_600_000
#: Words that stand in what Ben said and nowhere else.
MARK = "Zyxgard"
KEPT = ["Ada has a dog named Rex.", "Ada likes jazz.", "Ada works at Acme."]


@contextmanager
def two_people(server: RedisServer, data: Path) -> Iterator[Desk]:
    """Ada and Ben, each in a session of their own, and one that they share."""
    with log_client(server.url) as client:
        desk = Desk(client, server.url, data)
        desk.say("I work at Acme.", "My dog is called Rex.", session="ada", at=BEGIN_MS)
        desk.say(f"I work at {MARK}.", f"I live in {MARK} Town.", session="ben", speaker="Ben", at=BEGIN_MS + 24 * HOUR)
        shared(desk)
        desk.finish()
        yield desk
        desk.close()


def shared(desk: Desk) -> None:
    at = BEGIN_MS + 48 * HOUR
    for number, (who, words) in enumerate([("Ada", "I like jazz."), ("Ben", f"My cat is called {MARK}ius.")]):
        desk.put(
            MessagePublished(session="both", role="user", speaker=who, content=words, occurred_at=at + number * 60_000),
            f"both-{number}",
        )
    desk.put(SessionClosed(session="both", occurred_at=at + HOUR))
    desk.fold()


def salt_of(desk: Desk) -> str:
    return str(desk.get("SELECT salt FROM space"))


def ask(desk: Desk, what: Any, name: str = "", event_id: str | None = None) -> None:
    """Asks for an erasure, as the command does."""
    hashed = salted(salt_of(desk), what, name) if what != "space" else ""
    desk.put(ErasureRequested(what=what, hash=hashed), event_id)


def erase(desk: Desk, what: Any, name: str = "") -> None:
    ask(desk, what, name)
    desk.fold()


def facts(desk: Desk) -> list[str]:
    return [content for (content,) in desk.rows(FACTS)]


def sound(desk: Desk) -> None:
    """The file holds together, and so replays in batches of any size."""
    with closing(open_reader(desk.settings.file)) as reader:
        assert [problem for problem in verify(reader).problems if not problem.startswith("vectors")] == []
    for batch in (1, 7, 1_000):
        assert replay.verify(desk.settings, SmallEmbedder(), batch=batch, progress=lambda _: None).equal is True
    assert archive.check(desk.settings.archive) == []


def leaves(desk: Desk, server: RedisServer, *words: str) -> list[str]:
    """Where some words can still be read: in the bytes of any file, and in any key of Redis."""
    return found_in([desk.settings.data, server.folder], desk.client, words)


def reopened(desk: Desk) -> None:
    """Another writer takes over, as after a kill."""
    let_go(desk)
    taken(desk)


def let_go(desk: Desk) -> None:
    """The writer ends."""
    desk.dispatcher.close()
    desk.writer.close()


def taken(desk: Desk) -> None:
    """Another writer takes the space."""
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher


def contents(desk: Desk) -> list[str]:
    return [content for (content,) in desk.rows("SELECT content FROM nodes WHERE type = 'episodic'")]


def hurried(desk: Desk) -> Any:
    """The writer, for which it is time to clean Redis again."""
    plans.clean_at(desk.settings, (0,))
    return desk.writer
