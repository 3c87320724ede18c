"""What is served beside the API: the page, and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from mnemolog.gateway.http.access import require
from mnemolog.gateway.http.problems import NOT_ALLOWED, Refused
from mnemolog.gateway.http.tokens import Scope
from mnemolog.gateway.memory import Memories
from mnemolog.gateway.metrics.doors import DoorMetrics, Measured
from mnemolog.gateway.metrics.exposition import metrics_route, registry_of
from mnemolog.gateway.page.routes import routes as page_routes
from mnemolog.schema.endpoint import find_embedded


class Beside:
    """The page and the metrics of a server: the page's files are anybody's, metrics an admin's of all its spaces."""

    def __init__(self, memories: Memories) -> None:
        self._memories = memories
        settings = memories.settings
        self._registry: CollectorRegistry = registry_of(
            settings, lambda: settings.redis_url or find_embedded(settings.data)
        )

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        return [*page_routes(self._memories), _needing("admin", metrics_route(self._registry))]

    def measured(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests stand in the metrics."""
        return cast("ASGIApp", Measured(app, DoorMetrics(self._registry)))


def _needing(scope: Scope, route: Route) -> Route:
    """A route that asks for a token of a scope and of all spaces."""
    serve: Callable[[Request], Awaitable[Response]] = route.endpoint

    async def served(request: Request) -> Response:
        if not require(request, scope).sees_all:
            raise Refused(NOT_ALLOWED, "this tells of every space, and needs a token of all of them")
        return await serve(request)

    return Route(route.path, served, methods=["GET"], name=route.name)
