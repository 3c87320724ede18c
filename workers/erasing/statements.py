"""What is left of statements to the memory that stay: a correction repeats what it corrects, which may be erased."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from mnemolog.schema.cells import Cell
from mnemolog.schema.outcomes import ExtractedCell
from mnemolog.schema.requests import Statement
from mnemolog.workers.erasing.following import Gone, texts_of
from mnemolog.workers.rules import scene_key

#: The scene of what has no other.
SCENE = "person"

S = TypeVar("S", bound=Statement)


def without_words(statement: S, gone: Gone) -> S:
    """A statement whose cells have no word that only erased messages had; a cell that says one itself goes."""
    cells = tuple(_left(item, gone) for item in statement.cells)
    kept = tuple(item for item in cells if not gone.tells(*texts_of(item)))
    if kept == statement.cells:
        return statement
    if len(kept) < len(cells):
        # Causes may be places among the cells.
        kept = tuple(_with(item, causes=()) for item in kept)
    return msgspec.structs.replace(statement, cells=kept)


def _left(item: ExtractedCell, gone: Gone) -> ExtractedCell:
    if gone.tells(item.cell.ends):
        item = _with(item, ends=None)
    if gone.tells(item.cell.scene):
        item = _with(item, scene=scene_key(item.cell.subject) or SCENE)
    return item


def _with(item: ExtractedCell, **fields: object) -> ExtractedCell:
    cell: Cell = msgspec.structs.replace(item.cell, **fields)
    return msgspec.structs.replace(item, cell=cell)
