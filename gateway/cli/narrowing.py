"""The options that say who asks, and what a search is limited to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from mnemolog.gateway.cli.axes import Axes
from mnemolog.gateway.cli.context import TIME, Context
from mnemolog.projections.search.filters import Filters
from mnemolog.schema.times import show, utc_offset_min

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--after", type=TIME, help="Only what was said or held from this time on."),
    click.option("--before", type=TIME, help="Only what was said or held before this time."),
    click.option("--session", "sessions", multiple=True, help="Only of this session; of several, of any of them."),
    click.option("--speaker", "speakers", multiple=True, help="Only what this speaker said."),
    click.option("--scene", "scenes", multiple=True, help="Only of this scene."),
    click.option("--entity", "entities", multiple=True, help="Only what mentions this person, place or thing."),
    click.option("--asker", help="Who asks: the speaker that I and my in the query mean."),
    click.option("--time-zone", help="In which last week is meant. [env MNEMOLOG_TIME_ZONE; default UTC]"),
)
_NAMES = ("sessions", "speakers", "scenes", "entities")


def narrowing_options(command: Command) -> Command:
    """Adds the options; the functions below take them out of what was given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def search_options(context: Context, axes: Axes, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `recall` and `context` that the options stand for. Raises InvalidTime for an unknown time zone.

    Where what was true at a time is asked for, what was said after it is left out.
    """
    return {
        "filters": Filters(
            after=given["after"],
            before=given["before"],
            said_until=axes.as_of,
            **{name: given[name] for name in _NAMES},
        ),
        "asker": given["asker"],
        "utc_offset_min": utc_offset_min(given["time_zone"] or context.settings.time_zone, axes.at),
    }


def told_options(axes: Axes, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the recall log keeps them."""
    times = {name: show(given[name]) for name in ("after", "before") if given[name] is not None}
    names = {name: given[name] for name in (*_NAMES, "asker", "time_zone") if given[name]}
    return {**axes.told, **times, **names}
