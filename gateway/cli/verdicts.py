"""Commands for verdicts that wait for a person: verdicts list, approve, reject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer, say_if_none
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.requesting import manner, no_wait_option, tell
from mnemolog.gateway.cli.telling import counted, short
from mnemolog.gateway.memory import decisions
from mnemolog.schema.errors import InvalidInput


@click.group()
def verdicts() -> None:
    """Verdicts that would retire too much at once: each waits until you approve or reject it.

    \b
    mnemolog verdicts list
    """


@verdicts.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those in force and rejected ones too.")
@json_option
@pass_context
def list_(context: Context, everything: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the verdicts that wait.

    \b
    mnemolog verdicts list --all
    """
    with place_of(context) as place:
        found = decisions.verdicts(place, everything=everything)
    if as_json:
        print_answer(found)
        return
    say_if_none(found, "there are no verdicts" if everything else "no verdict waits for you")
    for pair in found:
        click.echo(f"{pair.state:9} {pair.ruling} ({pair.judge}{': ' + pair.kind if pair.kind else ''})")
        click.echo(f"    {pair.first}  {short(pair.first_content)}")
        click.echo(f"    {pair.second}  {short(pair.second_content)}")


_pair = (
    click.argument("node", required=False),
    click.argument("other", required=False),
    click.option("--all", "everything", is_flag=True, help="All that wait."),
    no_wait_option,
    json_option,
)


def _with_pair(command: Callable[..., None]) -> Callable[..., None]:
    for part in reversed(_pair):
        command = part(command)
    return command


@verdicts.command()
@_with_pair
@pass_context
def approve(context: Context, /, **given: Any) -> None:
    """Bring verdicts that wait into force: those about NODE, the one between NODE and OTHER, or --all.

    \b
    mnemolog verdicts approve ce-1f0c
    """
    _review(context, approved=True, **given)


@verdicts.command()
@_with_pair
@pass_context
def reject(context: Context, /, **given: Any) -> None:
    """Reject verdicts that wait: those about NODE, the one between NODE and OTHER, or --all.

    \b
    mnemolog verdicts reject ce-1f0c ce-93ab
    """
    _review(context, approved=False, **given)


def _review(
    context: Context,
    *,
    approved: bool,
    node: str | None,
    other: str | None,
    everything: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    if (node is None) == (not everything):
        raise InvalidInput("name a NODE (and an OTHER), or give --all")
    named = tuple(one for one in (node, other) if one is not None)
    with place_of(context) as place:
        done, count = decisions.review(place, named, manner(no_wait=no_wait), approved=approved)
    tell(done, f"{'approved' if approved else 'rejected'}: {counted(count, 'verdict')}", as_json=as_json)


COMMANDS = (verdicts,)
