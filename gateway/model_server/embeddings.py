"""Vectors of the stand-in server: every word is a fixed random vector, a text is their mean. The same for ever."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DIMENSION = 64
_WORD = re.compile(r"\w+")


def embed(texts: Sequence[str], dimension: int) -> list[list[float]]:
    """Vectors of length 1 with `dimension` floats, near to each other for texts that share words."""
    return [_vector(text, dimension).tolist() for text in texts]


def _vector(text: str, dimension: int) -> NDArray[np.float64]:
    words = _WORD.findall(text.casefold()) or [text]
    total = np.sum([_word(word, dimension) for word in words], axis=0)
    return np.asarray(total / np.linalg.norm(total))


@lru_cache(maxsize=10_000)
def _word(word: str, dimension: int) -> NDArray[np.float64]:
    seed = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(dimension)
