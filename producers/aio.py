"""The producer for asyncio frontends: the same as Producer, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import redis
import redis.asyncio
import stamina

from mnemolog.producers.appending import appendfsync_of, asks_to_wait, commands, ids_in, version_of
from mnemolog.producers.client import Producer
from mnemolog.producers.connecting import (
    PIPELINE,
    RETRY,
    clock,
    lost,
    new_salt,
    settings_of,
    url_of,
)
from mnemolog.producers.draining import SPOOLED, Drainer
from mnemolog.producers.messages import Builder, Message, Outgoing, Published, Time, closing, published
from mnemolog.producers.spool import DEFAULT_SPOOL_BYTES, Spool
from mnemolog.schema import keys
from mnemolog.schema.endpoint import async_log_client, translate
from mnemolog.schema.errors import MnemologError
from mnemolog.schema.events import Role, SourceType
from mnemolog.schema.ids import Position


class AsyncProducer:
    """Publishes to one space from one event loop. Close it with `aclose`, or use it in an `async with` block.

    Without `redis_url` (or MNEMOLOG_REDIS_URL) it uses the server that `mnemolog up` runs for the data folder. Raises
    InvalidSpaceName, and LogUnavailable when there is no server to publish to. `spool` is as for Producer.
    """

    def __init__(
        self,
        space: str | None = None,
        *,
        redis_url: str | None = None,
        data: str | Path | None = None,
        client: redis.asyncio.Redis | None = None,
        spool: str | Path | None = None,
        spool_bytes: int = DEFAULT_SPOOL_BYTES,
    ) -> None:
        self._settings = settings_of(space, redis_url, data)
        self.space = self._settings.space
        self._given = client
        self._found: redis.asyncio.Redis | None = None
        self._key = keys.stream(self.space)
        self._builder = Builder(self.space, clock)
        self._stream_seen = False
        self._synced: bool | None = None
        self._drainer: Drainer | None = None
        self._blocking: Producer | None = None
        if spool is None:
            self._client()
        else:
            self._drainer = Drainer(Spool(Path(spool), self.space, spool_bytes), self._append_blocking)

    async def publish(
        self,
        role: Role,
        content: str,
        session: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
        event_id: str | None = None,
        seq: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        source_type: SourceType = "chat",
    ) -> Published:
        """Publishes one message; see Producer.publish."""
        message = Message(
            role=role,
            content=content,
            session=session,
            speaker=speaker,
            occurred_at=occurred_at,
            event_id=event_id,
            seq=seq,
            metadata=metadata,
            source_type=source_type,
        )
        return (await self.send_many([self._builder.message(message)]))[0]

    async def publish_many(self, messages: Iterable[Message]) -> list[Published]:
        """Publishes messages in order, 500 to a round trip; see Producer.publish_many."""
        events = iter([self._builder.message(message) for message in messages])
        done: list[Published] = []
        while chunk := list(islice(events, PIPELINE)):
            done += await self.send_many(chunk)
        return done

    async def close_session(
        self, session: str, *, occurred_at: Time | None = None, event_id: str | None = None
    ) -> Published:
        """Says that a session is over; see Producer.close_session."""
        return (await self.send_many([self._builder.event(closing(session, occurred_at), event_id)]))[0]

    async def send_many(self, events: Sequence[Outgoing]) -> list[Published]:
        """Appends all events in one round trip, or none; see Producer.send_many."""
        if not events:
            return []
        bodies = [event.body for event in events]
        if self._drainer is None:
            return published(events, await self._repeated(bodies))
        return published(events, await self._sent_or_spooled(bodies, self._drainer))

    async def drain(self) -> int:
        """Sends what waits in the spool; see Producer.drain."""
        return await asyncio.to_thread(self._drainer.drain) if self._drainer else 0

    async def _sent_or_spooled(self, bodies: Sequence[bytes], drainer: Drainer) -> list[Position] | None:
        because: MnemologError | None = None
        if drainer.spool.is_empty():
            try:
                return await self._repeated(bodies)
            except SPOOLED as error:
                because = error
        await asyncio.to_thread(drainer.keep, bodies, because)
        return None

    def _append_blocking(self, bodies: Sequence[bytes]) -> None:
        """What the thread that drains the spool appends with: it outlives no event loop, and needs none."""
        if self._blocking is None:
            self._blocking = Producer(self.space, redis_url=self._settings.redis_url, data=self._settings.data)
        self._blocking.append(bodies, seen=self._stream_seen)

    async def _repeated(self, bodies: Sequence[bytes]) -> list[Position]:
        async for attempt in stamina.retry_context(**RETRY):
            with attempt:
                positions = await self._append_or_create(bodies)
        return positions

    async def _append_or_create(self, bodies: Sequence[bytes]) -> list[Position]:
        # Read first: another task may create the stream and publish to it while this one appends in vain.
        seen = self._stream_seen
        try:
            added = await self._append(bodies)
            # A stream that does not exist takes nothing at all, so everything is appended again.
            if None in added and not seen:
                await self._create_stream()
                added = await self._append(bodies)
        except redis.RedisError as error:
            await self._forget_client()
            raise translate(error, f"append to the stream of space {self.space!r}") from error
        if None in added:
            raise lost(self.space)
        self._stream_seen = True
        return [Position.parse(id_) for id_ in added if id_ is not None]

    def _client(self) -> redis.asyncio.Redis:
        """The client. Raises LogUnavailable where no server is known."""
        found = self._found
        if found is None:
            found = self._found = self._given or async_log_client(url_of(self._settings))
        return found

    async def _forget_client(self) -> None:
        """Looks for the embedded server anew: it may come back at another place."""
        found = self._found
        if found is not None and self._given is None and self._settings.redis_url is None:
            self._found = None
            await found.aclose()

    async def _append(self, bodies: Sequence[bytes]) -> list[bytes | None]:
        client = self._client()
        synced = await self._is_synced(client)
        async with client.pipeline(transaction=False) as pipe:
            for command in commands(self._key, bodies, synced=synced):
                pipe.execute_command(*command)
            return ids_in(await pipe.execute(raise_on_error=False), len(bodies), synced=synced)

    async def _is_synced(self, client: redis.asyncio.Redis) -> bool:
        """Whether appends wait for the server's disk; the server is asked once."""
        if self._synced is None:
            self._synced = self._settings.durability == "power" and asks_to_wait(
                appendfsync_of(await client.config_get("appendfsync")),
                version_of(await client.info("server")),
            )
        return self._synced

    async def _create_stream(self) -> None:
        async with self._client().pipeline(transaction=True) as pipe:
            await pipe.watch(self._key)
            if await pipe.exists(self._key):
                return
            pipe.multi()
            pipe.xadd(self._key, {keys.BODY_FIELD: self._builder.creation(new_salt()).body})
            try:
                await pipe.execute()
            except redis.WatchError:
                return  # another producer created it first

    async def aclose(self) -> None:
        """Closes the connections to Redis; with a spool, after what Redis takes of it at once."""
        if self._drainer is not None:
            await asyncio.to_thread(self._drainer.close)
        if self._blocking is not None:
            self._blocking.close()
        if self._found is not None:
            await self._found.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
