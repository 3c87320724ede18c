"""Connections: how many there are, and how long each may take to send a request."""

from __future__ import annotations

import asyncio
import resource
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: A request line with its headers comes within so many seconds.
HEAD_S = 10.0
#: So many connections are held at once, as far as that leaves half of this process's files for the rest.
MOST_CONNECTIONS = 1_000


class Connection(H11Protocol):
    """A connection that ends when a request is too long in coming, from its first byte or from none on.

    `head_s` are the seconds for the request line with its headers, `body_s` those for the body. When there are more
    than `most`, the one goes of which nothing was heard for longest; `silent` holds those of one server, in order.
    """

    def __init__(
        self, *given: Any, head_s: float, body_s: float, most: int, silent: dict[Connection, None], **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self._silent = silent
        self._seconds: dict[Any, float] = {h11.IDLE: head_s, h11.SEND_BODY: body_s}
        self._most = most
        self._awaited: Any = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            # Not the one that comes: who holds all places in silence would keep everybody else out.
            self._longest_silent().give_up()
        if not transport.is_closing():
            self._await()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._await()

    def on_response_complete(self) -> None:
        """What follows the last byte of an answer: the next request is awaited."""
        super().on_response_complete()
        self._await()
        if self.conn.their_state is h11.SEND_BODY:
            # It is answered already, as without a token: what is still to come of it keeps nobody out.
            self._silent[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end_timer()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Ends the connection at once."""
        self._end_timer()
        self.transport.abort()

    def _longest_silent(self) -> Connection:
        """The connection that was silent longest; this one where all others are in use."""
        return next(iter(self._silent), self)

    def _await(self) -> None:
        """Begins to wait for the next part of a request, unless that was begun."""
        state = self.conn.their_state
        if state is self._awaited:
            return
        self._end_timer()
        if state in self._seconds and not self.transport.is_closing():
            self._awaited = state
            if state is h11.IDLE:
                self._silent[self] = None
            self._timer = self.loop.call_later(self._seconds[state], self.transport.abort)

    def _end_timer(self) -> None:
        self._awaited = None
        self._silent.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(head_s: float, body_s: float) -> Any:
    """What makes the connections of one server, as its `http`, each with so many seconds for its parts."""
    return partial(Connection, head_s=head_s, body_s=body_s, most=most_connections(), silent={})


def most_connections() -> int:
    """How many connections this process can hold, with as many files again for all else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)
