"""The settings of the HTTP API: one struct, made at the entry point."""

from __future__ import annotations

import ipaddress

import msgspec

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8420


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is reached, and what it bounds. `_s` are seconds.

    Without `with_tokens` every caller may do everything: for loopback alone. `allow_hosts` are further names in the
    Host header that are this server's own, `allow_origins` the other sites whose pages may ask (CORS; none).
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    with_tokens: bool = True
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    #: The largest body, and the most messages in one batch.
    max_body_bytes: int = 16 * 1024 * 1024
    max_batch: int = 1_000
    #: The largest request line with its headers.
    max_header_bytes: int = 16 * 1024
    #: Of each token, or of each address that gives none; and wrong tokens of each address.
    requests_per_s: int = 500
    wrong_tokens_per_min: int = 30
    #: After so long a request is given up; a read or write that waits for a position may ask for so long.
    request_s: float = 30.0
    wait_s: float = 30.0
    #: Requests at work at once; those over wait for a place.
    threads: int = 16
    #: Streams of changes at once, of all callers and of each.
    streams: int = 100
    streams_per_caller: int = 16
    #: How often a stream looks for changes, and says that it is alive.
    poll_s: float = 0.25
    heartbeat_s: float = 15.0
    #: What is not folded for so long while its writer does not go on makes the server unhealthy.
    stalled_s: float = 30.0
    #: When it is asked to stop: first not ready for so long, then so long for the requests in flight.
    notice_s: float = 1.0
    drain_s: float = 20.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
