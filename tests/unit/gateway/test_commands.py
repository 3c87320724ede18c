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
from mnemolog.gateway.cli.commands import CHAPTERS

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


LISTED = [listed for chapter in CHAPTERS.values() for listed in chapter]


def test_every_module_of_commands_is_listed() -> None:
    assert {module for _, module, _ in LISTED} == modules_with_commands()


@pytest.mark.parametrize("module", sorted({module for _, module, _ in LISTED}))
def test_every_command_of_a_module_is_listed_and_loads(module: str) -> None:
    found = import_module(f"mnemolog.gateway.cli.{module}").COMMANDS
    assert {name for name, of, _ in LISTED if of == module} == {command.name for command in found}
    assert [main.cli.commands[command.name] for command in found] == list(found)


def test_every_name_is_there_once_and_is_shown_with_what_it_does_on_one_line() -> None:
    names = [name for name, _, _ in LISTED]
    assert sorted(names) == sorted(set(names)) == main.cli.list_commands(click.Context(main.cli))
    shown = CliRunner().invoke(main.cli, ["--help"], terminal_width=80).output.splitlines()
    assert [name for name, _, line in LISTED if f"  {name:15}{line}" not in shown] == []


def test_a_memory_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    def said() -> str:
        return str(CliRunner().invoke(main.cli, ["--data", str(tmp_path), "--space", "aad", "facts"]).exception)

    assert said().endswith("publish something, and run `mnemolog up`")
    (tmp_path / "spaces" / "ada").mkdir(parents=True)
    assert said().endswith("publish something, and run `mnemolog up`; the data folder has ada: choose with --space")
    (tmp_path / "spaces" / "aad" / "archive").mkdir(parents=True)
    assert said().endswith("its log is there: `mnemolog replay` builds the file")


def test_a_name_that_is_none_is_refused_with_those_that_are_near() -> None:
    refused = CliRunner().invoke(main.cli, ["recal"])
    assert refused.exit_code == 2
    assert "No such command 'recal'" in refused.output


def test_a_command_loads_no_other_and_none_of_what_only_others_need() -> None:
    loaded = loaded_by("recall", "--help")
    commands = {f"mnemolog.gateway.cli.{module}" for _, module, _ in LISTED}
    assert loaded & commands == {"mnemolog.gateway.cli.recalling"}
    assert not loaded & {"rq", "openai", "wordllama", "dateparser", "mnemolog.workers.writer.ingest"}
