"""Command lines as the command line parses them, without running anything."""

from __future__ import annotations

import shlex

import click

from mnemolog.gateway.cli.main import cli


def parse(line: str) -> tuple[str, ...]:
    """The command that `mnemolog …` names, with its actions. Raises click.ClickException where it would be refused."""
    words = shlex.split(line)[1:]
    context = cli.make_context("mnemolog", words)
    command: click.Command = cli
    path: list[str] = []
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest and command.invoke_without_command:
            break
        name, found, words = command.resolve_command(context, rest)
        assert name is not None
        assert found is not None
        path.append(name)
        command, context = found, found.make_context(name, words, parent=context)
    return tuple(path)
