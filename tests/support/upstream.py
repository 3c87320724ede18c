"""A small OpenAI-compatible server of a test's own, which notes what it is asked and answers what it is told to."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from support.waiting import wait_until


class Asked(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def last(self) -> Any:
        """The content of its last message."""
        return self.json["messages"][-1]["content"]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Served:
    """An ASGI application at a port of this machine while its `with` block runs."""

    def __init__(self, app: ASGIApp) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        config = uvicorn.Config(app, log_config=None, lifespan="auto", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._server.started, what="the server to start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()


class Upstream(Served):
    """The server. `answer` makes of a request the text of the answer, or all of its message.

    `status` other than 200 refuses; `breaks` breaks a streamed answer off in the middle; `hold` keeps a streamed one
    back in the middle, and any other at its beginning, until it is set; `choices` is how many there are.
    """

    def __init__(
        self, answer: Callable[[Asked], str | dict[str, Any]] = lambda asked: f"You said {asked.last!r}."
    ) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.status = 200
        self.breaks = False
        self.choices = 1
        self.compresses = False
        self.hold: threading.Event | None = None
        self.cut_short = 0
        super().__init__(Starlette(routes=[Route("/{path:path}", _Endpoint(self))]))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last(self) -> Asked:
        return self.asked[-1]


class _Endpoint:
    """Answers any method at any path."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        asked = Asked(request.method, request.scope["raw_path"].decode(), request.url.query, headers, body)
        self._upstream.asked.append(asked)
        response = await self._response(request, asked)
        await response(scope, receive, send)

    async def _response(self, request: Request, asked: Asked) -> Response:
        upstream = self._upstream
        if upstream.status != 200:
            return JSONResponse({"error": {"message": "no"}}, upstream.status, {"retry-after": "7"})
        if not asked.path.endswith("/chat/completions"):
            return Response(asked.body, 200, {"x-method": asked.method, "set-cookie": "id=1"}, "application/x-echo")
        if asked.json.get("stream"):
            return StreamingResponse(self._events(str(upstream.answer(asked))), media_type="text/event-stream")
        await self._held(request)
        answer = upstream.answer(asked)
        message = {"role": "assistant", **(answer if isinstance(answer, dict) else {"content": answer})}
        choices = [{"index": at, "message": message, "finish_reason": "stop"} for at in range(upstream.choices)]
        document = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
        if upstream.compresses:
            return Response(
                gzip.compress(json.dumps(document).encode()), 200, {"content-encoding": "gzip"}, "application/json"
            )
        return JSONResponse(document)

    async def _held(self, request: Request) -> None:
        while self._upstream.hold is not None and not self._upstream.hold.is_set():
            if await request.is_disconnected():
                self._upstream.cut_short += 1
                return
            await asyncio.sleep(0.005)

    async def _events(self, text: str) -> AsyncIterator[bytes]:
        middle = len(text) // 2
        try:
            for piece in (text[:middle], text[middle:]):
                yield _event({"content": piece}, None)
                while self._upstream.hold is not None and not self._upstream.hold.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                if self._upstream.breaks:
                    raise _BrokenOff
        except asyncio.CancelledError:
            self._upstream.cut_short += 1
            raise
        yield _event({}, "stop")
        yield b"data: [DONE]\n\n"


class _BrokenOff(Exception):
    """Ends the connection in the middle of an answer."""


def _event(delta: dict[str, Any], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    document = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"
