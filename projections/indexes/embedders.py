"""Which embedder there is: the one in the `wordllama` wheel, or a model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from mnemolog.projections.indexes.embedder import Embedder, WordLlamaEmbedder
from mnemolog.schema.model_settings import WORDLLAMA, ModelSettings

#: Below the data folder: how many floats the vectors of each model have.
DIMENSIONS_FILE = "embedders.json"


def embedder_of(settings: ModelSettings, data: Path) -> Embedder:
    """The embedder that the settings name. What is learnt about a remote one is kept in the data folder."""
    if settings.embedder == WORDLLAMA:
        return WordLlamaEmbedder()
    # Loading `openai` takes longer than the rest of a command: only who names a remote model waits for it.
    remote = import_module("mnemolog.projections.indexes.remote_embedder")
    return cast("Embedder", remote.RemoteEmbedder(settings, data / DIMENSIONS_FILE))
