"""The transport over HTTP: one path, behind the same guard, tokens and limits as the HTTP API."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mnemolog.gateway.http.access import Access, require
from mnemolog.gateway.http.guard import Guard
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import METHOD_NOT_ALLOWED, Refused
from mnemolog.gateway.http.rates import Rates
from mnemolog.gateway.http.tokens import TokenFile

PATH = "/mcp"
#: No tool takes a longer body.
MOST_BODY_BYTES = 4 * 1024 * 1024


class _OfSpace:
    """Lets those through whose token is of a space, and of their requests those that have an answer.

    Where every request stands alone there is nothing to be sent by itself: a stream for that (GET) would be held open
    for ever, also when its token is revoked.
    """

    def __init__(self, app: ASGIApp, space: str) -> None:
        self._app = app
        self._space = space

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            require(HTTPConnection(scope), "read", self._space)
            if scope["path"] == PATH and scope["method"] != "POST":
                raise Refused(METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        await self._app(scope, receive, send)


def create_app(server: Server[Any], space: str, options: HttpOptions, tokens: TokenFile) -> ASGIApp:
    """The application: every request stands alone, so that any number of servers can answer one client."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MOST_BODY_BYTES,
        # The guard checks Host and Origin, also where the server is not on loopback.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    access = Access(options, tokens, Rates(options))
    return Guard(_OfSpace(app, space), access, _template, options.max_header_bytes)


def _template(scope: Scope) -> str | None:
    return PATH if scope["path"] == PATH else None
