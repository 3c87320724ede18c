"""The producer for code that blocks: puts messages on a space's stream, and returns when it has acknowledged them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import redis
import stamina

from mnemolog.producers.appending import appendfsync_of, asks_to_wait, commands, ids_in, version_of
from mnemolog.producers.connecting import PIPELINE, RETRY, clock, lost, new_salt, settings_of, url_of
from mnemolog.producers.messages import Builder, Message, Outgoing, Published, Time, closing
from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.events import Payload, Role, SourceType
from mnemolog.schema.ids import Position
from mnemolog.schema.stream import Stream


class Producer:
    """Publishes to one space. Thread-safe; close it, or use it in a `with` block.

    Without `redis_url` (or MNEMOLOG_REDIS_URL) it uses the server that `mnemolog up` runs for the data folder. Raises
    InvalidSpaceName, and LogUnavailable when there is no server to publish to.
    """

    def __init__(
        self,
        space: str | None = None,
        *,
        redis_url: str | None = None,
        data: str | Path | None = None,
        client: redis.Redis | None = None,
    ) -> None:
        settings = settings_of(space, redis_url, data)
        self.space = settings.space
        self._stream = Stream(client or log_client(url_of(settings)), self.space)
        self._builder = Builder(self.space, clock)
        self._stream_seen = False
        self._durability = settings.durability
        self._synced: bool | None = None

    def publish(
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
        """Publishes one message and returns its id and position when the stream has acknowledged it.

        Calling again with the same `event_id` publishes nothing new. Raises InvalidInput, InvalidTime or
        InvalidContent for what cannot be stored; LogUnavailable, LogFull, LogRefused or StreamLost for what Redis does.
        """
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
        return self.send(self._builder.message(message))

    def publish_many(self, messages: Iterable[Message]) -> list[Published]:
        """Publishes messages in order, 500 to a round trip. All are checked before the first is sent.

        Raises as `publish` does; then a beginning of the messages may have been published, and publishing all of them
        again is safe where they have event ids.
        """
        events = [self._builder.message(message) for message in messages]
        published: list[Published] = []
        source = iter(events)
        while chunk := list(islice(source, PIPELINE)):
            published += self.send_many(chunk)
        return published

    def close_session(self, session: str, *, occurred_at: Time | None = None, event_id: str | None = None) -> Published:
        """Says that a session is over; what is published in it later is remembered all the same.

        Raises as `publish` does.
        """
        return self.send(self._builder.event(closing(session, occurred_at), event_id))

    def event(self, payload: Payload, event_id: str | None = None) -> Outgoing:
        """An event of any payload, for `send` and `send_many`."""
        return self._builder.event(payload, event_id)

    def send(self, event: Outgoing) -> Published:
        """Appends one event, again with the same id when the reply was lost."""
        return self.send_many([event])[0]

    def send_many(self, events: Sequence[Outgoing]) -> list[Published]:
        """Appends all events in one round trip, or none; all of them again with the same ids when a reply was lost."""
        for attempt in stamina.retry_context(**RETRY):
            with attempt:
                positions = self._append_or_create(events)
        self._stream_seen = self._stream_seen or bool(events)
        return [Published(event.event_id, position) for event, position in zip(events, positions, strict=True)]

    def _append_or_create(self, events: Sequence[Outgoing]) -> list[Position]:
        # Read first: another thread may create the stream and publish to it while this one appends in vain.
        seen = self._stream_seen
        added = self._append(events)
        # A stream that does not exist takes nothing at all, so everything is appended again.
        if None in added and not seen:
            self._stream.create(self._builder.creation(new_salt()).body)
            added = self._append(events)
        if None in added:
            raise lost(self.space)
        return [Position.parse(id_) for id_ in added if id_ is not None]

    def _append(self, events: Sequence[Outgoing]) -> list[bytes | None]:
        try:
            synced = self._is_synced()
            with self._stream.client.pipeline(transaction=False) as pipe:
                for command in commands(self._stream.key, events, synced=synced):
                    pipe.execute_command(*command)
                return ids_in(pipe.execute(raise_on_error=False), len(events), synced=synced)
        except redis.RedisError as error:
            raise translate(error, f"append to the stream of space {self.space!r}") from error

    def _is_synced(self) -> bool:
        """Whether appends wait for the server's disk; the server is asked once."""
        if self._synced is None:
            client = self._stream.client
            self._synced = self._durability == "power" and asks_to_wait(
                appendfsync_of(client.config_get("appendfsync")), version_of(client.info("server"))
            )
        return self._synced

    def close(self) -> None:
        """Closes the connections to Redis."""
        self._stream.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
