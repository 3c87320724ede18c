"""Problems: what the API answers when it refuses, as problem details (RFC 9457), and which error is which problem."""

from __future__ import annotations

import apsw
import msgspec
from starlette.responses import Response

from mnemolog.gateway.memory.facts import UnknownScene
from mnemolog.projections.lines.citations import UnknownCitation
from mnemolog.projections.names import UnknownName
from mnemolog.projections.progress import NotDone
from mnemolog.schema import errors

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:mnemolog:problem:"
RETRY_AFTER_S = 1


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457): `type` is stable, `detail` is for people, `request_id` stands in the server's log."""

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str = ""


class Kind(msgspec.Struct, frozen=True):
    """A kind of problem: the last part of its `type`, its status and its title."""

    name: str
    status: int
    title: str
    retry: bool = False

    @property
    def type(self) -> str:
        """The URI that names it."""
        return TYPE_PREFIX + self.name


class Refused(Exception):
    """A request that is answered with a problem. `headers` go with the answer."""

    def __init__(self, kind: Kind, detail: str = "", headers: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        super().__init__(f"{kind.name}: {detail}")


MALFORMED = Kind("malformed", 400, "The body is not JSON")
UNAUTHENTICATED = Kind("unauthenticated", 401, "A valid token is needed")
NOT_ALLOWED = Kind("not-allowed", 403, "The token does not allow this")
WRONG_ORIGIN = Kind("wrong-origin", 403, "The request comes from another place than this server's own pages")
NOT_FOUND = Kind("not-found", 404, "There is nothing here, or nothing that the token may see")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This path has no such method")
ID_REUSED = Kind("id-reused", 409, "The event id stands for something else already")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
NOT_JSON = Kind("not-json", 415, "The body must be application/json")
WRONG_HOST = Kind("wrong-host", 421, "The Host header names another server")
INVALID = Kind("invalid-input", 422, "The request cannot be accepted as it is")
TOO_MANY = Kind("too-many-requests", 429, "Too many requests", retry=True)
HEADERS_TOO_LARGE = Kind("headers-too-large", 431, "The request line and its headers are too large")
INTERNAL = Kind("internal", 500, "Something went wrong inside")
DAMAGED = Kind("damaged", 500, "The memory's file is damaged")
BUSY = Kind("busy", 503, "The server has no room for the request now", retry=True)
DRAINING = Kind("draining", 503, "The server is about to stop", retry=True)
LOG_UNAVAILABLE = Kind("log-unavailable", 503, "The log cannot be reached", retry=True)
LOG_FULL = Kind("log-full", 503, "The log has no room left", retry=True)
MEMORY_UNAVAILABLE = Kind("memory-unavailable", 503, "The memory cannot be read or written now", retry=True)
TOO_SLOW = Kind("too-slow", 504, "The request was not done in time")
NOT_REACHED = Kind("position-not-reached", 504, "The memory is not that far yet", retry=True)

KINDS: tuple[Kind, ...] = (
    *(MALFORMED, UNAUTHENTICATED, NOT_ALLOWED, WRONG_ORIGIN, NOT_FOUND, METHOD_NOT_ALLOWED, ID_REUSED, TOO_LARGE),
    *(NOT_JSON, WRONG_HOST, INVALID, TOO_MANY, HEADERS_TOO_LARGE, INTERNAL, DAMAGED, BUSY, DRAINING),
    *(LOG_UNAVAILABLE, LOG_FULL, MEMORY_UNAVAILABLE, TOO_SLOW, NOT_REACHED),
)

#: Which error is which problem, the narrower first. Where the third is True the error's message is for the caller;
#: the others' name files and servers, and stand in the log alone.
_KIND_OF: tuple[tuple[type[Exception], Kind, bool], ...] = (
    (errors.InvalidSpaceName, NOT_FOUND, False),
    (UnknownCitation, NOT_FOUND, True),
    (UnknownName, NOT_FOUND, True),
    (UnknownScene, NOT_FOUND, True),
    (errors.EventIdReused, ID_REUSED, True),
    (errors.InvalidInput, INVALID, True),
    (errors.SpaceNotFound, NOT_FOUND, False),
    (errors.LogFull, LOG_FULL, False),
    (errors.LogUnavailable, LOG_UNAVAILABLE, False),
    (errors.LogRefused, LOG_UNAVAILABLE, False),
    (errors.RedisNotFound, LOG_UNAVAILABLE, False),
    (errors.StreamLost, LOG_UNAVAILABLE, False),
    (errors.DamagedFile, DAMAGED, False),
    (apsw.CorruptError, DAMAGED, False),
    (apsw.NotADBError, DAMAGED, False),
    (errors.DivergedLog, MEMORY_UNAVAILABLE, False),
    (errors.NewerEvent, MEMORY_UNAVAILABLE, False),
    (errors.SpaceHeld, MEMORY_UNAVAILABLE, False),
    (errors.StaleWriter, MEMORY_UNAVAILABLE, False),
    (errors.EngineError, MEMORY_UNAVAILABLE, False),
    (NotDone, NOT_REACHED, False),
    (apsw.BusyError, MEMORY_UNAVAILABLE, False),
    (apsw.CantOpenError, MEMORY_UNAVAILABLE, False),
    (apsw.FullError, MEMORY_UNAVAILABLE, False),
    (apsw.IOError, MEMORY_UNAVAILABLE, False),
    (apsw.InterruptError, TOO_SLOW, False),
)


def refusal(error: Exception) -> Refused:
    """The problem that an error is; one that nobody expected is internal, and says nothing of itself."""
    if isinstance(error, Refused):
        return error
    for family, kind, tells in _KIND_OF:
        if isinstance(error, family):
            return Refused(kind, str(error) if tells else "")
    return Refused(INTERNAL)


def of_status(status: int) -> Kind:
    """The kind of a refusal of the framework's own, by its status."""
    return next((kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, MALFORMED) if kind.status == status), INTERNAL)


def answer(refused: Refused, request_id: str) -> Response:
    """The response that tells a problem."""
    kind = refused.kind
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=refused.detail,
        request_id=request_id,
    )
    headers = dict(refused.headers)
    if kind.retry:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if kind is UNAUTHENTICATED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="mnemolog"')
    return Response(msgspec.json.encode(problem), kind.status, headers, MEDIA_TYPE)
