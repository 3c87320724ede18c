"""Fixtures of the acceptance tests: an empty memory, and one that has been told a story."""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance.memory import STORY, Memory


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """A data folder that does not exist yet."""
    return Memory(tmp_path / "data")


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory that has been told the story and is at rest. For tests that only read."""
    memory = Memory(tmp_path_factory.mktemp("told") / "data")
    memory.run("import", STORY, "--drain")
    return memory
