"""Operations: what a row of the table of routes says, from which routes, decoding and documentation are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from mnemolog.gateway.http import problems
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import Kind
from mnemolog.gateway.http.tokens import Scope, Token
from mnemolog.gateway.memory import Memories, Memory

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_OF_ALL: tuple[Kind, ...] = (
    *(problems.UNAUTHENTICATED, problems.NOT_ALLOWED, problems.WRONG_ORIGIN, problems.NOT_FOUND, problems.WRONG_HOST),
    *(problems.INVALID, problems.TOO_MANY, problems.INTERNAL, problems.DAMAGED, problems.BUSY, problems.DRAINING),
    *(problems.LOG_UNAVAILABLE, problems.MEMORY_UNAVAILABLE, problems.TOO_SLOW, problems.HEADERS_TOO_LARGE),
)
_OF_BODIES: tuple[Kind, ...] = (problems.MALFORMED, problems.TOO_LARGE, problems.NOT_JSON)
_OF_WAITING: tuple[Kind, ...] = (problems.NOT_REACHED,)


Seconds = Annotated[float, msgspec.Meta(ge=0, le=300, description="Seconds to wait at most; the server bounds it.")]


PositionText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}-[0-9]{1,20}$", description="A position of the log")]


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a query string; unknown ones are refused."""


class Reading(Query, frozen=True, kw_only=True):
    """Of what reads: a position of the log that the memory must have folded first, and how long to wait for that."""

    wait: PositionText | None = None
    wait_s: Seconds = 10.0


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON body; unknown fields are refused."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, decoded: who asks, the memory of the space it names, and what it gives."""

    caller: Token
    memories: Memories
    path: Mapping[str, str]
    query: Any
    body: Any
    options: HttpOptions


def template(path: str) -> str:
    """A path of the framework's form in OpenAPI's, where parameters have no types."""
    return _PARAMETER.sub(r"{\1}", path)


def nothing(_: Memory, __: Call) -> object:
    """Gives nothing."""
    return None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table. `run` is called in a thread; what it gives is of the type `answer`.

    `path` begins after the space, for what is about one. One that `reads` can be asked to wait for a position first;
    one that `waits` holds its thread until the writer has folded what it asked for. What is `streamed` has no `run`: it
    sends one `answer` after the other as server-sent events.
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    scope: Scope
    run: Callable[[Memory, Call], object] = nothing
    answer: Any
    query: type[Query] = Query
    body: type[msgspec.Struct] | None = None
    status: int = 200
    reads: bool = False
    waits: bool = False
    streamed: bool = False
    of_space: bool = True
    more_problems: tuple[Kind, ...] = ()

    @property
    def route(self) -> str:
        """The whole path, in the framework's form."""
        return f"/v1/spaces/{{space}}/{self.path}" if self.of_space else f"/v1/{self.path}"

    @property
    def media_type(self) -> str:
        """The media type of its answers."""
        return "text/event-stream" if self.streamed else "application/json"

    @property
    def template(self) -> str:
        """The whole path, in OpenAPI's form."""
        return template(self.route)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters in the path."""
        return tuple(_PARAMETER.findall(self.route))

    @property
    def problems(self) -> tuple[Kind, ...]:
        """The problems that it may answer."""
        waiting = _OF_WAITING if self.reads else ()
        return (*_OF_ALL, *(_OF_BODIES if self.body else ()), *waiting, *self.more_problems)
