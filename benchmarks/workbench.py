"""What is measured on: a Redis server of its own, data folders of its own, and the writer as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec
import psutil
from conversation import messages
from machine import peak_rss_mb

from mnemolog.producers import Producer
from mnemolog.projections.connection import open_reader
from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import SpaceNotFound
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.embedded import embedded_redis

POLL_S = 0.02
#: Longer than the slowest machine needs for one step; a writer that hangs ends the measurement.
PATIENCE_S = 600.0
SEED = 1
LINES_SHOWN = 8


def mnemolog(settings: Settings, *arguments: str) -> list[str]:
    """The installed command, for a space."""
    given = ["--data", str(settings.data), "--space", settings.space]
    if settings.redis_url:
        given += ["--redis", settings.redis_url]
    return [str(Path(sysconfig.get_path("scripts")) / "mnemolog"), *given, *arguments]


def environment() -> dict[str, str]:
    """This process's environment without settings of mnemolog, but for streams that stay whole: runs share them."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MNEMOLOG_")}
    return plain | {"MNEMOLOG_STREAM_EVENTS": "0", "MNEMOLOG_STREAM_BYTES": "0"}


class Progress(msgspec.Struct, frozen=True):
    """How far a file is: `nodes` folded, of which the first `vectors` have been given their vectors."""

    nodes: int
    vectors: int


def progress(connection: apsw.Connection) -> Progress:
    """How far a file is, in two look-ups: counting rows would take a share of the machine that is measured."""
    nodes, position = connection.execute(
        "SELECT coalesce((SELECT max(number) FROM nodes), 0), (SELECT position FROM vector_index)"
    ).get
    return Progress(nodes, position)


class Writer:
    """A running `mnemolog ingest`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the writer is stopped)
        self._process = subprocess.Popen(
            mnemolog(settings, "ingest"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    @property
    def peak_rss_mb(self) -> float:
        """The most memory it has had resident, in MB."""
        return peak_rss_mb(self._process.pid)

    @property
    def processor_s(self) -> float:
        """The processor time it has used, in seconds."""
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    def check(self) -> None:
        """Raises RuntimeError, with what it wrote last, when it has ended."""
        if self._process.poll() is not None:
            self._output.seek(0)
            lines = self._output.read().decode("utf-8", "replace").splitlines()
            raise RuntimeError("\n".join([f"the writer ended with {self._process.returncode}:", *lines[-LINES_SHOWN:]]))

    def stop(self) -> None:
        """Drains and ends it, as Ctrl-C would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._output.close()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection that reads its file, as soon as there is one with tables."""
        while (connection := _open(self.settings.file)) is None:
            self.check()
            time.sleep(POLL_S)
        try:
            yield connection
        finally:
            connection.close()

    def follow(self, connection: apsw.Connection, nodes: int, *, vectors: bool = True) -> Iterator[Progress]:
        """How far it is, again and again, until it has folded that many nodes and given them their vectors."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.check()
            now = progress(connection)
            yield now
            if now.nodes >= nodes and (now.vectors >= nodes or not vectors):
                return
            time.sleep(POLL_S)
        raise TimeoutError(f"the writer did not fold {nodes:,} messages in {PATIENCE_S:g} s")

    def wait(self, nodes: int) -> None:
        """Waits until it has folded that many nodes and given them their vectors."""
        with self.reading() as connection:
            for _ in self.follow(connection, nodes):
                pass


def _open(file: Path) -> apsw.Connection | None:
    try:
        connection = open_reader(file)
    except SpaceNotFound:
        return None
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'vector_index'").get:
        return connection
    connection.close()
    return None


class Workbench:
    """A Redis server and a folder for data, both gone when the benchmarks end. Make it with `workbench`."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.client = log_client(redis_url)

    def settings(self, run: str, space: str) -> Settings:
        """The settings of a space whose file and archive are those of one run: runs share streams, not folders."""
        return Settings(data=self.folder / run, space=space, redis_url=self.redis_url)

    def producer(self, settings: Settings) -> Producer:
        """A producer for a space."""
        return Producer(settings.space, redis_url=self.redis_url)

    @contextmanager
    def writer(self, settings: Settings) -> Iterator[Writer]:
        """A writer process, drained and stopped when the block is left."""
        writer = Writer(settings)
        try:
            yield writer
        finally:
            writer.stop()
            # The next run folds the same stream into a folder of its own.
            self.client.delete(keys.home(settings.space))

    def published(self, nodes: int, name: str = "messages") -> Settings:
        """A space on whose stream that many messages stand, published once for all that need them."""
        settings = self.settings("loaded", f"{name}-{nodes}")
        if Stream(self.client, settings.space).bounds() is None:
            with self.producer(settings) as producer:
                producer.publish_many(messages(nodes, SEED))
        return settings

    def loaded(self, nodes: int) -> Settings:
        """A space with that many nodes, folded and given vectors once for all that need it; no writer runs for it."""
        settings = self.published(nodes)
        if not settings.file.exists():
            with self.writer(settings) as writer:
                writer.wait(nodes)
        return settings

    def remove(self, run: str) -> None:
        """Removes the folders of a run."""
        shutil.rmtree(self.folder / run)


@contextmanager
def workbench() -> Iterator[Workbench]:
    """A workbench in a temporary folder. Raises RedisNotFound when no server program is installed."""
    with tempfile.TemporaryDirectory(prefix="mnemolog-bench-") as name:
        folder = Path(name)
        with embedded_redis(folder / "redis") as url:
            yield Workbench(folder, url)
