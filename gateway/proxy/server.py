"""Running the proxy: a socket, a server that ends when it is asked to, and what it says in the log."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from mnemolog.gateway.http.connections import HEAD_S, protocol
from mnemolog.gateway.proxy.upstream import UpstreamBroke

log = logging.getLogger("mnemolog.proxy")

_MOST_AT_ONCE = 1_000
_MOST_HEADER_BYTES = 64 * 1024
#: An upload to the upstream may take so long.
_BODY_S = 600.0


class _Server(uvicorn.Server):
    """Says when it is ready, and ends without passing the signal on that ended it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        stopping = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` is respected
            stopping.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._stop) for number in stopping}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def serve(app: ASGIApp, listener: socket.socket, drain_s: float, ready: Callable[[], None]) -> None:
    """Serves until Ctrl-C or SIGTERM, then lets what has begun come to its end for so many seconds at most."""
    # What these say of a request has its query in it, in which some upstreams take a key.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_ours_to_tell)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        # Over the parser that bounds what it holds of a request that is not complete; the one in C does not.
        http=protocol(HEAD_S, _BODY_S),
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    _Server(config, ready).run(sockets=[listener])


def _is_ours_to_tell(record: logging.LogRecord) -> bool:
    """Keeps tracebacks out of the log that say no more than that an upstream broke off."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UpstreamBroke):
        log.warning("an answer of the upstream broke off (%s): so does ours", error)
        return False
    return True
