"""The command that retires facts: forget."""

from __future__ import annotations

import re
from typing import Any

import apsw
import click

from mnemolog.gateway.cli.context import Context, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.facts import as_line, as_object
from mnemolog.gateway.cli.requesting import no_wait_option, send_request, statements, tell
from mnemolog.gateway.cli.telling import short
from mnemolog.gateway.folding import Folded
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import facts, find_fact, saying_the_same
from mnemolog.projections.history import Quotation
from mnemolog.projections.history import evidence as evidence_of
from mnemolog.projections.matching import Matches, matching

_NODE = re.compile(r"ce-[0-9a-f]{1,20}")


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
    with context.reader() as connection:
        matches = _meant(context, connection, text)
        with read_transaction(connection):
            said = evidence_for(connection, matches)
    done = None
    if matches.meant and (yes or (not as_json and agreed(matches, said))):
        node_ids = [found.node_id for found in matches.meant]
        done = send_request(context, lambda ask: ask.forget(node_ids), no_wait=no_wait)
    if as_json:
        print_json(plan(matches, said, done))
    elif not matches.meant:
        click.echo("nothing is surely meant by that, so nothing was forgotten", err=True)
        for near in matches.nearest:
            click.echo(f"near: {as_line(near)}", err=True)
    elif done is not None:
        tell(done, f"forgotten: {len(matches.meant)} facts, {len(said)} messages hidden", as_json=False)
    else:
        click.echo("nothing was forgotten")


def _meant(context: Context, connection: apsw.Connection, text: str) -> Matches:
    """The facts that a text or a node id means, with all that say the same."""
    if not _NODE.fullmatch(text):
        what = statements().what_to_forget(text)
        return matching(connection, what, embedder=context.embedder(), now=now_ms())
    with read_transaction(connection):
        same = saying_the_same(connection, find_fact(connection, text), now_ms())
        return Matches(tuple(facts(connection, now_ms(), everything=True, node_ids=same)), ())


def evidence_for(connection: apsw.Connection, matches: Matches) -> list[Quotation]:
    """The messages that the facts were taken from, each once."""
    said = {one.event_id: one for found in matches.meant for one in evidence_of(connection, found.node_id)}
    return list(said.values())


def agreed(matches: Matches, said: list[Quotation]) -> bool:
    """Whether somebody at the terminal who is shown what would be touched agrees."""
    for found in matches.meant:
        click.echo(as_line(found))
    for one in said:
        click.echo(f"    hides {one.event_id}  {short(one.speaker or 'somebody')}: {short(one.content)}")
    return click.confirm("Forget this?", default=False)


def plan(matches: Matches, said: list[Quotation], done: Folded | None) -> dict[str, Any]:
    """What would be touched, and what became of it, as an object."""
    return {
        "facts": [as_object(found) for found in matches.meant],
        "hides": [{"event_id": one.event_id, "content": one.content} for one in said],
        "nearest": [as_object(found) for found in matches.nearest],
        "forgotten": done is not None,
        "event_id": done.event_id if done else None,
        "position": done.position if done else None,
        "folded": done.folded if done else False,
    }


COMMANDS = (forget,)
