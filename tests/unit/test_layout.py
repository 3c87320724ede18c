"""The layers, the modules that nobody may import, and what no file may mention."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "schema": set(),
    "projections": {"schema"},
    "workers": {"schema", "projections"},
    "producers": {"schema", "projections"},
    "gateway": {"schema", "projections", "workers", "producers"},
}
FORBIDDEN = {"sqlite3", "pickle"}
TOP_LEVEL = {
    *MAY_IMPORT,
    *("tests", "benchmarks", "docs", "examples", ".ci"),
    *("pyproject.toml", "compose.yaml", "README.md", "Makefile", "Dockerfile", "LICENSE", "CHANGELOG.md"),
    *(".dockerignore", ".gitignore"),
}
# Pieces, so that this file does not mention what it looks for.
ELSEWHERE = re.compile(r"\.\./" + r"shared\b|(?<![\w.])/" + r"(work|root|home/\w+)/")


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """The package in which a module's relative imports are resolved."""
    return ".".join(("mnemolog", *path.relative_to(ROOT).parent.parts))


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """The full names of all modules that a tree imports, and of what it takes from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def wrong_imports(tree: ast.AST, folder: str, package: str) -> list[str]:
    allowed = MAY_IMPORT.get(folder, set(MAY_IMPORT)) | {folder}
    parts = [name.split(".") for name in imported(tree, package)]
    return [
        ".".join(name)
        for name in parts
        if name[0] in FORBIDDEN or (name[0] == "mnemolog" and (len(name) < 2 or name[1] not in allowed))
    ]


def imports_inside_functions(tree: ast.AST) -> list[int]:
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    inner = (node for function in functions for node in ast.walk(function))
    return [node.lineno for node in inner if isinstance(node, (ast.Import, ast.ImportFrom))]


def committed_files() -> list[Path]:
    """All files of the repository; in a checkout without git, all files but what tools leave behind."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]
    return [path for name in TOP_LEVEL for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_layer_imports_only_the_layers_below_it(folder: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in modules(folder)
        if (found := wrong_imports(ast.parse(path.read_bytes()), folder, name_of(path)))
    }
    assert wrong == {}


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "examples"])
def test_nothing_beside_the_package_imports_what_nobody_may(folder: str) -> None:
    for path in modules(folder):
        names = {name.split(".")[0] for name in imported(ast.parse(path.read_bytes()), name_of(path))}
        assert not names & FORBIDDEN, path


@pytest.mark.parametrize(
    ("line", "folder", "wrong"),
    [
        ("import mnemolog.workers.writer", "schema", ["mnemolog.workers.writer"]),
        ("from mnemolog.workers import writer", "projections", ["mnemolog.workers.writer"]),
        ("from mnemolog import gateway", "workers", ["mnemolog.gateway"]),
        ("from ..producers import client", "workers", ["mnemolog.producers.client"]),
        ("import sqlite3", "workers", ["sqlite3"]),
        ("from pickle import loads", "gateway", ["pickle.loads"]),
        ("if True:\n    import mnemolog.gateway", "schema", ["mnemolog.gateway"]),
        ("from mnemolog.schema import ids", "projections", []),
        ("from . import embedded", "workers", []),
        ("import sqlite3_like", "schema", []),
    ],
)
def test_the_check_of_imports_sees_every_form(line: str, folder: str, wrong: list[str]) -> None:
    assert wrong_imports(ast.parse(line), folder, f"mnemolog.{folder}") == wrong


def test_no_module_imports_inside_a_function() -> None:
    wrong = {
        str(path.relative_to(ROOT)): lines
        for path in modules(*MAY_IMPORT)
        if (lines := imports_inside_functions(ast.parse(path.read_bytes())))
    }
    assert wrong == {}
    assert imports_inside_functions(ast.parse("def f():\n    if True:\n        import os")) == [3]


def test_every_package_is_installed() -> None:
    """A sub-package that pyproject does not list works in a linked install and is missing from a wheel."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in modules(*MAY_IMPORT) if path.name == "__init__.py"}
    assert {Path(folder) for folder in setuptools["package-dir"].values()} == folders
    assert set(setuptools["packages"]) == set(setuptools["package-dir"])
    assert {name: Path(folder) for name, folder in setuptools["package-dir"].items()} == {
        ".".join(("mnemolog", *folder.parts)): folder for folder in folders
    }


def test_every_module_stands_in_a_package() -> None:
    assert [path for path in modules(*MAY_IMPORT) if not (path.parent / "__init__.py").exists()] == []


def test_every_layer_says_that_it_is_typed() -> None:
    assert [folder for folder in MAY_IMPORT if not (ROOT / folder / "py.typed").exists()] == []


def test_the_top_level_holds_what_the_design_names() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in committed_files()} <= TOP_LEVEL


def test_no_file_names_a_place_outside_the_repository() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    assert wrong == []


@pytest.mark.parametrize("text", ["../" + "shared/data", "see /" + "work/main", "'/" + "root/.cache'"])
def test_the_check_of_places_sees_them(text: str) -> None:
    assert ELSEWHERE.search(text)
    assert not ELSEWHERE.search("network/" + "work/x and docs/root/y")


def test_importing_a_layer_does_not_load_the_layers_above() -> None:
    code = "import sys, mnemolog.schema.endpoint; print(*(m for m in sys.modules if m.startswith('mnemolog.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "mnemolog.schema.endpoint" in loaded
    assert {name.split(".")[1] for name in loaded} == {"schema"}
