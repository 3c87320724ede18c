"""Probes: what load balancers and supervisors ask, of anybody: /healthz and /readyz."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.endpoint import Hall
from mnemolog.gateway.http.health import Checks, Health, Trouble

_DRAINING = Trouble("draining", "the server is about to stop")


class Probes:
    """Answers whether the memory is well, and whether this server can be asked."""

    def __init__(self, hall: Hall, drain: Drain) -> None:
        self._hall = hall
        self._drain = drain
        self._checks = Checks(hall.memories, hall.options)

    def routes(self) -> list[Route]:
        """The routes."""
        return [Route("/healthz", self.health, name="health"), Route("/readyz", self.ready, name="ready")]

    async def health(self, request: Request) -> Response:
        """200 where what is published gets folded, else 503 with the reasons."""
        return _answer(await self._hall.probe(self._checks.troubles), "unhealthy", request)

    async def ready(self, request: Request) -> Response:
        """200 where requests are welcome; 503 while the server drains, or the log cannot be reached."""
        if self._drain.has_begun:
            return _answer((_DRAINING,), "not-ready", request)
        found = await self._hall.probe(self._checks.troubles)
        return _answer(tuple(one for one in found if one.reason == "log-unavailable"), "not-ready", request)


def _answer(troubles: tuple[Trouble, ...], otherwise: Literal["unhealthy", "not-ready"], request: Request) -> Response:
    caller = request.state.caller
    if caller is None or not caller.may("admin"):
        troubles = tuple(msgspec.structs.replace(one, spaces=()) for one in troubles)
    else:
        troubles = tuple(
            msgspec.structs.replace(one, spaces=tuple(space for space in one.spaces if caller.sees(space)))
            for one in troubles
        )
    found = Health(otherwise if troubles else "ok", troubles)
    return Response(msgspec.json.encode(found), 503 if troubles else 200, media_type="application/json")
