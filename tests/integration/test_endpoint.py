"""The log's clients over connections that break."""

from __future__ import annotations

import socket
import threading
from typing import Self

import pytest
import redis as redis_py

from mnemolog.schema.endpoint import async_log_client, log_client


class LosesReplies:
    """A proxy that passes commands on to a Redis socket and cuts the connection instead of the reply to an XADD."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._path)
                while command := client.recv(65536):
                    server.sendall(command)
                    reply = server.recv(65536)
                    if b"XADD" in command:
                        break
                    client.sendall(reply)


@pytest.fixture
def socket_path(redis: redis_py.Redis) -> str:
    return redis.connection_pool.connection_kwargs["path"]


def test_a_lost_reply_does_not_write_twice(redis: redis_py.Redis, socket_path: str) -> None:
    with LosesReplies(socket_path) as proxy, log_client(proxy.url) as client:
        with pytest.raises(redis_py.ConnectionError):
            client.xadd("events", {"e": "once"})
        assert redis.xlen("events") == 1


async def test_a_lost_reply_does_not_write_twice_in_asyncio(redis: redis_py.Redis, socket_path: str) -> None:
    with LosesReplies(socket_path) as proxy:
        async with async_log_client(proxy.url) as client:
            with pytest.raises(redis_py.ConnectionError):
                await client.xadd("events", {"e": "once"})
        assert redis.xlen("events") == 1
