"""Fixtures of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stories import settings_in

from mnemolog.schema.settings import Settings


@pytest.fixture
def space(tmp_path: Path) -> Settings:
    """A space that does not exist yet, in a data folder of its own."""
    return settings_in(tmp_path)
