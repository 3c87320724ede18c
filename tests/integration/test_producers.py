"""Publishing with both producers against a real Redis: one set of behaviours, run by each."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pytest
import redis as redis_py
from support import start_python
from support.proxy import Proxy

from mnemolog.producers import AsyncProducer, Message, Producer, Published
from mnemolog.producers.appending import version_of
from mnemolog.schema import keys
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import (
    InvalidContent,
    InvalidInput,
    InvalidTime,
    LogFull,
    LogRefused,
    LogUnavailable,
    StreamLost,
)
from mnemolog.schema.events import (
    MAX_CONTENT_BYTES,
    MAX_METADATA_BYTES,
    Event,
    MessagePublished,
    SessionClosed,
    SpaceCreated,
)
from mnemolog.schema.ids import Position
from mnemolog.schema.policy import Policy
from mnemolog.schema.stream import Stream

SPACE = "home"
MARCH = 1_773_050_400_000

#: Publishes as many messages as it is told to, when it is told to, in a process of its own.
PUBLISHER = """
import sys
from mnemolog.producers import Producer
with Producer("home", redis_url=sys.argv[1]) as producer:
    for number in range(int(sys.argv[3])):
        producer.publish("user", f"{number}", f"session {sys.argv[2]}")
print("published")
"""


class Blocking:
    """A Producer behind the methods of its asyncio twin; each call runs in a thread."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.producer = Producer(*args, **options)

    async def publish(self, *args: Any, **options: Any) -> Published:
        return await asyncio.to_thread(self.producer.publish, *args, **options)

    async def publish_many(self, messages: Sequence[Message]) -> list[Published]:
        return await asyncio.to_thread(self.producer.publish_many, messages)

    async def close_session(self, *args: Any, **options: Any) -> Published:
        return await asyncio.to_thread(self.producer.close_session, *args, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.producer.close()


Door = Blocking | AsyncProducer


def published(redis: redis_py.Redis) -> list[tuple[Position, Event]]:
    return [(entry.position, decode(entry.body)) for entry in Stream(redis, SPACE).range(Position(0, 0), 100_000)]


def contents(redis: redis_py.Redis) -> list[str]:
    return [event.payload.content for _, event in published(redis) if isinstance(event.payload, MessagePublished)]


def types(redis: redis_py.Redis) -> Counter[str]:
    return Counter(event.type for _, event in published(redis))


@pytest.fixture
def socket_path(redis: redis_py.Redis) -> str:
    path: str = redis.connection_pool.connection_kwargs["path"]
    return path


@pytest.fixture
def full_redis(redis: redis_py.Redis) -> Iterator[Callable[[bool], None]]:
    """Fills Redis and empties it again."""

    def fill(full: bool) -> None:
        redis.config_set("maxmemory", 1 if full else 0)

    yield fill
    fill(False)


@pytest.fixture
def reader_url(redis: redis_py.Redis, redis_url: str) -> Iterator[str]:
    """The URL of a user who may read alone; its password is `right`."""
    redis.acl_setuser("reader", enabled=True, passwords=["+right"], keys=["*"], categories=["+@read", "+@connection"])
    yield f"{redis_url}?username=reader&password="
    redis.acl_deluser("reader")


REFUSED: list[tuple[dict[str, Any], type[InvalidInput], str]] = [
    ({"content": "half \ud83d"}, InvalidContent, "lone surrogate"),
    ({"content": "a\x00b"}, InvalidContent, "NUL"),
    ({"content": "x" * (MAX_CONTENT_BYTES + 1)}, InvalidContent, "the most is 2,097,152"),
    ({"metadata": {"a": 1j}}, InvalidContent, "metadata cannot be written as JSON"),
    ({"metadata": {"a": "x" * MAX_METADATA_BYTES}}, InvalidContent, "the most is 65,536"),
    ({"occurred_at": datetime(2026, 3, 9)}, InvalidTime, "has no offset"),  # noqa: DTZ001
    ({"occurred_at": 1_773_050_400.5}, InvalidTime, "not float"),
    ({"role": "judge"}, InvalidInput, "role is one of"),
    ({"session": ""}, InvalidInput, "session has 1 to 200"),
    ({"event_id": "x" * 201}, InvalidInput, "event_id has 1 to 200"),
    ({"seq": -1}, InvalidInput, "seq is a counter"),
    ({"source_type": "rumour"}, InvalidContent, "rumour"),
]


class ProducerBehaviour(ABC):
    """What both producers do. `make` opens one; `after_first_append` runs something between its first two commands."""

    @abstractmethod
    def make(self, *args: Any, **options: Any) -> Door: ...

    @abstractmethod
    def after_first_append(self, door: Door, action: Callable[[], Awaitable[object]]) -> None: ...

    # ---- what is published -------------------------------------------------------------------------------------

    async def test_publishing_returns_when_the_entry_stands_on_the_stream(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            done = await door.publish("user", "I prefer Python.", "s1")
        assert UUID(done.event_id).version == 7
        position, event = published(redis)[-1]
        assert (position, event.id) == (done.position, done.event_id)
        assert event.payload == MessagePublished(session="s1", role="user", content="I prefer Python.")
        assert abs(event.at - position.ms) < 60_000

    async def test_the_first_event_of_a_space_creates_it_with_its_policy_and_a_salt(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.publish("user", "one", "s1")
            await door.publish("user", "two", "s1")
        first = published(redis)[0][1].payload
        assert isinstance(first, SpaceCreated)
        assert (first.space, first.policy) == (SPACE, Policy())
        assert types(redis) == {"space_created": 1, "message_published": 2}

    async def test_the_callers_id_time_and_counter_are_kept(self, redis: redis_py.Redis, redis_url: str) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            done = await door.publish(
                "assistant",
                "Noted.",
                "s1",
                speaker="bot",
                occurred_at="2026-03-09T11:00:00+01:00",
                event_id="m-1",
                seq=7,
                metadata={"model": "x", "tags": [1]},
                source_type="recall",
            )
            await door.publish("user", "later", "s1", occurred_at=datetime(2026, 3, 9, 10, tzinfo=UTC))
        assert done.event_id == "m-1"
        first, second = [event for _, event in published(redis)][1:]
        assert first.id == "m-1"
        assert first.payload == MessagePublished(
            session="s1",
            role="assistant",
            content="Noted.",
            speaker="bot",
            occurred_at=MARCH,
            utc_offset_min=60,
            seq=7,
            source_type="recall",
            metadata={"model": "x", "tags": [1]},
        )
        assert isinstance(second.payload, MessagePublished)
        assert (second.payload.occurred_at, second.payload.utc_offset_min) == (MARCH, 0)

    async def test_a_thousand_messages_are_published_in_order(self, redis: redis_py.Redis, redis_url: str) -> None:
        messages = [
            Message(role="user", content=f"message {number}", session="s1", event_id=f"m-{number}", seq=number)
            for number in range(1_000)
        ]
        async with self.make(SPACE, redis_url=redis_url) as door:
            done = await door.publish_many(messages)
        assert contents(redis) == [message.content for message in messages]
        assert [(one.event_id, one.position) for one in done] == [
            (event.id, position) for position, event in published(redis)[1:]
        ]
        assert types(redis) == {"space_created": 1, "message_published": 1_000}

    async def test_publishing_nothing_creates_nothing(self, redis: redis_py.Redis, redis_url: str) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            assert await door.publish_many([]) == []
        assert redis.keys() == []

    async def test_the_longest_message_is_published(self, redis: redis_py.Redis, redis_url: str) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.publish("user", "é" * (MAX_CONTENT_BYTES // 2), "s1")
        assert contents(redis) == ["é" * (MAX_CONTENT_BYTES // 2)]

    async def test_a_session_is_closed_by_an_event(self, redis: redis_py.Redis, redis_url: str) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.close_session("s1", occurred_at=MARCH, event_id="c-1")
        _, event = published(redis)[-1]
        assert (event.id, event.payload) == ("c-1", SessionClosed(session="s1", occurred_at=MARCH))

    # ---- what is refused ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("changes", "error", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
    async def test_what_cannot_be_stored_is_refused_and_nothing_is_written(
        self, redis: redis_py.Redis, redis_url: str, changes: dict[str, Any], error: type[InvalidInput], said: str
    ) -> None:
        message = {"role": "user", "content": "x", "session": "s1"} | changes
        async with self.make(SPACE, redis_url=redis_url) as door:
            with pytest.raises(error, match=said):
                await door.publish(**message)
            with pytest.raises(error, match=said):
                await door.publish_many([Message(role="user", content="good", session="s1"), Message(**message)])
        assert redis.keys() == []

    @pytest.mark.parametrize("session", ["", "x" * 201, "a\x00", "\ud800"])
    async def test_a_session_that_cannot_be_named_is_not_closed(
        self, redis: redis_py.Redis, redis_url: str, session: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            with pytest.raises(InvalidInput):
                await door.close_session(session)
        assert redis.keys() == []

    # ---- creating the space once -------------------------------------------------------------------------------

    async def test_many_producers_that_publish_first_at_once_create_the_space_once(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async def publish_one(number: int) -> None:
            async with self.make(SPACE, redis_url=redis_url) as door:
                await door.publish("user", f"{number}", f"s{number}")

        for _ in range(5):
            redis.flushall()
            await asyncio.gather(*(publish_one(number) for number in range(12)))
            assert published(redis)[0][1].type == "space_created"
            assert types(redis) == {"space_created": 1, "message_published": 12}

    async def test_one_producer_that_is_used_at_once_for_the_first_time_creates_the_space_once(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await asyncio.gather(*(door.publish("user", f"{number}", f"s{number}") for number in range(12)))
        assert published(redis)[0][1].type == "space_created"
        assert types(redis) == {"space_created": 1, "message_published": 12}

    async def test_a_stream_that_the_same_producer_creates_meanwhile_is_not_taken_for_lost(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            self.after_first_append(door, lambda: door.publish("user", "overtakes", "s2"))
            await door.publish("user", "is overtaken", "s1")
        assert contents(redis) == ["overtakes", "is overtaken"]
        assert types(redis)["space_created"] == 1

    async def test_a_stream_that_another_producer_creates_meanwhile_is_used(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with (
            self.make(SPACE, redis_url=redis_url) as door,
            self.make(SPACE, redis_url=redis_url) as other,
        ):
            self.after_first_append(door, lambda: other.publish("user", "overtakes", "s2"))
            await door.publish("user", "is overtaken", "s1")
        assert contents(redis) == ["overtakes", "is overtaken"]
        assert types(redis)["space_created"] == 1

    # ---- when Redis does not do it -----------------------------------------------------------------------------

    async def test_a_lost_reply_makes_at_most_two_entries_of_one_event(
        self, redis: redis_py.Redis, redis_url: str, socket_path: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.publish("user", "before", "s1")
        with Proxy(socket_path, b"XADD", lose=1) as proxy:
            async with self.make(SPACE, redis_url=proxy.url) as door:
                done = await door.publish("user", "once", "s1")
            assert proxy.lost == 1
        assert contents(redis) == ["before", "once", "once"]
        assert [event.id for _, event in published(redis)[2:]] == [done.event_id] * 2
        assert len({event.digest for _, event in published(redis)[2:]}) == 1
        assert done.position == published(redis)[-1][0]

    async def test_a_lost_reply_to_many_repeats_all_of_them_with_their_ids(
        self, redis: redis_py.Redis, redis_url: str, socket_path: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.close_session("s0")
        messages = [Message(role="user", content=f"{number}", session="s1") for number in range(10)]
        with Proxy(socket_path, b"XADD", lose=1) as proxy:
            async with self.make(SPACE, redis_url=proxy.url) as door:
                done = await door.publish_many(messages)
        ids = [event.id for _, event in published(redis)[2:]]
        assert ids == [one.event_id for one in done] * 2
        assert [one.position for one in done] == [position for position, _ in published(redis)[-10:]]

    async def test_a_lost_reply_to_the_creation_of_the_space_does_not_create_it_twice(
        self, redis: redis_py.Redis, socket_path: str
    ) -> None:
        with Proxy(socket_path, b"EXEC", lose=1) as proxy:
            async with self.make(SPACE, redis_url=proxy.url) as door:
                await door.publish("user", "once", "s1")
            assert proxy.lost == 1
        assert types(redis) == {"space_created": 1, "message_published": 1}

    async def test_a_redis_whose_replies_are_all_lost_is_unavailable(
        self, redis: redis_py.Redis, redis_url: str, socket_path: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.publish("user", "before", "s1")
        with Proxy(socket_path, b"XADD", lose=100) as proxy:
            async with self.make(SPACE, redis_url=proxy.url) as door:
                with pytest.raises(LogUnavailable):
                    await door.publish("user", "again and again", "s1")
            assert proxy.lost > 1
        assert len({event.id for _, event in published(redis)[2:]}) == 1

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock"])
    async def test_an_absent_redis_is_unavailable_within_two_seconds(self, url: str) -> None:
        started = time.monotonic()
        async with self.make(SPACE, redis_url=url) as door:
            with pytest.raises(LogUnavailable, match="Check that Redis runs and can be reached"):
                await door.publish("user", "x", "s1")
        assert time.monotonic() - started < 2

    async def test_without_a_url_and_without_a_running_server_it_says_how_to_get_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MNEMOLOG_REDIS_URL", raising=False)
        with pytest.raises(LogUnavailable, match=r"`mnemolog up`.*MNEMOLOG_REDIS_URL"):
            self.make(SPACE, data=tmp_path)

    async def test_a_full_redis_says_what_to_do_and_takes_messages_again_when_there_is_room(
        self, redis: redis_py.Redis, redis_url: str, full_redis: Callable[[bool], None]
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            full_redis(True)
            with pytest.raises(LogFull, match="raise maxmemory"):
                await door.publish("user", "into the new space", "s1")
            assert redis.keys() == []
            full_redis(False)
            await door.publish("user", "first", "s1")
            full_redis(True)
            with pytest.raises(LogFull, match="let the writer catch up"):
                await door.publish("user", "too much", "s1")
            full_redis(False)
            await door.publish("user", "second", "s1")
        assert contents(redis) == ["first", "second"]

    async def test_a_redis_that_fills_up_takes_a_beginning_of_many_messages_without_gaps(
        self, redis: redis_py.Redis, redis_url: str, full_redis: Callable[[bool], None]
    ) -> None:
        # Small and large ones in turn: where a large one finds no room, a small one still might.
        messages = [
            Message(role="user", content="x" * (3_000 if number % 2 else 100), session="s1", event_id=f"m-{number}")
            for number in range(1_000)
        ]
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.close_session("s0")
            redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 1_200_000)
            with pytest.raises(LogFull, match="raise maxmemory"):
                await door.publish_many(messages)
            full_redis(False)
            taken = [event.id for _, event in published(redis)[2:]]
            assert taken == [message.event_id for message in messages[: len(taken)]]
            assert len(taken) < len(messages)
            await door.publish_many(messages)
        assert {event.id for _, event in published(redis)[2:]} == {message.event_id for message in messages}

    async def test_a_wrong_password_is_refused_and_not_shown(self, redis: redis_py.Redis, reader_url: str) -> None:
        async with self.make(SPACE, redis_url=reader_url + "wr0ng") as door:
            with pytest.raises(LogRefused, match="password in the Redis URL") as caught:
                await door.publish("user", "x", "s1")
        assert "wr0ng" not in str(caught.value)
        assert redis.keys() == []

    async def test_a_user_who_may_not_write_is_refused(self, redis: redis_py.Redis, reader_url: str) -> None:
        async with self.make(SPACE, redis_url=reader_url + "right") as door:
            with pytest.raises(LogRefused, match="ACL SETUSER"):
                await door.publish("user", "x", "s1")
        assert redis.keys() == []

    async def test_a_key_of_another_program_is_refused_and_left_alone(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        redis.set(keys.stream(SPACE), "theirs")
        async with self.make(SPACE, redis_url=redis_url) as door:
            with pytest.raises(LogRefused, match="choose another space") as caught:
                await door.publish("user", "my secret", "s1")
        assert "secret" not in str(caught.value)
        assert redis.get(keys.stream(SPACE)) == b"theirs"

    async def test_a_stream_that_vanished_after_use_is_lost_and_not_begun_anew(
        self, redis: redis_py.Redis, redis_url: str
    ) -> None:
        async with self.make(SPACE, redis_url=redis_url) as door:
            await door.publish("user", "one", "s1")
            first = Stream(redis, SPACE).range(Position(0, 0), 1)[0]
            redis.flushall()
            with pytest.raises(StreamLost, match="has vanished"):
                await door.publish("user", "two", "s1")
            with pytest.raises(StreamLost):
                await door.publish_many([Message(role="user", content="three", session="s1")])
            assert redis.keys() == []
            Stream(redis, SPACE).restore(first)
            await door.publish("user", "four", "s1")
        assert contents(redis) == ["four"]


class TestProducer(ProducerBehaviour):
    def make(self, *args: Any, **options: Any) -> Blocking:
        return Blocking(*args, **options)

    def after_first_append(self, door: Door, action: Callable[[], Awaitable[object]]) -> None:
        assert isinstance(door, Blocking)
        producer, loop = door.producer, asyncio.get_running_loop()
        append = producer._append

        async def act() -> None:
            await action()

        def once(events: Any) -> Any:
            added = append(events)
            producer._append = append
            asyncio.run_coroutine_threadsafe(act(), loop).result(10)
            return added

        producer._append = once


class TestAsyncProducer(ProducerBehaviour):
    def make(self, *args: Any, **options: Any) -> AsyncProducer:
        return AsyncProducer(*args, **options)

    def after_first_append(self, door: Door, action: Callable[[], Awaitable[object]]) -> None:
        assert isinstance(door, AsyncProducer)
        append = door._append

        async def once(events: Any) -> Any:
            added = await append(events)
            door._append = append
            await action()
            return added

        door._append = once


def test_processes_that_publish_first_at_once_create_the_space_once(redis: redis_py.Redis, redis_url: str) -> None:
    processes = [start_python(PUBLISHER, redis_url, str(number), "50") for number in range(4)]
    try:
        for process in processes:
            process.wait_for("published", 60)
    finally:
        for process in processes:
            process.__exit__(None, None, None)
    assert published(redis)[0][1].type == "space_created"
    assert types(redis) == {"space_created": 1, "message_published": 200}
    for number in range(4):
        mine = [
            event.payload.content
            for _, event in published(redis)
            if isinstance(event.payload, MessagePublished) and event.payload.session == f"session {number}"
        ]
        assert mine == [str(count) for count in range(50)]


def test_power_durability_is_had_from_a_server_that_syncs_always_and_refused_by_one_that_cannot(
    redis_url: str, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNEMOLOG_DURABILITY", "power")
    told = redis.info("server")["redis_version"]
    redis.config_set("appendfsync", "always")
    try:
        with Producer("power", redis_url=redis_url) as producer:
            assert producer.publish("user", "on the disk", "s").position
        redis.config_set("appendfsync", "everysec")
        with Producer("power", redis_url=redis_url) as producer:
            if version_of({"redis_version": told}) < (7, 2):
                with pytest.raises(LogRefused, match="appendfsync always"):
                    producer.publish("user", "perhaps", "s")
            else:
                assert producer.publish("user", "on the disk too", "s").position
    finally:
        redis.config_set("appendfsync", "everysec")
