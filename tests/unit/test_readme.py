"""README.md against the repository: its commands, paths, tests, packages and examples."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from acceptance.command_lines import parse

from mnemolog.gateway.cli import running
from mnemolog.gateway.cli.main import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL_LINES = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
COMMANDS = [
    *(line for line in SHELL_LINES if line.startswith("mnemolog ")),
    *re.findall(r"`(mnemolog [^`…]+)`", README),
]
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", README)


def section(title: str) -> str:
    found = re.search(rf"^##+ {title}.*?\n(.*?)(?=^##+ |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def first_cells(table: str) -> list[str]:
    return [
        name for row in re.findall(r"^\| (`[^|]*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_that_the_command_line_accepts(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.(?:jsonl|tar)", line):
        (tmp_path / name).touch()
    assert parse(line)


def test_every_command_stands_in_the_table() -> None:
    shown = {line.split()[1] for line in first_cells(section("Commands")) if line.startswith("mnemolog ")}
    assert shown == set(cli.commands)


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {line.split()[1] for line in SHELL_LINES if line.startswith("make ")}
    assert named == {"demo", "test", "chaos", "lint", "bench"}
    assert named <= targets


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_holds_a_guarantee_is_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_bytes())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_guarantee_names_a_test() -> None:
    rows = [row for row in section("Guarantees").splitlines() if row.startswith("| ")][1:]
    assert len(rows) >= 10
    assert [row for row in rows if not re.search(r"`tests/[\w/]+\.py::\w+`", row)] == []


def test_every_linked_file_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_every_folder_of_the_layout_is_there_and_is_imported_as_it_says() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| `(mnemolog\.\w+)` \|", section("Layout"), re.MULTILINE)
    assert {folder for folder, _ in rows} == {"schema", "producers", "projections", "workers", "gateway"}
    for folder, package in rows:
        assert (ROOT / folder / "__init__.py").exists()
        import_module(package)
    assert [name for name in first_cells(section("Layout")) if not (ROOT / name).is_dir()] == []


def test_every_dependency_has_a_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]]  # type: ignore[index]
    assert first_cells(section("Dependencies")) == names


def test_every_setting_is_read() -> None:
    read = [path for layer in ("schema", "producers", "workers", "gateway") for path in (ROOT / layer).rglob("*.py")]
    names = {name for path in read for name in re.findall(r"\bMNEMOLOG_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    assert set(re.findall(r"MNEMOLOG_\w+", section("Settings"))) == names


def test_every_exit_status_has_a_line() -> None:
    sources = [
        path.read_text(encoding="utf-8") for path in [ROOT / "schema/errors.py", ROOT / "projections/progress.py"]
    ]
    raised = {
        int(status) for text in sources for status in re.findall(r"^    exit_status = (\d+)$", text, re.MULTILINE)
    }
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", section("Commands"), re.MULTILINE)}
    assert listed == raised | {0, running.WAITS}
