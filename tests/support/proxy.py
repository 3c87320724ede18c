"""A TCP proxy before a Redis server, which can be told to lose the reply to a command."""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes on to the Redis at the Unix socket `path`; its own address is `url`.

    The replies to the first `lose` requests that contain `word` are lost: the command is carried out, and the connection
    is closed instead of answered. `lost` counts them.
    """

    def __init__(self, path: str, word: bytes = b"", lose: int = 0) -> None:
        self._path = path
        self._word = word
        self._lose = lose
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self.lost = 0
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._path)
            losing = False
            while True:
                ready, _, _ = select.select([client, server], [], [])
                source = ready[0]
                try:
                    data = source.recv(1 << 16)
                except ConnectionError:
                    return
                if not data or (source is server and losing):
                    return
                losing = losing or (source is client and self._loses(data))
                (server if source is client else client).sendall(data)

    def _loses(self, request: bytes) -> bool:
        with self._lock:
            if self._word not in request or self.lost >= self._lose:
                return False
            self.lost += 1
            return True
