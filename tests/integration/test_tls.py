"""Redis over TLS: a server whose certificate is trusted is used, any other is refused before a password is sent."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis as redis_py
from support import run_cli

from mnemolog.producers import AsyncProducer, Producer
from mnemolog.schema import keys
from mnemolog.schema.errors import LogRefused

PASSWORD = "hunter2"


class TlsFront:
    """Ends TLS before the Redis at a Unix socket; `seen` is all that clients said once they trusted it."""

    def __init__(self, path: str, certificate: Path, key: Path) -> None:
        self._path = path
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.seen = b""
        self.address = f"localhost:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._path)
            with self._context.wrap_socket(plain, server_side=True) as client:
                while said := client.recv(65_536):
                    self.seen += said
                    # Each command is answered before the next is sent, but for the first two, which come together.
                    server.sendall(said)
                    server.settimeout(0.05)
                    with suppress(TimeoutError):
                        while reply := server.recv(65_536):
                            client.sendall(reply)


def certificate_in(folder: Path, name: str) -> tuple[Path, Path]:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl on this machine")
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    request = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    where = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *where], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate_in(folder, name) for name in ("localhost", "elsewhere")}


@pytest.fixture
def front(redis: redis_py.Redis, certificates: dict[str, tuple[Path, Path]]) -> Iterator[TlsFront]:
    path: str = redis.connection_pool.connection_kwargs["path"]
    redis.acl_setuser("ada", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"])
    front = TlsFront(path, *certificates["localhost"])
    yield front
    front.close()
    redis.acl_deluser("ada")


def url_of(front: TlsFront, *options: str) -> str:
    return f"rediss://ada:{PASSWORD}@{front.address}?" + "&".join(options)


async def test_a_server_whose_certificate_is_trusted_is_used(
    redis: redis_py.Redis, front: TlsFront, certificates: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    url = url_of(front, f"ssl_ca_certs={certificates['localhost'][0]}")
    with closing(Producer("home", redis_url=url)) as producer:
        producer.publish("user", "one", "s")
    async with AsyncProducer("home", redis_url=url) as door:
        await door.publish("user", "two", "s")
    said = ("publish", "three", "--role", "user", "--session", "s")
    told = run_cli("--data", tmp_path, "--space", "home", "--redis", url, *said)
    assert told.returncode == 0, told.stderr
    assert redis.xlen(keys.stream("home")) == 4


@pytest.mark.parametrize("trusted", ["elsewhere", None])
async def test_a_server_that_is_not_trusted_is_refused_before_the_password_is_sent(
    redis: redis_py.Redis, front: TlsFront, certificates: dict[str, tuple[Path, Path]], trusted: str | None
) -> None:
    url = url_of(front, *([f"ssl_ca_certs={certificates[trusted][0]}"] if trusted else []))
    with Producer("home", redis_url=url) as producer, pytest.raises(LogRefused, match="ssl_ca_certs=FILE") as caught:
        producer.publish("user", "one", "s")
    assert PASSWORD not in str(caught.value)
    async with AsyncProducer("home", redis_url=url) as door:
        with pytest.raises(LogRefused, match="ssl_ca_certs=FILE"):
            await door.publish("user", "two", "s")
    assert front.seen == b""
    assert redis.keys() == []


async def test_a_certificate_of_another_host_is_refused(
    redis: redis_py.Redis, certificates: dict[str, tuple[Path, Path]]
) -> None:
    path: str = redis.connection_pool.connection_kwargs["path"]
    certificate, key = certificates["elsewhere"]
    front = TlsFront(path, certificate, key)
    try:
        url = url_of(front, f"ssl_ca_certs={certificate}")
        with Producer("home", redis_url=url) as producer, pytest.raises(LogRefused, match="ssl_ca_certs=FILE"):
            producer.publish("user", "one", "s")
    finally:
        front.close()
    assert front.seen == b""
