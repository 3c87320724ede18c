"""The socket at which a door listens."""

from __future__ import annotations

import socket

from mnemolog.schema.errors import CannotListen

_BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(host, port, error) from error
    # Connections inherit it. Without, asyncio leaves them at Nagle's algorithm, and each answer is 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
