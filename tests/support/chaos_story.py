"""A conversation that gives the rules all they can do, and a run of it that nothing disturbs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis as redis_py

from mnemolog.producers.client import Producer
from mnemolog.producers.messages import Message
from mnemolog.projections.integrity import CONTENT_QUERIES
from mnemolog.schema.events import PolicySet
from mnemolog.schema.policy import CapPolicy, Policy
from mnemolog.schema.times import DAY, MINUTE
from support.jobs import Desk
from support.stories import BEGIN_MS, append, event, file_hashes, rows

_SAID = (
    "I live in {0} now.",
    "I moved to {0}.",
    "I work at {1}.",
    "I left {1} and started at Initech.",
    "I like {2}.",
    "I don't like {2} anymore.",
    "I also know some {3}.",
    "I prefer {3}.",
    "We decided to use {3} for the backend.",
    "If I moved to {0} I would need a car.",
    "It rains.",
)
_VALUES = (
    ("Berlin", "Lisbon", "Rome", "Oslo"),
    ("Acme", "Globex", "Hooli"),
    ("jazz", "techno", "yoga", "tea"),
    ("Python", "Rust", "Go"),
)
SESSION = 10


def conversation(count: int, seed: int) -> list[Message]:
    """Messages in sessions of ten, a day apart, with ids and times of the caller's own.

    Nobody says much: which facts a conflict of somebody who changes a lot is judged against depends on which jobs were
    done before.
    """
    chance = random.Random(seed)
    return [
        Message(
            role="user",
            content=chance.choice(_SAID).format(*map(chance.choice, _VALUES)),
            session=f"s{number // SESSION:04d}",
            speaker=f"person {chance.randrange(1 + count // 12)}",
            occurred_at=BEGIN_MS + number // SESSION * DAY + number % SESSION * MINUTE,
            event_id=f"m{number:05d}",
            seq=number,
        )
        for number in range(count)
    ]


def sessions_of(messages: list[Message]) -> Iterator[tuple[str, list[Message]]]:
    """The messages session by session."""
    for start in range(0, len(messages), SESSION):
        yield messages[start].session, messages[start : start + SESSION]


def tell(producer: Producer, session: str, said: list[Message]) -> None:
    """Publishes a whole session; to do so again changes nothing."""
    producer.publish_many(said)
    producer.close_session(session, occurred_at=said[-1].occurred_at, event_id=f"closed-{session}")


def differences(file: Path, undisturbed: Path) -> list[str]:
    """In what two files differ that were told the same: all that the content hash covers."""
    found = []
    for table, query in CONTENT_QUERIES.items():
        ours, theirs = set(rows(file, query)), set(rows(undisturbed, query))
        if ours != theirs:
            found.append(f"{table}: {sorted(ours - theirs, key=str)[:3]} against {sorted(theirs - ours, key=str)[:3]}")
    if not found and file_hashes(file).content_hash != file_hashes(undisturbed).content_hash:
        found.append("the content hash")
    return found


def without_a_cap() -> bytes:
    """The policy of these stories: what one job may retire without a person depends on which jobs were done before."""
    return event("policy", PolicySet(policy=Policy(caps=CapPolicy(retire_count=1_000))))


@contextmanager
def undisturbed_run(client: redis_py.Redis, url: str, data: Path, messages: list[Message]) -> Iterator[Desk]:
    """The same told to a memory in one process, its jobs done by the rules one after the other."""
    client.flushall()
    with closing(Desk(client, url, data)) as desk, Producer("default", redis_url=url) as producer:
        append(client, [without_a_cap()])
        for session, said in sessions_of(messages):
            tell(producer, session, said)
        desk.fold()
        desk.finish()
        yield desk
