"""The producer for asyncio frontends: the same as Producer, awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import redis
import redis.asyncio
import stamina

from mnemolog.producers.appending import appendfsync_of, asks_to_wait, commands, ids_in, version_of
from mnemolog.producers.connecting import PIPELINE, RETRY, clock, lost, new_salt, settings_of, url_of
from mnemolog.producers.messages import Builder, Message, Outgoing, Published, Time, closing
from mnemolog.schema import keys
from mnemolog.schema.endpoint import async_log_client, translate
from mnemolog.schema.events import Role, SourceType
from mnemolog.schema.ids import Position


class AsyncProducer:
    """Publishes to one space from one event loop. Close it with `aclose`, or use it in an `async with` block.

    Without `redis_url` (or MNEMOLOG_REDIS_URL) it uses the server that `mnemolog up` runs for the data folder. Raises
    InvalidSpaceName, and LogUnavailable when there is no server to publish to.
    """

    def __init__(
        self,
        space: str | None = None,
        *,
        redis_url: str | None = None,
        data: str | Path | None = None,
        client: redis.asyncio.Redis | None = None,
    ) -> None:
        settings = settings_of(space, redis_url, data)
        self.space = settings.space
        self._client = client or async_log_client(url_of(settings))
        self._key = keys.stream(self.space)
        self._builder = Builder(self.space, clock)
        self._stream_seen = False
        self._durability = settings.durability
        self._synced: bool | None = None

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
        published: list[Published] = []
        while chunk := list(islice(events, PIPELINE)):
            published += await self.send_many(chunk)
        return published

    async def close_session(
        self, session: str, *, occurred_at: Time | None = None, event_id: str | None = None
    ) -> Published:
        """Says that a session is over; see Producer.close_session."""
        return (await self.send_many([self._builder.event(closing(session, occurred_at), event_id)]))[0]

    async def send_many(self, events: Sequence[Outgoing]) -> list[Published]:
        """Appends all events in one round trip, or none; all of them again with the same ids when a reply was lost."""
        async for attempt in stamina.retry_context(**RETRY):
            with attempt:
                positions = await self._append_or_create(events)
        self._stream_seen = self._stream_seen or bool(events)
        return [Published(event.event_id, position) for event, position in zip(events, positions, strict=True)]

    async def _append_or_create(self, events: Sequence[Outgoing]) -> list[Position]:
        # Read first: another task may create the stream and publish to it while this one appends in vain.
        seen = self._stream_seen
        try:
            added = await self._append(events)
            # A stream that does not exist takes nothing at all, so everything is appended again.
            if None in added and not seen:
                await self._create_stream()
                added = await self._append(events)
        except redis.RedisError as error:
            raise translate(error, f"append to the stream of space {self.space!r}") from error
        if None in added:
            raise lost(self.space)
        return [Position.parse(id_) for id_ in added if id_ is not None]

    async def _append(self, events: Sequence[Outgoing]) -> list[bytes | None]:
        synced = await self._is_synced()
        async with self._client.pipeline(transaction=False) as pipe:
            for command in commands(self._key, events, synced=synced):
                pipe.execute_command(*command)
            return ids_in(await pipe.execute(raise_on_error=False), len(events), synced=synced)

    async def _is_synced(self) -> bool:
        """Whether appends wait for the server's disk; the server is asked once."""
        if self._synced is None:
            client = self._client
            self._synced = self._durability == "power" and asks_to_wait(
                appendfsync_of(await client.config_get("appendfsync")),
                version_of(await client.info("server")),
            )
        return self._synced

    async def _create_stream(self) -> None:
        async with self._client.pipeline(transaction=True) as pipe:
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
        """Closes the connections to Redis."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
