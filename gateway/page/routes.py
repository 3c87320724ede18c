"""Routes of the page: its files, and the read-only JSON that only it needs. The rest it asks of the HTTP API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import apsw
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mnemolog.gateway.http.access import require
from mnemolog.gateway.http.problems import NOT_FOUND, Refused
from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.axes import now_ms, time_of
from mnemolog.gateway.memory.objects import as_object
from mnemolog.gateway.page.files import HEADERS, File, read_files
from mnemolog.projections.activity import activity
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.curves import curve
from mnemolog.projections.graph import around

INDEX = "index.html"
#: So many questions of the page are answered at once, the next one waits.
MOST_AT_ONCE = 4

Answer = TypeVar("Answer")
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(memories: Memories) -> list[BaseRoute]:
    """The page at `/`, its files below `/page/`, and what it draws below `/page/data/`.

    The files need no token; what is drawn needs one of the scope `read`, as the HTTP API asks for it.
    """
    served = read_files()
    drawn = _Drawn(memories)
    return [
        Route("/", _file(served, INDEX), methods=["GET"], name="page"),
        Route("/page/data/{space}/activity", drawn.activity, methods=["GET"], name="page_activity"),
        Route("/page/data/{space}/curves/{node}", drawn.curve, methods=["GET"], name="page_curve"),
        Route("/page/data/{space}/graph", drawn.graph, methods=["GET"], name="page_graph"),
        Route("/page/{path:path}", _file(served, None), methods=["GET"], name="page_file"),
    ]


def _file(served: dict[str, File], path: str | None) -> Endpoint:
    """What serves one file, or the one that the path names."""

    async def serve(request: Request) -> Response:
        found = served.get(request.path_params["path"] if path is None else path)
        if found is None:
            raise Refused(NOT_FOUND, "the page has no such file")
        headers = {**HEADERS, "ETag": found.tag}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)

    return serve


class _Drawn:
    """What the page draws: each picture is a question to one memory, answered in a thread."""

    def __init__(self, memories: Memories) -> None:
        self._memories = memories
        self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)

    async def activity(self, request: Request) -> Response:
        """When a memory was spoken to."""
        return await self._answer(request, activity)

    async def curve(self, request: Request) -> Response:
        """The forgetting curve of a fact."""
        node, at = request.path_params["node"], _at(request)
        return await self._answer(request, lambda connection: curve(connection, node, at))

    async def graph(self, request: Request) -> Response:
        """The graph around a name."""
        name, at = request.query_params.get("name", ""), _at(request)
        return await self._answer(request, lambda connection: around(connection, name, at))

    async def _answer(self, request: Request, question: Callable[[apsw.Connection], object]) -> Response:
        space = request.path_params["space"]
        require(request, "read", space)

        def ask() -> object:
            return self._memories.run(space, lambda memory: _asked(memory, question))

        found = await anyio.to_thread.run_sync(ask, limiter=self._limiter)
        if found is None:
            raise Refused(NOT_FOUND, "there is nothing of this id")
        return Response(msgspec.json.encode(as_object(found)), media_type="application/json")


def _asked(memory: Memory, question: Callable[[apsw.Connection], Answer]) -> Answer:
    with memory.place.reader() as connection, read_transaction(connection):
        return question(connection)


def _at(request: Request) -> int:
    """The time asked about, now unless one is given. Raises InvalidTime."""
    given = time_of(request.query_params.get("as_of"))
    return now_ms() if given is None else given
