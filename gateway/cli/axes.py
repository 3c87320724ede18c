"""The options of questions about another time: --now, --as-of, --known-at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import click

from mnemolog.gateway.cli.context import TIME
from mnemolog.gateway.memory import axes
from mnemolog.gateway.memory.axes import Axes, Times
from mnemolog.schema.errors import InvalidInput

Command = TypeVar("Command", bound=Callable[..., Any])


class Moment(click.ParamType[axes.Moment]):
    """A time or a position on the command line."""

    name = "time|position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> axes.Moment:
        """A position, or UTC milliseconds."""
        if value == "now":
            return TIME.convert(value, param, ctx)
        try:
            found = axes.moment_of(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)
        return found if found is not None else TIME.convert(value, param, ctx)


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
    return axes.axes_of(cast("Times", given))
