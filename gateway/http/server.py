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

from mnemolog.gateway.http.connections import HEAD_S, protocol
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.options import HttpOptions

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """Leaves signals to Server: the framework's own handling refuses connections at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """Serves an application on a listener, until it is asked to stop; then it drains.

    First it is not ready for `notice_s`, then it ends what is in flight; what is not done after `drain_s` more is cut
    off. Asked again it cuts off at once.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, options: HttpOptions, drain: Drain) -> None:
        self._listener = listener
        self._notice_s = options.notice_s
        self._drain = drain
        self._server = _Server(_config(app, options))
        self._leaving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serves until it has stopped."""
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Asks it to stop; from its own loop alone."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave())
        else:
            self._server.should_exit = self._server.force_exit = True

    async def _leave(self) -> None:
        self._drain.begin()
        await asyncio.sleep(self._notice_s)
        self._server.should_exit = True


async def run_until_signalled(server: Server, ready: Callable[[], None]) -> None:
    """Runs a server until SIGINT or SIGTERM ask it to stop, and it has stopped; says when it is `ready` for both."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, server.stop)
    try:
        # Connections wait in the listener's queue until the server takes them.
        ready()
        await server.run()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _config(app: ASGIApp, options: HttpOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # Over the parser that bounds what it holds of a request that is not complete; the one in C does not.
        http=protocol(min(HEAD_S, options.request_s), options.request_s),
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
