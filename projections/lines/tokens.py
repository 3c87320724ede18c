"""Tokens: how long a text is to a language model, by a real tokenizer that needs no download."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer

from mnemolog.schema.errors import NotInstalled

#: The tokenizer of Llama 2 (32,000 tokens), which comes in the `wordllama` wheel. It makes more tokens of a text than
#: the tokenizers of later models do, most of all of scripts other than Latin: what fits by it fits by theirs.
_VOCABULARY = Path("tokenizers", "l2_supercat_tokenizer_config.json")
#: A longer text is counted in pieces, so that it is worked off in little memory.
_PIECE_CHARS = 100_000


def count_tokens(text: str) -> int:
    """How many tokens a text has. Raises NotInstalled without the wheel."""
    pieces = [text[start : start + _PIECE_CHARS] for start in range(0, len(text), _PIECE_CHARS)]
    return sum(len(_tokenizer().encode(piece, add_special_tokens=False).ids) for piece in pieces)


@cache
def _tokenizer() -> Tokenizer:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise NotInstalled("tokens are counted with a file of the package `wordllama`: pip install wordllama")
    tokenizer = Tokenizer.from_file(str(Path(spec.origin).parent / _VOCABULARY))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
