"""The command that tells where something in the memory comes from: why."""

from __future__ import annotations

from typing import Any

import apsw
import click

from mnemolog.gateway.cli.context import TIME, Context, json_option, now_ms, pass_context, print_json
from mnemolog.gateway.cli.stories import Story, cut, lines_of
from mnemolog.gateway.cli.telling import as_object
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.lines.citations import UnknownCitation, resolve
from mnemolog.projections.why import FactStory, MessageStory, SceneStory, why_scene
from mnemolog.projections.why import why as why_of


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
    with context.reader() as connection, read_transaction(connection):
        story = _story(context, connection, node, now_ms() if now is None else now)
    if as_json:
        told = {"kind": _kind(story), **as_object(story)}
        print_json(told if full else _shortened(told))
        return
    for line in lines_of(story, full=full):
        click.echo(line)


def _story(context: Context, connection: apsw.Connection, node: str, at: int) -> Story:
    """What NODE names. Raises UnknownCitation and AmbiguousCitation."""
    try:
        return why_of(connection, resolve(connection, node), at, context.settings.archive)
    except UnknownCitation:
        scene = why_scene(connection, node, at, context.settings.archive)
        if scene is None:
            raise
        return scene


def _kind(story: Story) -> str:
    return {FactStory: "fact", MessageStory: "message", SceneStory: "scene"}[type(story)]


def _shortened(value: Any) -> Any:
    """The same with engines' replies cut."""
    if isinstance(value, dict):
        return {
            name: cut(item) if name == "raw" and isinstance(item, str) else _shortened(item)
            for name, item in value.items()
        }
    return [_shortened(item) for item in value] if isinstance(value, list) else value


COMMANDS = (why,)
