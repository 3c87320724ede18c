"""A memory folded by hand, and the local embedder."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import Memory

from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.workers.jobs.candidates import Vectors


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "space.db")


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    return Vectors(WordLlamaEmbedder())
