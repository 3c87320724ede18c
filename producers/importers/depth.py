"""How deep JSON is nested, while it streams by: what is nested without end would take all memory of its reader."""

from __future__ import annotations

import re

from mnemolog.schema.errors import InvalidInput

#: Deeper than any export, and shallow enough for every reader.
MOST = 2_000

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NO_BRACKETS = re.compile(rb"[^\[\]{}]++")


class Depth:
    """The depth of a document that is fed piece by piece."""

    def __init__(self) -> None:
        self._depth = 0
        #: The beginning of a string whose end has not come yet: its words do not matter.
        self._open = b""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece. Raises InvalidInput where it is nested too deep."""
        bare = _STRING.sub(b"", self._open + piece)
        words, quote, rest = bare.partition(b'"')
        slashes = len(rest) - len(rest.rstrip(b"\\"))
        self._open = quote + b"\\" * (slashes % 2)
        opens = words.count(b"[") + words.count(b"{")
        if self._depth + opens > MOST:
            self._check(words)
        self._depth += opens - words.count(b"]") - words.count(b"}")

    def _check(self, words: bytes) -> None:
        depth = self._depth
        for bracket in _NO_BRACKETS.sub(b"", words):
            depth += 1 if bracket in b"[{" else -1
            if depth > MOST:
                raise InvalidInput(f"it is nested deeper than {MOST:,} levels")
