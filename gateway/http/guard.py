"""The guard that every request passes: it names it, knows its caller, answers its errors and logs it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

import msgspec
from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnemolog.gateway.http import problems
from mnemolog.gateway.http.access import Access
from mnemolog.gateway.http.problems import HEADERS_TOO_LARGE, Refused

log = logging.getLogger("mnemolog.http")

REQUEST_ID = "X-Request-Id"
#: What the log says of a request whose caller went away before it was answered, as other servers do.
_GONE = 499
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # What browsers of other sites may make of an answer: nothing, not even learn whether there is one.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Routed(msgspec.Struct, frozen=True):
    """The route that a request took, by the template of its path."""

    path: str


class _Exchange:
    """One request and its answer: what is sent gets the id of the request, and its status is kept for the log."""

    def __init__(self, send: Send) -> None:
        self.request_id = secrets.token_hex(8)
        self.status = 0
        self.started = time.perf_counter()
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
        await self._send(message)

    @property
    def took_ms(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 1)


class Guard:
    """ASGI middleware. `template_of` names the path of a scope that was routed, without what callers put into it."""

    def __init__(
        self, app: ASGIApp, access: Access, template_of: Callable[[Scope], str | None], max_header_bytes: int
    ) -> None:
        self._app = app
        self._max_header_bytes = max_header_bytes
        self._access = access
        self._template_of = template_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; what is not HTTP (the lifespan) passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(send)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        try:
            await self._served(scope, receive, exchange)
        finally:
            self._log(scope, exchange)

    async def _served(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            self._admit(scope)
            await self._app(scope, receive, exchange.send)
        except (ClientDisconnect, SendTimeoutError):
            exchange.status = exchange.status or _GONE
        except Exception as error:
            # Whatever fails, the caller gets a problem without internals, and the log the id that is in it.
            refused = problems.refusal(error)
            if refused is not error and refused.kind.status >= 500:  # noqa: PLR2004
                unexpected = refused.kind is problems.INTERNAL
                log.error("%s: %s", refused.kind.name, error, exc_info=unexpected, extra=_extra(exchange))  # noqa: TRY400
            if exchange.status:
                raise
            await problems.answer(refused, exchange.request_id)(scope, receive, exchange.send)

    def _admit(self, scope: Scope) -> None:
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._max_header_bytes:
            raise Refused(HEADERS_TOO_LARGE, f"they have at most {self._max_header_bytes:,} bytes")
        headers = Headers(scope=scope)
        self._access.check_place(headers)
        address = scope["client"][0] if scope.get("client") else "-"
        scope["state"]["caller"] = self._access.caller(headers, address)

    def _log(self, scope: Scope, exchange: _Exchange) -> None:
        caller = scope["state"].get("caller")
        name = "-" if caller is None else caller.name
        path = self._template_of(scope)
        if path is not None:
            # For what stands around the guard: the framework does not say which route it took.
            scope["route"] = Routed(path)
        log.info(
            "%s %s %d %.1f ms %s",
            scope["method"],
            path or "-",
            exchange.status,
            exchange.took_ms,
            name,
            extra={
                **_extra(exchange),
                "method": scope["method"],
                "path": path or "-",
                "status": exchange.status,
                "took_ms": exchange.took_ms,
                "token": name,
            },
        )


def _extra(exchange: _Exchange) -> dict[str, object]:
    return {"request_id": exchange.request_id}
