"""How text becomes index terms.

The index's tokenizer is FTS5's porter over unicode61. Scripts that are written without spaces between words reach
it as overlapping pairs of characters (the method of Lucene's CJKBigramFilter), so that a word of two characters
is one term; the last character of a run also stands alone, so that a prefix finds every single character.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import cast

import apsw
import msgspec

#: Marks belong to words (Thai and Indic vowels are marks), and NFKC has composed the Latin ones.
_UNICODE61 = ("remove_diacritics", "2", "categories", "L* M* N* Co")
TOKENIZER = "porter unicode61 remove_diacritics 2 categories ''L* M* N* Co''"

_PAIR = 2
MAX_QUERY_CHARS = 4_000
MAX_QUERY_TERMS = 128
#: Text beyond this many characters of a message is not counted when candidates are rescored.
MAX_SCORED_CHARS = 8_000

# Thai to Burmese, Khmer, Hangul, kana, ideographs and their extensions. A run is cut, so that a long one is worked
# off in little memory.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]{1,1000}"
)
# A letter with the vowels and tones that are written as marks on it.
_MARKS = "".join(chr(c) for c in range(0x0E00, 0x1800) if unicodedata.category(chr(c)) in {"Mn", "Mc"})
_LETTER = re.compile(f".[{_MARKS}]*", re.DOTALL)
_UNENCODABLE = re.compile("[\0\ud800-\udfff]")

#: English words and, for scripts without spaces, pairs of characters that say nothing about what is looked for.
_STOP_WORDS = frozenset(
    resources.files("mnemolog.projections.indexes").joinpath("stop_words.txt").read_text(encoding="utf-8").split()
)
# Characters that carry grammar rather than content. A pair says nothing when it is made only of them, when it has
# one of _PARTICLES, or when it is a kana particle on a word in another script.
_FUNCTION_CHARACTERS = frozenset(
    "的了是我你他她它们这那在有和就都也不吗呢吧啊什么怎样哪谁几多少个为与及或请问来去到过得地着之上下会要可以何誰"
    "はがをにのでともへやかねよ"
)
_PARTICLES = frozenset("的了是我你他她它们吗呢吧啊这那")
_KANA_PARTICLES = frozenset("はがをにのでともへやかだな")
_HIRAGANA = re.compile("[\u3041-\u309f]+")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_Tokenizer = Callable[[bytes], list[str]]


class QueryTerms(msgspec.Struct, frozen=True):
    """What a question asks for: `words` as written (folded, without stop words), `terms` the same as index terms.

    Both are distinct, parallel and in the order of the question; `spoken` holds all words, stop words included.
    """

    words: tuple[str, ...]
    terms: tuple[str, ...]
    spoken: tuple[str, ...]


def clean(text: str) -> str:
    """The text without what SQLite or UTF-8 cannot hold (NUL, lone surrogates)."""
    return text if text.isascii() and "\0" not in text else _UNENCODABLE.sub(" ", text)


def index_text(text: str) -> str:
    """The text as the index's tokenizer gets it: composed, and unspaced scripts as pairs of characters."""
    return text if text.isascii() else _UNSPACED.sub(_pairs_and_last, _composed(text))


def _query_text(text: str) -> str:
    return text if text.isascii() else _UNSPACED.sub(_asked_pairs, _composed(text))


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)


def _pairs_and_last(run: re.Match[str]) -> str:
    # The first character after a run that was cut belongs to its last pair.
    following = run.string[run.end() : run.end() + 1]
    is_cut = following and _UNSPACED.match(following)
    letters = _LETTER.findall(run.group() + (following if is_cut else ""))
    pairs = " ".join(map("".join, pairwise(letters)))
    return f" {pairs} " if is_cut else f" {pairs} {letters[-1]} "


def _asked_pairs(run: re.Match[str]) -> str:
    letters = _LETTER.findall(run.group())
    if len(letters) == 1:
        return f" {letters[0]} "
    asked: list[str] = []
    for place, letter in enumerate(letters):
        around = ["".join(letters[at : at + 2]) for at in (place - 1, place) if 0 <= at < len(letters) - 1]
        # An ideograph between particles is a word of its own.
        if _HAN.match(letter) and letter not in _FUNCTION_CHARACTERS and all(map(_is_grammar, around)):
            asked.append(letter)
        if place + 1 < len(letters):
            asked.append(letter + letters[place + 1])
    return f" {' '.join(asked)} "


def _is_grammar(pair: str) -> bool:
    if pair in _STOP_WORDS or _FUNCTION_CHARACTERS.issuperset(pair) or not _PARTICLES.isdisjoint(pair):
        return True
    has_particle = len(pair) == _PAIR and not _KANA_PARTICLES.isdisjoint(pair)
    return has_particle and _HIRAGANA.fullmatch(pair) is None


def terms(text: str) -> list[str]:
    """The index terms of a text, in order, of its first MAX_SCORED_CHARS characters."""
    return indexed_terms(index_text(text[:MAX_SCORED_CHARS]))


def indexed_terms(prepared: str) -> list[str]:
    """The terms that the index holds for what `index_text` made, in order."""
    return _STEMMING(prepared.encode())


def folded_words(text: str) -> list[str]:
    """The words of a question or a name, without case and diacritics, in order."""
    return _FOLDING(_query_text(clean(text[:MAX_QUERY_CHARS])).encode())


def query_terms(query: str) -> QueryTerms:
    """What any text asks for; at most MAX_QUERY_TERMS terms of its first MAX_QUERY_CHARS characters."""
    spoken = folded_words(query)
    by_term: dict[str, str] = {}
    for word in spoken:
        if not is_stop_word(word):
            by_term.setdefault(_stem(word), word)
    kept = dict(list(by_term.items())[:MAX_QUERY_TERMS])
    return QueryTerms(tuple(kept.values()), tuple(kept), tuple(spoken))


def is_stop_word(word: str) -> bool:
    """Whether a folded word says nothing about what is looked for."""
    return word in _STOP_WORDS if word.isascii() else _is_grammar(word)


def is_single_character(term: str) -> bool:
    """Whether the term is one character of an unspaced script, which the index finds by prefix."""
    return _UNSPACED.fullmatch(term) is not None and len(_LETTER.findall(term)) == 1


def is_pair(term: str) -> bool:
    """Whether the term is a pair of characters of an unspaced script, which may be a word or parts of two."""
    return _UNSPACED.fullmatch(term) is not None and len(_LETTER.findall(term)) > 1


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    stems = _STEMMING(word.encode())
    return stems[0] if stems else word


def _tokenizer(name: str, arguments: tuple[str, ...]) -> _Tokenizer:
    made = apsw.Connection(":memory:").fts5_tokenizer(name, list(arguments))
    # The tokenizer works in a buffer of its own, and threads share it.
    lock = threading.Lock()

    def tokens(utf8: bytes) -> list[str]:
        with lock:
            found = made(utf8, apsw.FTS5_TOKENIZE_QUERY, None, include_offsets=False, include_colocated=False)
        # Without offsets and synonyms a token is a plain string; APSW's type stub does not say so.
        return cast("list[str]", found)

    return tokens


_FOLDING = _tokenizer("unicode61", _UNICODE61)
_STEMMING = _tokenizer("porter", ("unicode61", *_UNICODE61))
