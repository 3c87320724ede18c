"""The command that retires facts: forget."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer
from mnemolog.gateway.cli.facts import as_line
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.requesting import manner, no_wait_option, tell
from mnemolog.gateway.cli.telling import counted, short
from mnemolog.gateway.folding import Folded
from mnemolog.gateway.memory import forgetting
from mnemolog.gateway.memory.facts import Fact
from mnemolog.gateway.memory.forgetting import Plan


@click.command()
@click.argument("text", metavar="TEXT|NODE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@no_wait_option
@json_option
@pass_context
def forget(context: Context, text: str, yes: bool, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Retire facts, and hide what they were taken from: they are not told any more, and no import brings them back.

    What they had taken the place of does not become true again by that: `mnemolog unsupersede` says that it is.

    TEXT finds live facts, and only those that surely are meant; NODE is a fact's id, or the beginning of it. Shows
    first what it would touch, and asks. With --json and without --yes it only shows. A later statement is a new fact.

    \b
    mnemolog forget "my trip to Rome"
    mnemolog forget ce-1f0c --yes
    """
    with place_of(context) as place:
        planned = forgetting.plan(place, text, by_id=forgetting.is_id(text))
        agreed = yes or (not as_json and is_agreed(planned))
        done = forgetting.forget(place, planned, manner(no_wait=no_wait)) if agreed else None
    if as_json:
        print_answer(forgetting.outcome(planned, done))
    elif not planned.facts:
        click.echo("nothing is surely meant by that, so nothing was forgotten", err=True)
        tell_near(planned.nearest)
    else:
        tell_forgotten(planned, done)


def is_agreed(planned: Plan) -> bool:
    """Whether somebody at the terminal who is shown what would be touched agrees."""
    if not planned.facts:
        return False
    for found in planned.facts:
        click.echo(as_line(found))
    for one in planned.hides:
        click.echo(f"    hides {one.event_id}  {short(one.speaker or 'somebody')}: {short(one.content)}")
    return click.confirm("Forget this?", default=False)


def tell_near(nearest: Sequence[Fact]) -> None:
    """Says which facts are near, where none is meant."""
    for near in nearest:
        click.echo(f"near: {as_line(near)}", err=True)


def tell_forgotten(planned: Plan, done: Folded | None) -> None:
    """Says what became of a plan."""
    if done is None:
        click.echo("nothing was forgotten")
    else:
        hidden = f"{counted(len(planned.hides), 'message')} hidden"
        tell(done, f"forgotten: {counted(len(planned.facts), 'fact')}, {hidden}", as_json=False)


COMMANDS = (forget,)
