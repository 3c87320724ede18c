"""What the commands share that address the memory itself: how a request is sent, and saying what it did."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import print_answer
from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.folding import TIMEOUT_S, Folded
from mnemolog.gateway.memory.requests import Manner

node_argument = click.argument("node")
no_wait_option = click.option(
    "--no-wait", is_flag=True, help="Return when the log has it, without waiting for the writer."
)


def manner(*, no_wait: bool, event_id: str | None = None) -> Manner:
    """How a request is sent: it waits until it is folded, where a writer runs, unless nobody wants that."""
    return Manner(event_id=event_id, wait_s=0.0 if no_wait else TIMEOUT_S)


def tell(done: Folded, what: str, *, as_json: bool) -> None:
    """Says what became of a request."""
    if as_json:
        print_answer(done)
        return
    click.echo(shown(what if done.folded else f"{what} (published)"))
    for fact in done.facts:
        click.echo(f"{fact.node_id}  {shown(fact.content)}")
    for one in done.refused:
        click.echo(f"mnemolog: not taken over ({one.reason}): {shown(one.detail)}", err=True)
    if done.why_not:
        click.echo(f"mnemolog: {shown(done.why_not)}", err=True)
