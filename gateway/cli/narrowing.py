"""The options that say who asks, and what a search is limited to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import click

from mnemolog.gateway.cli.context import TIME
from mnemolog.gateway.memory import scope
from mnemolog.gateway.memory.axes import Times
from mnemolog.gateway.memory.scope import Narrowing, Scope

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
_NAMES = frozenset((*Narrowing.__annotations__, *Times.__annotations__))


def narrowing_options(command: Command) -> Command:
    """Adds the options; `scope_of` takes them out of what was given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def scope_of(given: Mapping[str, Any]) -> Scope:
    """The scope among the options that were given, those of time included."""
    return scope.scope_of(cast("Narrowing", {name: value for name, value in given.items() if name in _NAMES}))
