"""The options of questions about another time, and the file that answers them: --now, --as-of, --known-at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import apsw
import click
import msgspec

from mnemolog.gateway.cli.context import POSITION, TIME, Context, now_ms, progress_bar
from mnemolog.schema import archive
from mnemolog.schema.ids import START, Position
from mnemolog.schema.times import show
from mnemolog.workers.rebuilding import known

Command = TypeVar("Command", bound=Callable[..., Any])

_POSITION = re.compile(r"\s*\d+-\d+\s*")


class Moment(click.ParamType[known.Moment]):
    """A time or a position on the command line."""

    name = "time|position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> known.Moment:
        """A position, or UTC milliseconds."""
        if isinstance(value, str) and _POSITION.fullmatch(value):
            return POSITION.convert(value.strip(), param, ctx)
        return value if isinstance(value, Position) else TIME.convert(value, param, ctx)


class Axes(msgspec.Struct, frozen=True, kw_only=True):
    """Which time is asked about. Times are UTC milliseconds; None where the option was not given."""

    now: int | None = None
    as_of: int | None = None
    known_at: known.Moment | None = None

    @property
    def at(self) -> int:
        """The time at which the answer is to hold.

        What was known at a moment is told as it would have been then, unless another time is asked about with it.
        """
        if self.as_of is not None:
            return self.as_of
        if self.now is not None:
            return self.now
        if self.known_at is None:
            return now_ms()
        moment = self.known_at.ms if isinstance(self.known_at, Position) else self.known_at
        return min(moment, now_ms())

    @property
    def is_past(self) -> bool:
        """Whether the past is asked about, which is no use of what is told."""
        return self.as_of is not None or self.known_at is not None

    @property
    def told(self) -> dict[str, str]:
        """The options as the recall log keeps them."""
        told = {} if self.as_of is None else {"as_of": show(self.as_of)}
        if self.known_at is None:
            return told
        return {**told, "known_at": str(self.known_at) if isinstance(self.known_at, Position) else show(self.known_at)}


_OPTIONS = (
    click.option("--now", type=TIME, help="Answer as at this time."),
    click.option("--as-of", type=TIME, help="What was true at this time, as is known today (goes before --now)."),
    click.option("--known-at", type=Moment(), help="What the memory knew at this time or position of its log."),
)


def time_options(command: Command) -> Command:
    """Adds the three options; `axes_of` takes them out of what was given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def axes_of(given: Mapping[str, Any]) -> Axes:
    """The axes among the options that were given."""
    return Axes(now=given["now"], as_of=given["as_of"], known_at=given["known_at"])


@contextmanager
def reading(context: Context, axes: Axes) -> Iterator[apsw.Connection]:
    """A connection that reads the file that answers: the live one, or one that holds what was known at a moment.

    Says so where nothing was known yet: then the file is empty. Raises SpaceNotFound, and what `known.opened` raises.
    """
    if axes.known_at is None:
        with context.reader() as connection:
            yield connection
        return
    url = context.running_redis()
    stream = None if url is None else context.stream(url)
    with ExitStack() as stack:
        # The bar has gone before anything is printed.
        with progress_bar("folding what was known", archive.count(context.settings.archive)) as advance:
            found = stack.enter_context(
                known.opened(context.settings, context.embedder(), axes.known_at, stream=stream, progress=advance)
            )
        if found.position == START:
            click.echo("knew nothing yet", err=True)
        yield found.connection
