"""A Redis server of a test's own on a TCP port, to be configured, stopped where it stands, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis as redis_py

from mnemolog.schema.endpoint import RedisFolder, log_client
from mnemolog.schema.errors import RedisNotFound
from mnemolog.workers.redis_program import redis_program
from support.waiting import wait_until


class RedisServer:
    """Runs while its `with` block does, with an append-only file in `folder`; `options` go into its configuration."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            **(options or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._folder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def url_of(self, user: str, password: str) -> str:
        """The URL with a user in it."""
        return f"redis://{user}:{password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, or starts it again, and waits until it answers."""
        try:
            program = redis_program(RedisFolder(self._folder))
        except RedisNotFound as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(error))
        lines = "".join(f"{name} {value}\n" for name, value in self.options.items())
        (self._folder / "redis.conf").write_text(lines, encoding="utf-8")
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([program, "redis.conf"], cwd=self._folder, stdout=log, stderr=log)
        wait_until(self._answers, 20, f"the Redis server in {self._folder}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "redis.log").read_text(encoding="utf-8")
        with closing(log_client(self.url)) as client, suppress(redis_py.RedisError):
            try:
                client.ping()
            except redis_py.AuthenticationError:
                return True
            return True
        return False

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stops it where it stands: it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continues it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """A TCP port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
