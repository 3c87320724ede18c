"""The upstream: which URL a request goes to, with which headers, and what is said when there is no answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from urllib.parse import unquote, urlsplit

import httpx2
import msgspec

from mnemolog.gateway.proxy.options import OWN, Options
from mnemolog.schema.errors import InvalidInput

Headers = list[tuple[bytes, bytes]]

#: Of one connection only (RFC 9110, section 7.6.1).
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
_MOST_CONNECTIONS = 1_000
_V1 = "/v1"


class UpstreamBroke(Exception):
    """The upstream's answer broke off: so must the client's, or it would take a part for the whole."""


class NoAnswer(Exception):
    """The upstream gave no answer; `status` is what the client is told, with the message."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Upstream:
    """The server behind the proxy. Follows no redirects, keeps no cookies."""

    def __init__(self, options: Options, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.base = upstream_url(options.upstream)
        timeout = httpx2.Timeout(options.upstream_s, connect=options.connect_s, pool=options.connect_s)
        self._timeout = timeout.as_dict()
        limits = httpx2.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=100)
        self._client = httpx2.AsyncClient(limits=limits, transport=transport, follow_redirects=False)

    async def send(
        self, method: str, path: str, query: bytes, headers: Headers, body: bytes | AsyncIterable[bytes] | None
    ) -> httpx2.Response:
        """The upstream's answer, its body still to be read. Raises NoAnswer and InvalidInput."""
        url = f"{self.base}{below(self.base, path)}" + (f"?{query.decode('latin-1')}" if query else "")
        request = httpx2.Request(method, url, headers=headers, content=body, extensions={"timeout": self._timeout})
        try:
            # A cookie of one client is no other's.
            self._client.cookies.clear()
            return await self._client.send(request, stream=True)
        except httpx2.TimeoutException as error:
            raise NoAnswer(504, f"the upstream did not answer in time ({type(error).__name__})") from error
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise NoAnswer(502, f"the upstream cannot be reached ({type(error).__name__})") from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def upstream_url(text: str) -> str:
    """The URL of an upstream without a slash at its end. Raises InvalidInput for one that cannot be used."""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidInput(f"--upstream is an http or https URL such as https://api.openai.com/v1, not {text[:200]!r}")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise InvalidInput("--upstream has no user, password, query or fragment: clients send their own keys")
    return text.rstrip("/")


def below(base: str, path: str) -> str:
    """A request's path as it goes behind the upstream's URL: a `/v1` that both have stands there once.

    Raises InvalidInput for a path that leads out of the upstream's, or to another host behind it ("@host/", ":81/").
    """
    if not path.startswith("/") or any(part in (".", "..") for part in unquote(path).replace("\\", "/").split("/")):
        raise InvalidInput("the path leads out of the upstream's")
    if base.endswith(_V1) and (path == _V1 or path.startswith(f"{_V1}/")):
        return path.removeprefix(_V1)
    return path


def forwarded(headers: Iterable[tuple[bytes, bytes]], *without: bytes) -> Headers:
    """Headers as they go on: without those of one connection, those for the proxy and those named."""
    given = [(name.lower(), value) for name, value in headers]
    listed = {word.strip().lower() for name, value in given if name == b"connection" for word in value.split(b",")}
    dropped = _HOP_BY_HOP | listed | set(without)
    if any(name == b"transfer-encoding" for name, _ in given):
        # It says how long a body is, and a length beside it says something else (RFC 9112, section 6.3).
        dropped = dropped | {b"content-length"}
    return [(name, value) for name, value in given if name not in dropped and not name.startswith(OWN.encode())]


def error_body(message: str, kind: str) -> bytes:
    """An error in the form that clients of the upstream know."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": None}})
