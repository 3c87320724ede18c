"""The proxy as an ASGI application: chat completions with a memory, and everything else as it comes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mnemolog.gateway.memory import Memories
from mnemolog.gateway.proxy.answers import reading
from mnemolog.gateway.proxy.chats import Chat, Chats
from mnemolog.gateway.proxy.options import Options
from mnemolog.gateway.proxy.permits import Permits
from mnemolog.gateway.proxy.relaying import Tee, disconnected, has_body, read_body, relayed
from mnemolog.gateway.proxy.upstream import Headers, NoAnswer, Upstream, error_body, forwarded
from mnemolog.schema.errors import InvalidInput

log = logging.getLogger("mnemolog.proxy")

#: The only path that is not the upstream's.
HEALTH = "/mnemolog/healthz"
CHAT = "/chat/completions"
#: So long what is still being published may take when the proxy ends.
DRAIN_S = 5.0
_CLIENT_GONE = 499
_TOO_LARGE = [(b"mnemolog-memory", b"unavailable; the request is too large")]


def create_app(
    memories: Memories,
    options: Options,
    *,
    permits: Permits | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Starlette:
    """The application. Raises InvalidInput for an upstream that cannot be used.

    With `permits` the memory asks for tokens. `transport` stands for the network to the upstream.
    """
    upstream = Upstream(options, transport)
    chats = Chats(memories, options, permits)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await chats.warm_up()
        yield
        await chats.close(DRAIN_S)
        await upstream.close()

    routes = [Route(HEALTH, _healthy), Route("/{path:path}", _Proxy(upstream, chats, options))]
    return Starlette(routes=routes, lifespan=lifespan)


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Proxy:
    """Takes any method and any path."""

    def __init__(self, upstream: Upstream, chats: Chats, options: Options) -> None:
        self._upstream = upstream
        self._chats = chats
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, and notes that in the log: no query, no header, and nothing of what was said."""
        began = time.monotonic()
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            response = Response(status_code=_CLIENT_GONE)
        took_ms = round(1_000 * (time.monotonic() - began))
        memory = response.headers.get("mnemolog-memory", "not asked")
        path = ascii(request.url.path)[1:-1]
        log.info("%s %s %d in %d ms, memory %s", request.method, path, response.status_code, took_ms, memory)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if not self._is_meant(request):
            return _error(421, "this host name is not one of the proxy's (--allow-host)", "misdirected_request")
        try:
            if request.method == "POST" and request.url.path.endswith(CHAT):
                return await self._chat(request)
            return await self._passed(request, request.stream() if has_body(request) else None, [])
        except InvalidInput as error:
            return _error(400, str(error), "invalid_request_error")

    def _is_meant(self, request: Request) -> bool:
        """Whether the request names a host of the proxy: the name of another site can be made to lead here."""
        hosts = self._options.hosts
        return not hosts or _host(request.headers.get("host", "")) in hosts

    async def _passed(self, request: Request, body: AsyncIterator[bytes] | None, told: Headers) -> Response:
        """Forwards a request as it comes, and its answer as that comes."""
        try:
            answer = await self._sent(request, forwarded(request.headers.raw, b"host"), body)
        except NoAnswer as error:
            return _error(error.status, str(error), "upstream_error", told)
        return relayed(answer, told, None)

    async def _chat(self, request: Request) -> Response:
        """Forwards a chat completion with what was recalled for it, and publishes what was said."""
        body = await read_body(request, self._options.most_body_bytes)
        if body.rest is not None:
            return await self._passed(request, body.stream(), _TOO_LARGE)
        chat = await self._chats.begin(request.headers, body.start)
        # What is compressed on its way could not be read as it passes.
        headers = forwarded(request.headers.raw, b"host", b"content-length", b"accept-encoding")
        headers.append((b"accept-encoding", b"identity"))
        try:
            answer = await _unless_gone(request, self._sent(request, headers, chat.body))
        except NoAnswer as error:
            await self._chats.asked(chat, error.status)
            return _error(error.status, str(error), "upstream_error", chat.headers)
        await self._chats.asked(chat, answer.status_code)
        return relayed(answer, chat.headers, self._tee(chat, answer))

    def _tee(self, chat: Chat, answer: httpx2.Response) -> Tee | None:
        """What reads an answer as it passes; an error says nothing."""
        read = reading(answer.headers.get("content-type", ""), answer.headers.get("content-encoding", ""))
        if read is None or not answer.is_success:
            return None

        def end() -> None:
            if (turn := read.turn()) is not None:
                self._chats.answered(chat, turn)

        return Tee(read.feed, end)

    async def _sent(
        self, request: Request, headers: Headers, body: bytes | AsyncIterator[bytes] | None
    ) -> httpx2.Response:
        path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        query: bytes = request.scope["query_string"]
        return await self._upstream.send(request.method, path.decode("latin-1"), query, headers, body)


async def _unless_gone(request: Request, sending: Coroutine[Any, Any, httpx2.Response]) -> httpx2.Response:
    """The answer, unless the client goes away before: nobody is to pay for it then. Raises ClientDisconnect."""
    answer = asyncio.create_task(sending)
    gone = asyncio.create_task(disconnected(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()


def _host(name: str) -> str | None:
    try:
        return urlsplit(f"//{name}").hostname
    except ValueError:
        return None


def _error(status: int, message: str, kind: str, told: Headers | None = None) -> Response:
    response = Response(error_body(message, kind), status, media_type="application/json")
    response.raw_headers += told or []
    return response
