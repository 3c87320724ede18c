"""docs/healing.md against the repository: every line names tests that are there, and commands that are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from mnemolog.gateway.cli.main import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/healing.md").read_text(encoding="utf-8")
ROWS = [row for row in TEXT.splitlines() if row.startswith("| ") and not row.startswith("| found |")]


@cache
def names_in(path: str) -> frozenset[str]:
    return frozenset(
        node.name for node in ast.parse((ROOT / path).read_bytes()).body if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_what_a_writer_compares_is_held_by_tests(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.split("|")[3])
    assert named
    assert [name for path, name in named if name not in names_in(path)] == []


def test_every_command_that_is_named_is_there() -> None:
    assert {line.split()[0] for line in re.findall(r"`mnemolog ([^`]+)`", TEXT)} <= set(cli.commands)
