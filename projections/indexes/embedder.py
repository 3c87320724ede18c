"""Embedders: text to vectors of unit length."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from mnemolog.schema.errors import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAX_TOKENS = 512
_MAX_CHARS = 4_000
_BATCH_TEXTS = 256
_WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
_VOCABULARY = Path("tokenizers", "l2_supercat_tokenizer_config.json")


class Embedder(Protocol):
    """Makes vectors. One object may serve several threads."""

    @property
    def name(self) -> str:
        """The model's name; vectors of different names are never compared."""
        ...

    @property
    def dimension(self) -> int:
        """How many floats a vector has; a multiple of 8."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dimension) and length 1; a text that says nothing gets a row of zeros."""
        ...


class WordLlamaEmbedder:
    """The mean of static token vectors, from the weights in the `wordllama` wheel; needs no network.

    It reads the wheel's files without importing the package, which would reconfigure logging and, by default,
    look for a download. The files are loaded at the first use (about 0.1 s, 40 MB), once a process.
    """

    name = "wordllama-l2-supercat-256"
    dimension = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder. A text counts with its first 512 tokens. Raises NotInstalled without the weights."""
        loaded = load_weights()
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH_TEXTS):
            batch = texts[start : start + _BATCH_TEXTS]
            vectors[start : start + len(batch)] = self._means(*loaded, batch)
        return unit_rows(vectors)

    def _means(self, tokenizer: Tokenizer, weights: NDArray[np.float32], texts: Sequence[str]) -> NDArray[np.float32]:
        # Blank texts have tokens too (for the space), but say nothing.
        encoded = tokenizer.encode_batch_fast([text[:_MAX_CHARS].strip() for text in texts], add_special_tokens=False)
        tokens = [encoding.ids for encoding in encoded]
        sums = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, ids in enumerate(tokens):
            if ids:
                sums[row] = weights[ids].sum(axis=0)
        return sums


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows scaled to length 1; rows of zeros, or with a value that is no finite number, become zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = np.zeros_like(vectors)
    np.divide(vectors, lengths, out=scaled, where=np.isfinite(lengths) & (lengths > 0))
    return scaled


@cache
def load_weights() -> tuple[Tokenizer, NDArray[np.float32]]:
    """The tokenizer and the vectors of its tokens. Loading holds up all threads: a writer does it before it starts.

    Raises NotInstalled without the package.
    """
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise NotInstalled("the default embedder needs the package `wordllama`: pip install wordllama")
    folder = Path(spec.origin).parent
    tokenizer = Tokenizer.from_file(str(folder / _VOCABULARY))
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.no_padding()
    weights = load_file(str(folder / _WEIGHTS))["embedding.weight"]
    return tokenizer, weights.astype(np.float32)
