"""Commands for requests that were made in talk: requests list, confirm, dismiss."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import Context, json_option, pass_context, print_answer, say_if_none
from mnemolog.gateway.cli.facts import as_line
from mnemolog.gateway.cli.forgetting import is_agreed, tell_forgotten, tell_near
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.requesting import manner, no_wait_option, tell
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.memory import decisions, forgetting
from mnemolog.schema.times import show as show_time

_request = click.argument("request_id", metavar="ID")


@click.group()
def requests() -> None:
    """What somebody asked in talk to have forgotten: nothing is, until you confirm it.

    \b
    mnemolog requests list
    """


@requests.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those confirmed and dismissed too.")
@json_option
@pass_context
def list_(context: Context, everything: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the requests that wait, each with its message and the facts that it would touch.

    \b
    mnemolog requests list --all
    """
    with place_of(context) as place:
        found = decisions.requests(place, everything=everything)
    if as_json:
        print_answer([asked.answer() for asked in found])
        return
    say_if_none(found, "there are no requests" if everything else "no request waits for you")
    for asked in found:
        one = asked.request
        click.echo(
            f"{one.request_id}  {one.state:9} {show_time(one.occurred_at)}  {short(one.subject)}: {short(one.content)}"
        )
        for fact in asked.facts:
            click.echo(f"    {as_line(fact)}")


@requests.command()
@_request
@click.option("--yes", is_flag=True, help="Do not ask.")
@no_wait_option
@json_option
@pass_context
def confirm(context: Context, request_id: str, yes: bool, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Forget what a request means, as `mnemolog forget` does, and hide its message; ID may be a beginning of its id.

    Shows first what it would touch, and asks. With --json and without --yes it only shows.

    \b
    mnemolog requests confirm rq-1f0c --yes
    """
    with place_of(context) as place:
        request, planned = decisions.plan_of_request(place, request_id)
        agreed = yes or (not as_json and is_agreed(planned))
        how = manner(no_wait=no_wait)
        done = forgetting.forget(place, planned, how, request.request_id) if agreed else None
    if as_json:
        print_answer(decisions.confirmed(request, planned, done))
    elif not planned.facts:
        click.echo("no live fact is surely meant by that: `mnemolog forget NODE`, then dismiss the request", err=True)
        tell_near(planned.nearest)
    else:
        tell_forgotten(planned, done)


@requests.command()
@_request
@no_wait_option
@json_option
@pass_context
def dismiss(context: Context, request_id: str, no_wait: bool, as_json: bool) -> None:  # noqa: FBT001
    """Close a request without forgetting anything; ID may be a beginning of its id.

    \b
    mnemolog requests dismiss rq-1f0c
    """
    with place_of(context) as place:
        done, request = decisions.dismiss(place, request_id, manner(no_wait=no_wait))
    tell(done, f"dismissed: {request.words}", as_json=as_json)


COMMANDS = (requests,)
