"""Commands that tell what is known of a person, a place, a project or a thing: entity, entities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, pass_context, print_answer, say_if_none
from mnemolog.gateway.cli.facts import as_line
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.telling import counted, day, short
from mnemolog.gateway.memory import entities as telling
from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.entities import EntityStory, Moment, Succession
from mnemolog.projections.names import Named


@click.command()
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="Also facts that are not live.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Moments of the timeline.")
@click.option("--now", type=TIME, help="Answer as at this time.")
@json_option
@pass_context
def entity(context: Context, /, name: str, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Tell all that is known of somebody or something: facts, what changed, a timeline, and who stands beside it.

    NAME is any of its names, in any case. An unknown name is an error that names those that look like it.

    \b
    mnemolog entity Ada
    mnemolog entity "Acme Corp" --all --json
    """
    axes = Axes(now=options["now"])
    with place_of(context) as place:
        found = telling.entity(place, name, axes, everything=options["everything"], limit=options["limit"])
    if as_json:
        print_answer(found)
        return
    for line in _lines(found):
        click.echo(line)


@click.command()
@json_option
@pass_context
def entities(context: Context, as_json: bool) -> None:  # noqa: FBT001
    """List everybody and everything that has a name here, most told of first.

    \b
    mnemolog entities
    """
    with place_of(context) as place:
        found = telling.entities(place)
    if as_json:
        print_answer(found)
        return
    say_if_none(found, "no names: they come with facts")
    for one in found:
        click.echo(_named(one))


def _named(one: Named) -> str:
    others = [spelling for spelling in one.spellings if spelling != one.name]
    also = f", also {short(', '.join(others))}" if others else ""
    told = (
        f"{counted(one.about, 'fact')} about it" if one.about else "",
        f"{counted(one.mentioned, 'fact')} naming it" if one.mentioned else "",
        f"{counted(one.spoken, 'message')} from it" if one.spoken else "",
    )
    return f"{short(one.name)}  ({', '.join(one.kinds) or 'unknown kind'}{also}; {', '.join(filter(None, told))})"


def _lines(story: EntityStory) -> Iterator[str]:
    yield _named(story.profile)
    if story.first_at is not None:
        yield f"  spoke from {day(story.first_at)} to {day(story.last_at)}"
    yield from _under("facts", (short(as_line(fact), 400) for fact in story.about))
    yield from _under("named in", (short(as_line(fact), 400) for fact in story.mentions))
    yield from _under("changed", map(_replaced, story.changed))
    yield from _under("timeline", map(_moment, story.timeline))
    yield from _under(
        "beside it", (f"{short(one.name)} ({one.kind}, {counted(one.facts, 'fact')})" for one in story.related)
    )


def _under(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield title
        yield from (f"  {line}" for line in told)


def _replaced(one: Succession) -> str:
    older = one.replaced
    return f"{day(one.since)}  {short(older.content)} (from {day(older.valid_from)}) → {short(one.content)}"


def _moment(moment: Moment) -> str:
    who = f"{short(moment.speaker)}: " if moment.kind == "message" and moment.speaker else ""
    status = f"  ({moment.status})" if moment.status not in ("", "live") else ""
    return f"{day(moment.at)}  {moment.kind:7}  {moment.node_id}  {who}{short(moment.content)}{status}"


COMMANDS = (entity, entities)
