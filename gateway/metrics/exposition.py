"""Where metrics are read: a route for an HTTP door, a small server for commands without one, and their text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio.to_thread
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.exposition import choose_encoder, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mnemolog.gateway.metrics.collector import MOST_SPACES, SpaceCollector
from mnemolog.schema.errors import CannotListen
from mnemolog.schema.settings import Settings

PATH = "/metrics"


def registry_of(
    settings: Settings, redis_url: Callable[[], str | None], *, most_spaces: int = MOST_SPACES
) -> CollectorRegistry:
    """A registry with the spaces of a data folder and this process."""
    # Describing a collector by collecting would read all spaces once for nothing.
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(SpaceCollector(settings, redis_url, most_spaces=most_spaces))
    return registry


def text_of(registry: CollectorRegistry) -> str:
    """The metrics as Prometheus' text."""
    return generate_latest(registry).decode("utf-8")


def metrics_route(registry: CollectorRegistry, path: str = PATH) -> Route:
    """The route that gives the metrics; they are read in a thread, since they come from disk."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await anyio.to_thread.run_sync(encode, registry)
        return Response(body, headers={"content-type": content_type})

    return Route(path, metrics, methods=["GET"], name="metrics")


@contextmanager
def metrics_server(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serves the metrics from a thread while the block runs; yields the port. Raises CannotListen."""
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise CannotListen(host, port, error) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
