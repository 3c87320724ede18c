"""The HTTP API of a test: in this process without a network, or on a real port from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx2
import msgspec
import redis as redis_py
from starlette.applications import Starlette

from mnemolog.gateway.http.app import create_app
from mnemolog.gateway.http.drain import Drain
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.server import Server
from mnemolog.gateway.http.tokens import Token, TokenFile
from mnemolog.gateway.listener import listening
from mnemolog.gateway.memory import Memories
from mnemolog.schema.model_settings import model_settings
from mnemolog.schema.settings import Settings
from mnemolog.workers.writer.ingest import Ingest
from support.stories import SmallEmbedder, settings_in

BASE = "http://127.0.0.1:8420"
OPEN = HttpOptions(with_tokens=False, notice_s=0.0, request_s=10.0, requests_per_s=10_000)
LOCKED = msgspec.structs.replace(OPEN, with_tokens=True)


def memories_in(data: Path, redis_url: str | None = None, space: str = "default") -> Memories:
    """The memories of a folder, on a Redis if one is given."""
    settings = msgspec.structs.replace(settings_in(data, space), redis_url=redis_url)
    return Memories(settings, model_settings({}))


def client_of(app: Starlette, token: str | None = None, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A client that calls an application without a network."""
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url=BASE, headers={**bearer, **(headers or {})})


def made(data: Path, name: str, scope: Any, spaces: Sequence[str], **given: Any) -> str:
    """The secret of a new token."""
    return TokenFile(data).add(Token(name=name, scope=scope, spaces=tuple(spaces), created_at=0, **given))


@contextmanager
def writing(client: redis_py.Redis, *spaces: Settings) -> Iterator[None]:
    """A writer that folds some spaces while the block runs."""
    ingest = Ingest(client, SmallEmbedder())
    for settings in spaces:
        ingest.hold(settings)
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Served:
    """A server of a test's own on a real port, from a thread; leaving the `with` block stops it."""

    def __init__(self, memories: Memories, options: HttpOptions) -> None:
        drain = Drain()
        listener = listening("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = Server(create_app(memories, options, drain=drain), listener, options, drain)
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._runner as runner:
            runner.run(self._server.run())

    @property
    def has_ended(self) -> bool:
        """Whether it has stopped."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """What SIGTERM does to a server of its own."""
        self._loop.call_soon_threadsafe(self._server.stop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # its loop is closed where the test has stopped it
            self.stop()
        self._thread.join()
