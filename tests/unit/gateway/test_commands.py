"""The list of commands: complete, and imported one at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mnemolog.gateway.cli import main

CLI = Path(main.__file__).parent
RUN = """
import json, sys
from click.testing import CliRunner
from mnemolog.gateway.cli.main import cli
result = CliRunner().invoke(cli, sys.argv[1:])
print(json.dumps([result.exit_code, sorted(sys.modules)]))
"""


def loaded_by(*args: str) -> set[str]:
    """The modules that a process has loaded after it ran this command line to a good end."""
    done = subprocess.run([sys.executable, "-c", RUN, *args], capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout)
    assert status == 0
    return set(modules)


def modules_with_commands() -> set[str]:
    return {path.stem for path in CLI.glob("*.py") if "\nCOMMANDS = " in path.read_text(encoding="utf-8")}


def test_every_module_of_commands_is_listed() -> None:
    assert set(main._COMMANDS_OF) == modules_with_commands()


@pytest.mark.parametrize("module", main._COMMANDS_OF)
def test_every_command_of_a_module_is_listed_and_loads(module: str) -> None:
    found = import_module(f"mnemolog.gateway.cli.{module}").COMMANDS
    assert main._COMMANDS_OF[module] == tuple(command.name for command in found)
    assert [main.cli.commands[command.name] for command in found] == list(found)


def test_every_name_is_there_once_and_is_shown_with_what_it_does() -> None:
    names = [name for names in main._COMMANDS_OF.values() for name in names]
    assert sorted(names) == sorted(set(names)) == main.cli.list_commands(click.Context(main.cli))
    shown = CliRunner().invoke(main.cli, ["--help"]).output
    assert [name for name in names if main.cli.commands[name].get_short_help_str()[:30] not in shown] == []


def test_a_name_that_is_none_is_refused_with_those_that_are_near() -> None:
    refused = CliRunner().invoke(main.cli, ["recal"])
    assert refused.exit_code == 2
    assert "No such command 'recal'" in refused.output


def test_a_command_loads_no_other_and_none_of_what_only_others_need() -> None:
    loaded = loaded_by("recall", "--help")
    commands = {f"mnemolog.gateway.cli.{module}" for module in main._COMMANDS_OF}
    assert loaded & commands == {"mnemolog.gateway.cli.recalling"}
    assert not loaded & {"rq", "openai", "wordllama", "dateparser", "mnemolog.workers.writer.ingest"}
