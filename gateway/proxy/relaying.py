"""Passing bytes on: a request's body up to a size, a request's rest, an answer while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import httpx2
import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse

from mnemolog.gateway.proxy.upstream import Headers, UpstreamBroke, forwarded


class Tee(msgspec.Struct, frozen=True):
    """Sees the bytes of an answer as they pass, and that it has come to its end."""

    feed: Callable[[bytes], None]
    end: Callable[[], None]


class Body(msgspec.Struct, frozen=True):
    """The beginning of a request's body, and what is still to come of it, None where that is all."""

    start: bytes
    rest: AsyncIterator[bytes] | None

    async def stream(self) -> AsyncIterator[bytes]:
        """All of it."""
        yield self.start
        if self.rest is not None:
            async for chunk in self.rest:
                yield chunk


async def read_body(request: Request, most: int) -> Body:
    """A request's body, of one with more than `most` bytes its beginning. Raises ClientDisconnect."""
    chunks, size = [], 0
    source = request.stream()
    async for chunk in source:
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            return Body(b"".join(chunks), source)
    return Body(b"".join(chunks), None)


def has_body(request: Request) -> bool:
    """Whether a request has a body (RFC 9112, section 6)."""
    return "content-length" in request.headers or "transfer-encoding" in request.headers


async def disconnected(request: Request) -> None:
    """Returns when the client has gone; for a request whose body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def relayed(answer: httpx2.Response, told: Headers, tee: Tee | None) -> StreamingResponse:
    """An answer of the upstream as it comes, with some headers more."""
    response = StreamingResponse(_chunks(answer, tee), status_code=answer.status_code)
    response.raw_headers = forwarded(answer.headers.raw, *(name for name, _ in told)) + told
    return response


async def _chunks(answer: httpx2.Response, tee: Tee | None) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            if tee is not None:
                tee.feed(chunk)
            yield chunk
        if tee is not None:
            tee.end()
    except httpx2.HTTPError as error:
        raise UpstreamBroke(type(error).__name__) from error
    finally:
        # The connection is given back also when the client has gone, which cancels what waits here.
        with anyio.CancelScope(shield=True):
            await answer.aclose()
