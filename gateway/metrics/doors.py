"""What the doors of this process did: how often, how long it took, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: What a request counts as that no route takes: its path is the caller's, and there is no end of them.
UNROUTED = "(none)"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class DoorMetrics:
    """Histograms of operations and counts of HTTP requests. All label values are names of ours, never the caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._operations = Histogram(
            "mnemolog_operation_seconds",
            "How long operations of a door took: events (published), recall, context and the rest.",
            ["door", "operation", "result"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._requests = Counter(
            "mnemolog_http_requests",
            "HTTP requests by route and status.",
            ["method", "path", "status"],
            registry=registry,
        )

    @contextmanager
    def operation(self, door: str, name: str) -> Iterator[None]:
        """Times what the block does: `result` is ok, or error where it raises."""
        started = time.perf_counter()
        result = "error"
        try:
            yield
            result = "ok"
        finally:
            self.observe(door, name, time.perf_counter() - started, result)

    def observe(self, door: str, name: str, seconds: float, result: str) -> None:
        """Notes an operation that somebody else timed."""
        self._operations.labels(door, name, result).observe(seconds)

    def request(self, method: str, path: str, status: int) -> None:
        """Notes an HTTP request; `path` is the route's template."""
        self._requests.labels(method, path, str(status)).inc()


class Measured:
    """An ASGI application that measures the HTTP requests to another, by the templates of its routes."""

    def __init__(self, app: Any, metrics: DoorMetrics, door: str = "http") -> None:
        self._app = app
        self._metrics = metrics
        self._door = door

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: dict[str, Any], status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", UNROUTED)
        method = scope["method"] if path != UNROUTED and scope["method"] in METHODS else UNROUTED
        self._metrics.request(method, path, status)
        words = [part for part in path.split("/") if part and "{" not in part]
        result = "ok" if status < 400 else "refused" if status < 500 else "error"  # noqa: PLR2004 (HTTP's classes)
        self._metrics.observe(self._door, words[-1] if words else "page", seconds, result)
