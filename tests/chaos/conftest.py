"""Options of the chaos suite, small by default so that `make test` stays short, and the figures that it prints."""

from __future__ import annotations

import pytest

_FIGURES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--seed", type=int, default=7, help="what a run is drawn from")
    group.addoption("--kills", type=int, default=8, help="how many processes the storm kills")
    group.addoption("--examples", type=int, default=3_000, help="how many random events, lines, names and queries")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What a run is drawn from."""
    return int(request.config.getoption("--seed", 7))


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes a storm kills."""
    return int(request.config.getoption("--kills", 8))


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many random inputs are tried in all."""
    return int(request.config.getoption("--examples", 3_000))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines that are printed after a run."""
    return request.config.stash.setdefault(_FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(line)
