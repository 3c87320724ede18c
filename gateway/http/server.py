"""The server: listens, and stops in order when it is asked to."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.options import HttpOptions

_BACKLOG = 2048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """Leaves signals to `serve`: the framework's own handling refuses connections at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)


async def serve(
    app: ASGIApp, listener: socket.socket, options: HttpOptions, drain: Drain, ready: Callable[[], None]
) -> None:
    """Serves until SIGINT or SIGTERM, then drains: is not ready for `notice_s`, then ends what is in flight.

    What is not done after `drain_s` more is cut off; a second signal cuts it off at once.
    """
    server = _Server(_config(app, options))
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave() -> None:
        drain.begin()
        await asyncio.sleep(options.notice_s)
        server.should_exit = True

    def asked() -> None:
        if leaving:
            server.should_exit = server.force_exit = True
        else:
            leaving.append(loop.create_task(leave()))

    for number in _SIGNALS:
        loop.add_signal_handler(number, asked)
    try:
        # Connections wait in the listener's queue until the server takes them.
        ready()
        await server.serve(sockets=[listener])
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _config(app: ASGIApp, options: HttpOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # The parser in C knows no bound on the size of headers.
        http="h11",
        h11_max_incomplete_event_size=options.max_header_bytes,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(options.drain_s),
    )
