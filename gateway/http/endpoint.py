"""Endpoints: one operation of the table as the web framework calls it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mnemolog.gateway.http.access import require
from mnemolog.gateway.http.decoding import Bodies, position_of, query_of
from mnemolog.gateway.http.openapi import WAIT_HEADER
from mnemolog.gateway.http.operation import Call, Operation, Query, Reading
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import NOT_REACHED, Refused
from mnemolog.gateway.http.threads import Threads
from mnemolog.gateway.http.writing import Accepted, AcceptedBatch
from mnemolog.gateway.memory import Memories
from mnemolog.schema.ids import Position

_POLL_S = 0.02


class Hall:
    """Where requests are served: the memories, and the threads that meet them."""

    def __init__(self, memories: Memories, options: HttpOptions) -> None:
        self.memories = memories
        self.options = options
        self._threads = Threads(options.threads, options.request_s)
        # Who waits for the writer holds up nobody else.
        self._waiting = Threads(options.threads, options.request_s)
        # Anybody may ask for these, also while Redis hangs: one place, which holds up nobody with a token.
        self._probing = Threads(1, options.request_s)

    async def run(self, space: str | None, operation: Operation, call: Call) -> object:
        """What an operation gives. Raises Refused, and what the memory raises."""
        threads = self._waiting if operation.waits else self._threads
        return await threads.run(lambda: self.memories.run(space, lambda memory: operation.run(memory, call)))

    async def do(self, work: Callable[[], Any]) -> Any:
        """What a function gives that blocks for a short time. Raises Refused, and what it raises."""
        return await self._threads.run(work)

    async def probe(self, work: Callable[[], Any]) -> Any:
        """What a function gives that says how the server is; the next one waits for it. Raises as `do`."""
        return await self._probing.run(work)

    async def is_folded(self, space: str, position: str, timeout_s: float) -> bool:
        """Whether the file of a space holds a position, at once or within a time."""
        until = time.monotonic() + min(timeout_s, self.options.wait_s)
        while not await self.do(lambda: self.memories.run(space, lambda memory: memory.wait(position, 0.0))):
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def close(self) -> None:
        """Ends the threads, and closes the memories."""
        self._threads.close()
        self._waiting.close()
        self._probing.close()
        self.memories.close()


def endpoint(operation: Operation, hall: Hall) -> Callable[[Request], Awaitable[Response]]:
    """What serves an operation."""
    bodies = None if operation.body is None else Bodies(operation.body, hall.options.max_body_bytes)

    async def serve(request: Request) -> Response:
        path = {name: str(value) for name, value in request.path_params.items()}
        space = path.get("space")
        caller = require(request, operation.scope, space)
        query = query_of(request.query_params, operation.query)
        body = None if bodies is None else await bodies.of(request)
        await _await_position(request, space, query, hall)
        call = Call(caller=caller, memories=hall.memories, path=path, query=query, body=body, options=hall.options)
        found = await _told(await hall.run(space, operation, call), space, query, hall)
        return Response(msgspec.json.encode(found), operation.status, media_type="application/json")

    return serve


async def _await_position(request: Request, space: str | None, query: Query, hall: Hall) -> None:
    """Waits for the position that a request asks for. Raises Refused where it is not reached."""
    if space is None or not isinstance(query, Reading):
        return
    wanted = request.headers.get(WAIT_HEADER, query.wait)
    if wanted is None:
        return
    position = str(position_of(wanted))
    if not await hall.is_folded(space, position, query.wait_s):
        raise Refused(NOT_REACHED, f"the memory is not at {position} yet")


async def _told(found: object, space: str | None, query: Query, hall: Hall) -> object:
    """An answer; of what was published with whether it is folded, where the caller waits for that."""
    if space is None or not isinstance(found, (Accepted, AcceptedBatch)) or not getattr(query, "wait", False):
        return found
    positions = [Position.parse(one.position) for one in _published(found) if one.position is not None]
    folded = await hall.is_folded(space, str(max(positions)), query.wait_s) if positions else False  # type: ignore[attr-defined]
    return msgspec.structs.replace(found, folded=folded)


def _published(found: Accepted | AcceptedBatch) -> tuple[Any, ...]:
    return (found,) if isinstance(found, Accepted) else found.events
