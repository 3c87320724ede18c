"""The embedder behind an OpenAI-compatible endpoint. While it fails, vectors are late and nothing else is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import openai

from mnemolog.projections.indexes.embedder import unit_rows
from mnemolog.schema.errors import EngineError
from mnemolog.schema.model_endpoint import open_client, translate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from openai import OpenAI

    from mnemolog.schema.model_settings import ModelSettings

_BATCH_TEXTS = 64
#: About the 512 tokens that the default embedder reads, with room for other scripts.
_MAX_CHARS = 4_000
#: A single text is a query, for which somebody waits.
_QUERY_TIMEOUT_S = 10.0
_PROBE = "dimension"


class _Embedding(msgspec.Struct):
    index: int
    embedding: list[float]


class _Embeddings(msgspec.Struct):
    data: list[_Embedding]


_embeddings = msgspec.json.Decoder(_Embeddings)
_dimensions = msgspec.json.Decoder(dict[str, int])


class RemoteEmbedder:
    """See Embedder. `dimensions_file` remembers how many floats each model makes, so that it is asked once."""

    def __init__(self, settings: ModelSettings, dimensions_file: Path) -> None:
        self._settings = settings
        self._file = dimensions_file
        self._opened: OpenAI | None = None
        self._floats = settings.embedder_dimension or _remembered(dimensions_file).get(settings.embedder)

    @property
    def name(self) -> str:
        """The model's name, with the dimension where one is asked for."""
        asked = self._settings.embedder_dimension
        return f"{self._settings.embedder}/{asked}" if asked else self._settings.embedder

    @property
    def dimension(self) -> int:
        """The number of floats, filled up with zeros to a multiple of 8.

        Asks the server where it is neither set nor remembered. Raises EngineError when that fails.
        """
        if self._floats is None:
            self._request([_PROBE])
        return _padded(self._floats or 0)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder. A text counts with its first 4,000 characters. Raises EngineError."""
        wanted = [(row, text[:_MAX_CHARS]) for row, text in enumerate(texts) if text.strip()]
        found = [
            (batch, self._request([text for _, text in batch]))
            for batch in (wanted[start : start + _BATCH_TEXTS] for start in range(0, len(wanted), _BATCH_TEXTS))
        ]
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for batch, made in found:
            vectors[[row for row, _ in batch], : made.shape[1]] = made
        return unit_rows(vectors)

    def _request(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), floats) as the server made them."""
        try:
            body = self._post(texts)
        except (openai.OpenAIError, ValueError) as error:
            raise translate(error, "embed texts", self._settings) from None
        try:
            data = sorted(_embeddings.decode(body).data, key=lambda item: item.index)
            made = np.array([item.embedding for item in data], dtype=np.float32)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise self._wrong(f"are no embeddings ({error})") from None
        if made.ndim != 2 or len(made) != len(texts) or not made.shape[1] or not np.isfinite(made).all():  # noqa: PLR2004
            raise self._wrong(f"have the shape {made.shape} for {len(texts)} texts, or are no finite numbers")
        self._learn(made.shape[1])
        return made

    def _post(self, texts: list[str]) -> bytes:
        if self._opened is None:
            self._opened = open_client(self._settings)
        timeout_s = self._settings.timeout_s
        answered = self._opened.embeddings.with_raw_response.create(
            model=self._settings.embedder,
            input=texts,
            encoding_format="float",
            dimensions=self._settings.embedder_dimension or openai.omit,
            timeout=min(timeout_s, _QUERY_TIMEOUT_S) if len(texts) == 1 else timeout_s,
        )
        return answered.http_response.content

    def _wrong(self, reason: str) -> EngineError:
        return EngineError(f"cannot embed texts: what {self._settings.shown_url} answered {reason}")

    def _learn(self, floats: int) -> None:
        known = self._floats
        if known == floats:
            return
        if self._settings.embedder_dimension is None:
            self._floats = floats
            _remember(self._file, self._settings.embedder, floats)
        if known is not None:
            raise self._wrong(
                f"has {floats} floats a text, not {known}: set MNEMOLOG_EMBEDDER_DIMENSION, or give the vectors of the "
                "new model an index of their own with `mnemolog reindex vectors`"
            )


def _padded(floats: int) -> int:
    return -(-floats // 8) * 8


def _remembered(path: Path) -> dict[str, int]:
    try:
        return _dimensions.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _remember(path: Path, model: str, floats: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(msgspec.json.encode({**_remembered(path), model: floats}))
    part.replace(path)
