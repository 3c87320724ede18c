"""What every command has: the settings, ways to Redis and to the file, and the forms of options and output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import apsw
import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mnemolog.gateway.memory import axes
from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.indexes.embedders import embedder_of
from mnemolog.schema import times
from mnemolog.schema.endpoint import find_embedded, log_client
from mnemolog.schema.errors import InvalidInput, InvalidTime, SpaceNotFound
from mnemolog.schema.ids import Position
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.embedded import embedded_redis

#: The machine's clock, in UTC milliseconds.
now_ms = axes.now_ms

console = Console(stderr=True, highlight=False)


class Context:
    """Made once per call of the command line, from the global options."""

    def __init__(self, settings: Settings, models: ModelSettings) -> None:
        self.settings = settings
        self.models = models

    @contextmanager
    def redis(self) -> Iterator[str]:
        """The URL of Redis, for commands that write: an embedded server is started unless one is given or runs."""
        given = self.settings.redis_url
        with nullcontext(given) if given else embedded_redis(self.settings.data, self.settings.durability) as url:
            yield url

    def running_redis(self) -> str | None:
        """The URL of Redis, for commands that only read: they never start one."""
        return self.settings.redis_url or find_embedded(self.settings.data)

    def stream(self, url: str) -> Stream:
        """The space's stream."""
        return Stream(log_client(url), self.settings.space)

    @contextmanager
    def reader(self) -> Iterator[apsw.Connection]:
        """A connection that reads the space's file. Raises SpaceNotFound, also while a writer is about to fill it."""
        connection = open_reader(self.settings.file)
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get:
                raise SpaceNotFound(f"the file {self.settings.file} is empty: nothing has been folded into it yet")
            yield connection
        finally:
            connection.close()

    def embedder(self) -> Embedder:
        """The embedder that the environment asks for."""
        return embedder_of(self.models, self.settings.data)


pass_context = click.make_pass_decorator(Context)


class Time(click.ParamType[int]):
    """A time on the command line: ISO 8601 with an offset, UTC milliseconds, or `now`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """UTC milliseconds."""
        if isinstance(value, int):
            return value
        if value == "now":
            return now_ms()
        try:
            return times.parse(value)
        except InvalidTime as error:
            self.fail(str(error), param, ctx)


class PositionType(click.ParamType[Position]):
    """A position on the command line, such as 1757000000000-0."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Position:
        """The position."""
        if isinstance(value, Position):
            return value
        try:
            return Position.parse(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


TIME = Time()
POSITION = PositionType()
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on standard output.")


def print_json(value: object) -> None:
    """One JSON document on one line; positions as 'ms-seq'."""
    encoded = msgspec.json.encode(_plain(value))
    sys.stdout.write(encoded.decode("utf-8") + "\n")


def _plain(value: object) -> Any:
    if isinstance(value, Position):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def print_answer(answer: object) -> None:
    """The JSON of an answer of the memory, on one line."""
    sys.stdout.write(msgspec.json.encode(answer).decode("utf-8") + "\n")


def say_if_none(found: Sized, text: str) -> None:
    """Says on standard error that there is nothing to list, where there is nothing."""
    if not found:
        click.echo(text, err=True)


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error when it is a terminal; yields a function that takes how many more are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def advance(count: int, new_total: int | None = None) -> None:
            bar.update(task, advance=count, total=new_total)

        yield advance


@contextmanager
def progress_to(what: str) -> Iterator[Callable[[int, int], None]]:
    """The same for work that says how much is done of how much."""
    with progress_bar(what, None) as advance:
        done = 0

        def tell(now: int, total: int) -> None:
            nonlocal done
            advance(now - done, total)
            done = now

        yield tell
