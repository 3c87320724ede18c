"""The producer for code that blocks: puts messages on a space's stream, and returns when it has acknowledged them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import redis
import stamina

from mnemolog.producers.appending import appendfsync_of, asks_to_wait, commands, ids_in, version_of
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
from mnemolog.schema.endpoint import log_client, translate
from mnemolog.schema.errors import LogUnavailable, MnemologError
from mnemolog.schema.events import Payload, Role, SourceType
from mnemolog.schema.ids import Position
from mnemolog.schema.stream import Stream


class Producer:
    """Publishes to one space. Thread-safe; close it, or use it in a `with` block.

    Without `redis_url` (or MNEMOLOG_REDIS_URL) it uses the server that `mnemolog up` runs for the data folder. Raises
    InvalidSpaceName, and LogUnavailable when there is no server to publish to.

    With `spool`, a folder of this user's alone, what Redis is too full, slow or far away to take is kept there on disk
    (`Published.spooled`), up to `spool_bytes`, survives a crash, and is published in order when Redis takes it again,
    by this producer or by the next one with that spool; SpoolFull says that there is no room. Raises InvalidInput for
    a folder that others may write to.
    """

    def __init__(
        self,
        space: str | None = None,
        *,
        redis_url: str | None = None,
        data: str | Path | None = None,
        client: redis.Redis | None = None,
        spool: str | Path | None = None,
        spool_bytes: int = DEFAULT_SPOOL_BYTES,
    ) -> None:
        self._settings = settings_of(space, redis_url, data)
        self.space = self._settings.space
        self._given = client
        self._found: Stream | None = None
        self._builder = Builder(self.space, clock)
        self._stream_seen = False
        self._synced: bool | None = None
        self._drainer: Drainer | None = None
        if spool is None:
            self._stream()
        else:
            self._drainer = Drainer(Spool(Path(spool), self.space, spool_bytes), self.append)

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
        done: list[Published] = []
        source = iter(events)
        while chunk := list(islice(source, PIPELINE)):
            done += self.send_many(chunk)
        return done

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
        """Appends all events in one round trip, or none; all of them again with the same ids when a reply was lost.

        With a spool, what Redis does not take goes there, and so does all that follows until the spool is empty.
        """
        if not events:
            return []
        bodies = [event.body for event in events]
        if self._drainer is None:
            return published(events, self._repeated(bodies))
        return published(events, self._sent_or_spooled(bodies, self._drainer))

    def drain(self) -> int:
        """Sends what waits in the spool; gives how many events of it were sent by now. Raises as `publish` does."""
        return self._drainer.drain() if self._drainer else 0

    def _sent_or_spooled(self, bodies: Sequence[bytes], drainer: Drainer) -> list[Position] | None:
        because: MnemologError | None = None
        if drainer.spool.is_empty():
            try:
                return self._repeated(bodies)
            except SPOOLED as error:
                because = error
        drainer.keep(bodies, because)
        return None

    def _repeated(self, bodies: Sequence[bytes]) -> list[Position]:
        for attempt in stamina.retry_context(**RETRY):
            with attempt:
                positions = self.append(bodies)
        return positions

    def append(self, bodies: Sequence[bytes], *, seen: bool = False) -> list[Position]:
        """Appends encoded events once, in one round trip, all or none. Raises as `publish` does.

        A stream that was `seen` before, by this producer or by the caller, is not begun anew.
        """
        # Read first: another thread may create the stream and publish to it while this one appends in vain.
        seen = seen or self._stream_seen
        try:
            added = self._append(bodies)
            # A stream that does not exist takes nothing at all, so everything is appended again.
            if None in added and not seen:
                self._stream().create(self._builder.creation(new_salt()).body)
                added = self._append(bodies)
        except LogUnavailable:
            # The embedded server may come back at another place.
            self._found = None if self._settings.redis_url is None else self._found
            raise
        if None in added:
            raise lost(self.space)
        self._stream_seen = True
        return [Position.parse(id_) for id_ in added if id_ is not None]

    def _stream(self) -> Stream:
        """The stream. Raises LogUnavailable where no server is known."""
        found = self._found
        if found is None:
            found = self._found = Stream(self._given or log_client(url_of(self._settings)), self.space)
        return found

    def _append(self, bodies: Sequence[bytes]) -> list[bytes | None]:
        stream = self._stream()
        try:
            synced = self._is_synced(stream.client)
            with stream.client.pipeline(transaction=False) as pipe:
                for command in commands(stream.key, bodies, synced=synced):
                    pipe.execute_command(*command)
                return ids_in(pipe.execute(raise_on_error=False), len(bodies), synced=synced)
        except redis.RedisError as error:
            raise translate(error, f"append to the stream of space {self.space!r}") from error

    def _is_synced(self, client: redis.Redis) -> bool:
        """Whether appends wait for the server's disk; the server is asked once."""
        if self._synced is None:
            self._synced = self._settings.durability == "power" and asks_to_wait(
                appendfsync_of(client.config_get("appendfsync")), version_of(client.info("server"))
            )
        return self._synced

    def close(self) -> None:
        """Closes the connections to Redis; with a spool, after what Redis takes of it at once."""
        if self._drainer is not None:
            self._drainer.close()
        if self._found is not None:
            self._found.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
