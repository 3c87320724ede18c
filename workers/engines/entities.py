"""Entities under one key: what a cell mentions, however it is written."""

from __future__ import annotations

import re
import unicodedata

from mnemolog.schema.cells import Cell
from mnemolog.schema.ids import MAX_ID_CHARS
from mnemolog.schema.outcomes import EntityKey, ExtractedCell

_SPACE = re.compile(r"\s+")
_POSSESSIVE = re.compile(r"['’]s$")


def entity_key(name: str) -> str:
    """The key of an entity's name: NFKC, casefolded, no possessive; empty if nothing is left."""
    text = _SPACE.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip(" .,;:!?\"'“”‘’()")
    return _POSSESSIVE.sub("", text)[:MAX_ID_CHARS]


def keyed(cell: Cell) -> ExtractedCell:
    """The cell with the keys of the entities that it mentions, each once."""
    found = {
        (key, mention.kind): EntityKey(key, mention.name, mention.kind)
        for mention in cell.entities
        if (key := entity_key(mention.name))
    }
    return ExtractedCell(cell=cell, entities=tuple(found.values()))
