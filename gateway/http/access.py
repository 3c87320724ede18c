"""Access: who asks, and whether that one may."""

from __future__ import annotations

import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from mnemolog.gateway.http.options import HttpOptions, is_loopback
from mnemolog.gateway.http.problems import (
    INTERNAL,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHENTICATED,
    WRONG_HOST,
    WRONG_ORIGIN,
    Refused,
)
from mnemolog.gateway.http.rates import Rates
from mnemolog.gateway.http.tokens import ANYBODY, PREFIX, Scope, Token, TokenFile
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import is_space

log = logging.getLogger("mnemolog.http")


class Access:
    """Knows callers by their tokens, and the hosts and origins that are this server's own."""

    def __init__(self, options: HttpOptions, tokens: TokenFile, rates: Rates) -> None:
        self._options = options
        self._tokens = tokens
        self._rates = rates

    def check_place(self, headers: Headers) -> None:
        """Refuses what pages of other sites send: by the Host header (DNS rebinding), and by their Origin.

        Raises Refused.
        """
        host = headers.get("host", "")
        name = _name(host)
        allowed = self._options.allow_hosts
        if (self._options.is_loopback or allowed) and not (is_loopback(name) or name in allowed):
            raise Refused(WRONG_HOST, f"this server is not {name[:100]!r}; --allow-host adds a name")
        origin = headers.get("origin")
        if origin in self._options.allow_origins:
            return
        if origin is not None and not _is_of(origin, host):
            raise Refused(WRONG_ORIGIN, f"pages of {origin[:100]!r} may not ask here; --allow-origin adds one")
        if _is_loaded_elsewhere(headers):
            raise Refused(WRONG_ORIGIN, "pages of other sites may link here, and load nothing from here")

    def caller(self, headers: Headers, address: str) -> Token | None:
        """Who asks; None without a token. Raises Refused for one that is not valid, and for too many requests."""
        if not self._options.with_tokens:
            found: Token | None = ANYBODY
        else:
            found = self._of_token(headers.get("authorization"), address)
        self._rates.request(address if found is None or found is ANYBODY else f"token {found.name}")
        return found

    def is_valid(self, caller: Token) -> bool:
        """Whether a caller that was let in may still ask: its token was neither revoked nor has it expired."""
        return caller is ANYBODY or self._tokens.holds(caller, time.time_ns() // 1_000_000)

    def _of_token(self, given: str | None, address: str) -> Token | None:
        if given is None:
            return None
        word, _, secret = given.partition(" ")
        if word.lower() == "bearer" and secret.startswith(PREFIX):
            found = self._found(secret.strip())
            if found is not None:
                # Never refused for wrong tokens of its address: others may share that, and want it shut out.
                return found
        self._rates.wrong_token(address)
        raise Refused(UNAUTHENTICATED, "the token is not known, has expired, or was revoked")

    def _found(self, secret: str) -> Token | None:
        try:
            return self._tokens.of_secret(secret, time.time_ns() // 1_000_000)
        except InvalidInput as error:
            # What is wrong with the file is for who runs the server, not for who asks it.
            log.error("%s", error)  # noqa: TRY400 (the message says all)
            raise Refused(INTERNAL) from None


def _is_of(origin: str, host: str) -> bool:
    """Whether an Origin is of the host that was asked."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host != "" and parts.netloc == host


def _is_loaded_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site loads this, as a script, a picture or a frame: browsers name no Origin then.

    Whether it loads would tell that page what is remembered. A link that is followed is not it.
    """
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")


def _name(host: str) -> str:
    """The host in a Host header, without its port and brackets; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def caller_of(connection: HTTPConnection) -> Token:
    """Who sent a request. Raises Refused where that is not known."""
    found: Token | None = getattr(connection.state, "caller", None)
    if found is None:
        raise Refused(UNAUTHENTICATED, "send a token as `Authorization: Bearer mn_…`")
    return found


def require(connection: HTTPConnection, scope: Scope, space: str | None = None) -> Token:
    """The caller of a request, where its token has the scope and is of the space. Raises Refused.

    A space that is not the token's is refused like one that does not exist.
    """
    caller = caller_of(connection)
    if space is not None and not (is_space(space) and caller.sees(space)):
        raise Refused(NOT_FOUND, f"there is no space {space[:64]!r}, or this token is not for it")
    if not caller.may(scope):
        raise Refused(NOT_ALLOWED, f"this needs a token of the scope {scope}; this one has {caller.scope}")
    return caller
