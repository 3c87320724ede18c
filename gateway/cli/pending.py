"""Commands for requests that were made in talk: requests list, confirm, dismiss."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from mnemolog.gateway.cli.context import Context, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.facts import as_line
from mnemolog.gateway.cli.forgetting import agreed, evidence_for, plan
from mnemolog.gateway.cli.requesting import no_wait_option, send_request, tell
from mnemolog.gateway.cli.telling import short
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.history import Quotation
from mnemolog.projections.pending import PendingRequest, find_request, meant
from mnemolog.projections.pending import requests as requests_in
from mnemolog.schema.errors import InvalidInput
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
    with context.reader() as connection:
        found = requests_in(connection, everything=everything)
        facts = {
            request.request_id: meant(connection, request, embedder=context.embedder(), now=now_ms()).meant
            for request in found
            if request.state == "pending"
        }
    if as_json:
        print_json([_as_object(one, [fact.node_id for fact in facts.get(one.request_id, ())]) for one in found])
        return
    for one in found:
        click.echo(
            f"{one.request_id}  {one.state:9} {show_time(one.occurred_at)}  {short(one.subject)}: {short(one.content)}"
        )
        for fact in facts.get(one.request_id, ()):
            click.echo(f"    {as_line(fact)}")


def _as_object(request: PendingRequest, node_ids: list[str]) -> dict[str, Any]:
    return {**msgspec.structs.asdict(request), "occurred_at": show_time(request.occurred_at), "facts": node_ids}


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
    with context.reader() as connection:
        request = find_request(connection, request_id)
        matches = meant(connection, request, embedder=context.embedder(), now=now_ms())
        with read_transaction(connection):
            said = [*evidence_for(connection, matches), _own(request)]
    done = None
    if matches.meant and (yes or (not as_json and agreed(matches, said))):
        node_ids = [found.node_id for found in matches.meant]
        done = send_request(context, lambda ask: ask.forget(node_ids, request.request_id), no_wait=no_wait)
    if as_json:
        print_json({"request_id": request.request_id, **plan(matches, said, done)})
    elif not matches.meant:
        click.echo("no live fact is surely meant by that: `mnemolog forget NODE`, then dismiss the request", err=True)
        for near in matches.nearest:
            click.echo(f"near: {as_line(near)}", err=True)
    elif done is not None:
        tell(done, f"forgotten: {len(matches.meant)} facts, {len(said)} messages hidden", as_json=False)
    else:
        click.echo("nothing was forgotten")


def _own(request: PendingRequest) -> Quotation:
    """The message that asks: it tells what is to be forgotten."""
    return Quotation(request.event_id, request.words, request.content, request.subject, request.occurred_at)


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
    with context.reader() as connection:
        request = find_request(connection, request_id)
    if request.state != "pending":
        raise InvalidInput(f"request {request.request_id} is {request.state} already")
    done = send_request(context, lambda ask: ask.dismiss(request.request_id), no_wait=no_wait)
    tell(done, f"dismissed: {request.words}", as_json=as_json)


COMMANDS = (requests,)
