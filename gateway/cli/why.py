"""The command that tells where something in the memory comes from: why."""

from __future__ import annotations

import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, now_ms, pass_context, print_answer
from mnemolog.gateway.cli.placing import place_of
from mnemolog.gateway.cli.stories import lines_of
from mnemolog.gateway.memory import stories


@click.command()
@click.argument("node", metavar="NODE|SCENE")
@click.option("--now", type=TIME, help="Answer as at this time.")
@click.option("--full", is_flag=True, help="Texts and engines' replies in full.")
@json_option
@pass_context
def why(context: Context, node: str, now: int | None, full: bool, as_json: bool) -> None:  # noqa: FBT001
    """Show where a fact or a message comes from, what was decided about it, and which answers told it.

    NODE is an id, the beginning of one, or a short id as `context` cites it; SCENE is the key of a topic. Of a fact:
    the messages that say it, the engine that extracted it with its reply and its cost, the verdicts on it, what it
    replaced and what replaced it, what people asked about it, and the recalls that told it. Of a message: what became
    of it and which facts were taken from it. Engines' replies and people's requests are read from the archive.

    \b
    mnemolog why ce-1f0c
    mnemolog why 5bff --full --json
    """
    with place_of(context) as place:
        story = stories.story(place, node, now_ms() if now is None else now)
    if as_json:
        print_answer(story if full else stories.shortened(story))
        return
    for line in lines_of(story, full=full):
        click.echo(line)


COMMANDS = (why,)
