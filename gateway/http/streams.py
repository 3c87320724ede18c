"""Streams: the changes of a memory as server-sent events, from a position on and while they come about."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mnemolog.gateway.http.access import Access, require
from mnemolog.gateway.http.decoding import position_of, query_of
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.endpoint import Hall
from mnemolog.gateway.http.operation import Operation, PositionText, Query
from mnemolog.gateway.http.problems import DRAINING, TOO_MANY, Refused
from mnemolog.gateway.http.tokens import Token
from mnemolog.gateway.memory.changes import Change
from mnemolog.schema.ids import Position

#: So many changes go into one event; the last of several of one position has the id.
_AT_ONCE = 500


class Since(Query, frozen=True, kw_only=True):
    """After which position the stream begins; from now on unless given. A header Last-Event-ID goes before it."""

    after: PositionText | None = None


class Changes(msgspec.Struct, frozen=True):
    """What changed up to a position of the log. The first event of a stream tells where it begins, without changes."""

    position: str
    changes: tuple[Change, ...]


class _Watched:
    """How far a space is folded, asked once for all streams that want to know within a time."""

    def __init__(self) -> None:
        self.users = 0
        self.asking = asyncio.Lock()
        self.seen_at = float("-inf")
        self.position = Position(0, 0)


class _Held(EventSourceResponse):
    """A stream that holds its place until it has ended."""

    def __init__(self, held: ExitStack, content: AsyncIterator[ServerSentEvent], **given: Any) -> None:
        super().__init__(content, **given)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


class Streams:
    """Serves streams, a bounded number at once, until the server drains or the caller's token is not valid any more."""

    def __init__(self, hall: Hall, access: Access, drain: Drain) -> None:
        self._hall = hall
        self._access = access
        self._drain = drain
        self._of_caller: Counter[str] = Counter()
        self._watched: dict[str, _Watched] = {}

    def endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        """What serves the streams of spaces."""

        async def serve(request: Request) -> Response:
            space = request.path_params["space"]
            caller = require(request, operation.scope, space)
            given = request.headers.get("last-event-id") or query_of(request.query_params, Since).after
            after = None if given is None else position_of(given)
            if self._drain.has_begun:
                raise Refused(DRAINING)
            key = _key(caller, request)
            self._check_room(key)
            # Counted at once: what counts only when it is sent lets any number in that come together.
            held = ExitStack()
            watched = held.enter_context(self._counted(space, key))
            return _Held(
                held,
                self._events(space, caller, watched, after),
                ping=self._hall.options.heartbeat_s,
                send_timeout=self._hall.options.request_s,
            )

        return serve

    def _check_room(self, key: str) -> None:
        options = self._hall.options
        if self._of_caller.total() >= options.streams or self._of_caller[key] >= options.streams_per_caller:
            raise Refused(TOO_MANY, "too many streams are open")

    async def _events(
        self, space: str, caller: Token, watched: _Watched, after: Position | None
    ) -> AsyncIterator[ServerSentEvent]:
        position = await self._position(space, watched)
        after = position if after is None else after
        yield _event(after, (), named=True)
        while not await self._drain.wait(self._hall.options.poll_s) and self._access.is_valid(caller):
            position = await self._position(space, watched)
            if position > after:
                for event in _events(position, await self._changes(space, after, position)):
                    yield event
                after = position

    @contextmanager
    def _counted(self, space: str, key: str) -> Iterator[_Watched]:
        watched = self._watched.setdefault(space, _Watched())
        watched.users += 1
        self._of_caller[key] += 1
        try:
            yield watched
        finally:
            watched.users -= 1
            self._of_caller -= Counter((key,))
            if not watched.users:
                del self._watched[space]

    async def _position(self, space: str, watched: _Watched) -> Position:
        async with watched.asking:
            if time.monotonic() - watched.seen_at >= self._hall.options.poll_s / 2:
                told = await self._hall.do(lambda: self._hall.memories.run(space, lambda memory: memory.position()))
                watched.position, watched.seen_at = Position.parse(told), time.monotonic()
            return watched.position

    async def _changes(self, space: str, after: Position, until: Position) -> tuple[Change, ...]:
        found = await self._hall.do(
            lambda: self._hall.memories.run(space, lambda memory: memory.changes(str(after), until=str(until)))
        )
        return tuple(sorted(found.changes, key=lambda change: change.at))


def _key(caller: Token, request: Request) -> str:
    """Who a stream counts for: a token, or an address where no tokens are asked for."""
    return f"token {caller.name}" if caller.sha256 else request.client.host if request.client else "-"


def _events(position: Position, changes: tuple[Change, ...]) -> Iterator[ServerSentEvent]:
    for start in range(0, len(changes), _AT_ONCE):
        part = changes[start : start + _AT_ONCE]
        yield _event(position, part, named=start + _AT_ONCE >= len(changes))


def _event(position: Position, changes: tuple[Change, ...], *, named: bool) -> ServerSentEvent:
    data = msgspec.json.encode(Changes(str(position), changes)).decode("utf-8")
    return ServerSentEvent(
        data, event="changes" if changes else "begins", id=str(position) if named else None, sep="\n"
    )
