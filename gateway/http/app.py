"""The application: routes made of the table, what stands beside them, and the guard around all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Scope

from mnemolog.gateway.http import problems
from mnemolog.gateway.http.access import Access
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.endpoint import Hall, endpoint
from mnemolog.gateway.http.guard import REQUEST_ID, Guard
from mnemolog.gateway.http.openapi import WAIT_HEADER, document
from mnemolog.gateway.http.operation import Operation, template
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.probes import Probes
from mnemolog.gateway.http.rates import Rates
from mnemolog.gateway.http.streams import Streams
from mnemolog.gateway.http.table import OPERATIONS
from mnemolog.gateway.http.tokens import TokenFile
from mnemolog.gateway.memory import Memories


def create_app(
    memories: Memories,
    options: HttpOptions,
    extra_routes: Sequence[BaseRoute] = (),
    *,
    drain: Drain | None = None,
) -> Starlette:
    """The HTTP API over some memories, which it closes when it ends; `extra_routes` are served beside it.

    What an extra route needs of its caller it asks with `access.require`; what it refuses it raises as
    `problems.Refused`, and errors of the memory become problems by themselves.
    """
    drain = drain or Drain()
    hall = Hall(memories, options)
    access = Access(options, TokenFile(memories.settings.data), Rates(options))
    streams = Streams(hall, access, drain)

    def route(one: Operation) -> Route:
        serve = streams.endpoint(one) if one.streamed else endpoint(one, hall)
        return Route(one.route, serve, methods=[one.method], name=one.name)

    routes: list[BaseRoute] = [
        *map(route, OPERATIONS),
        *Probes(hall, drain).routes(),
        _documentation(),
        *extra_routes,
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        hall.close()

    guard = Middleware(Guard, access=access, template_of=_templates(routes), max_header_bytes=options.max_header_bytes)
    return Starlette(
        routes=routes,
        middleware=[*_cross_origin(options), guard],
        exception_handlers={HTTPException: _of_framework},
        lifespan=lifespan,
    )


def _cross_origin(options: HttpOptions) -> list[Middleware]:
    if not options.allow_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=options.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", WAIT_HEADER],
            expose_headers=[REQUEST_ID, "Retry-After"],
        )
    ]


def _documentation() -> Route:
    encoded = msgspec.json.encode(document(OPERATIONS))

    async def serve(_: Request) -> Response:
        return Response(encoded, media_type="application/json")

    return Route("/openapi.json", serve, name="openapi")


def _templates(routes: Sequence[BaseRoute]) -> Callable[[Scope], str | None]:
    """Names the route of a request as it stands in the table, without what callers put into the path."""
    of_endpoint = dict(_endpoints(routes, ""))

    def template_of(scope: Scope) -> str | None:
        return of_endpoint.get(id(scope.get("endpoint")))

    return template_of


def _endpoints(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[int, str]]:
    for route in routes:
        if isinstance(route, Route):
            yield id(route.endpoint), prefix + template(route.path)
        elif isinstance(route, Mount):
            yield id(route.app), f"{prefix}{route.path}/…"
            yield from _endpoints(route.routes, prefix + route.path)


async def _of_framework(request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    refused = problems.Refused(problems.of_status(status), headers=dict(headers or {}))
    return problems.answer(refused, request.state.request_id)
