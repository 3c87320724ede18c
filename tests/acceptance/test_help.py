"""The help of every command, without running one: options, and examples that the command line accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from acceptance.command_lines import parse
from support import run_cli

from mnemolog.gateway.cli.main import cli

NAMED_BY_SCRIPTS = [
    "up",
    "ingest",
    "publish",
    "import",
    "wait",
    "recall",
    "status",
    "verify",
    "replay",
    "reindex",
    "dead-letters",
    "worker",
    "facts",
    "scenes",
    "history",
    "context",
    "chat",
    "remember",
    "forget",
    "correct",
    "confirm",
    "unpin",
    "unsupersede",
    "verdicts",
    "jobs",
    "dev",
]


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, sub in command.commands.items():
            yield from commands(sub, *path, name)


COMMANDS = dict(commands(cli))


def help_of(path: tuple[str, ...]) -> str:
    context = click.Context(COMMANDS[path], info_name=" ".join(("mnemolog", *path)), max_content_width=120)
    context.terminal_width = 120
    return COMMANDS[path].get_help(context)


def test_every_name_that_scripts_depend_on_is_there() -> None:
    assert {(name,) for name in NAMED_BY_SCRIPTS} <= set(COMMANDS)
    actions = {path for path in COMMANDS if len(path) == 2}
    wanted = {
        "dead-letters": ["list", "show", "requeue", "discard", "park"],
        "verdicts": ["list", "approve", "reject"],
        "jobs": ["list", "show", "requeue"],
        "dev": ["model-server"],
    }
    assert {(group, action) for group, names in wanted.items() for action in names} <= actions


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    options = [option for option in COMMANDS[path].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert all(option.opts[-1] in help_of(path) for option in options)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_that_the_command_line_accepts(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = [line.strip() for line in help_of(path).splitlines() if line.strip().startswith("mnemolog ")]
    examples = [re.split(r"\s{3,}", line)[0] for line in examples]
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.(?:jsonl|json|tar|zip|txt)\b", " ".join(examples)):
        (tmp_path / name).touch()
    (tmp_path / "my-prompts").mkdir()
    parsed = [parse(example) for example in examples]
    assert any(named[: len(path)] == path for named in parsed), help_of(path)


def test_help_reads_nothing_and_makes_nothing(tmp_path: Path) -> None:
    done = run_cli("recall", "--help", env={"MNEMOLOG_DATA": str(tmp_path / "data")})
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: mnemolog recall")
    assert not (tmp_path / "data").exists()
