"""Fixtures of the acceptance tests: an empty memory, and one that has been told a story."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from acceptance.memory import STORY, Memory

from mnemolog.schema.endpoint import RedisFolder
from mnemolog.schema.errors import RedisNotFound
from mnemolog.workers.redis_program import redis_program


@pytest.fixture(scope="session", autouse=True)
def server_program(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command starts a server of its own. Where there is no program a laptop skips, CI fails."""
    try:
        redis_program(RedisFolder(tmp_path_factory.mktemp("program")))
    except RedisNotFound as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


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
