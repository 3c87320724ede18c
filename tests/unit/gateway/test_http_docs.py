"""docs/http.md lists what the API has: every route, every problem, every setting with its default."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mnemolog.gateway.http.operation import template
from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import KINDS
from mnemolog.gateway.http.table import OPERATIONS

ROOT = Path(__file__).resolve().parents[3]
LINES = (ROOT / "docs" / "http.md").read_text(encoding="utf-8").splitlines()


def rows(columns: int) -> set[tuple[str, ...]]:
    """The first cells of all rows of tables."""
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in LINES if line.startswith("|")]
    return {tuple(row[:columns]) for row in cells}


def test_every_route_is_listed_with_its_scope() -> None:
    for one in OPERATIONS:
        if one.of_space:
            assert (one.method, template(one.path), one.scope) in rows(3)


def test_every_problem_is_listed_with_its_status() -> None:
    for kind in KINDS:
        assert (kind.name, str(kind.status)) in rows(2)


def test_every_setting_is_listed_with_its_default() -> None:
    own = {"with_tokens", "allow_hosts", "allow_origins", "poll_s"}
    for field in msgspec.structs.fields(HttpOptions):
        if field.name not in own:
            assert (field.name, str(field.default)) in rows(2)
