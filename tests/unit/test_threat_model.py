"""docs/threat-model.md and docs/security.md against the repository: tests, users and commands that they name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from support.compose import composed

from mnemolog.gateway.cli.main import cli
from mnemolog.schema import errors

ROOT = Path(__file__).parents[2]
THREATS = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", THREATS)))


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_bytes())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_stands_against_a_threat_is_there(path: str, name: str) -> None:
    assert name in names_in(path)


def test_every_threat_names_a_test() -> None:
    rows = [row for row in THREATS[THREATS.index("## What holds") :].splitlines() if row.startswith("| ")]
    threats = [row for row in rows if not row.startswith("| threat |")]
    assert len(threats) >= 25
    assert [row for row in threats if not re.search(r"`tests/[\w/]+\.py::\w+`", row.split("|")[3])] == []


def test_every_user_of_redis_stands_in_its_table() -> None:
    rules = composed(ROOT / "compose.yaml")["configs"]["users"]["content"].splitlines()
    table = SECURITY[SECURITY.index("| user |") : SECURITY.index("A server of yours")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {line.split()[1] for line in rules}


@pytest.mark.parametrize("text", [THREATS, SECURITY], ids=["threat-model", "security"])
def test_every_command_error_and_file_that_is_named_is_there(text: str) -> None:
    assert {line.split()[0] for line in re.findall(r"`mnemolog ([^`]+)`", text)} <= set(cli.commands)
    for name in re.findall(r"`((?:Log|Stream|Spool)[A-Z]\w+)`", text):
        assert issubclass(getattr(errors, name), errors.MnemologError)
    assert [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not (ROOT / "docs" / link).exists()] == []
