"""What the commands share that address the memory itself: sending a request, waiting for it, and saying what it did."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from mnemolog.gateway.cli.context import Context, print_json
from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.folding import Folded, await_folded
from mnemolog.producers import Producer, Published
from mnemolog.producers.requests import Requests

node_argument = click.argument("node")
no_wait_option = click.option(
    "--no-wait", is_flag=True, help="Return when the log has it, without waiting for the writer."
)


def statements() -> Any:
    """The module that reads statements. Its rules take half as long to load as a command: only who needs them waits."""
    return import_module("mnemolog.gateway.statements")


def send_request(context: Context, request: Callable[[Requests], Published], *, no_wait: bool) -> Folded:
    """Sends a request and waits until it is folded, where a writer runs."""
    with context.redis() as url:
        with Producer(context.settings.space, redis_url=url) as producer:
            published = request(Requests(producer))
        return await_folded(context.settings, context.stream(url), published, wait=not no_wait)


def tell(done: Folded, what: str, *, as_json: bool) -> None:
    """Says what became of a request."""
    if as_json:
        print_json(done)
        return
    click.echo(shown(what if done.folded else f"{what} (published)"))
    for fact in done.facts:
        click.echo(f"{fact.node_id}  {shown(fact.content)}")
    for one in done.refused:
        click.echo(f"mnemolog: not taken over ({one.reason}): {shown(one.detail)}", err=True)
    if done.why_not:
        click.echo(f"mnemolog: {shown(done.why_not)}", err=True)
