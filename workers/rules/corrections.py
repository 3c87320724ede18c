"""Corrections: "I meant C, not B", said about the latest thing known about B."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from mnemolog.schema.cells import Cell
from mnemolog.workers.rules import assertions, lexicon, wording
from mnemolog.workers.rules.drafts import Draft
from mnemolog.workers.rules.subjects import Speaker

_PREPOSITION = re.compile(r"^(?:at|in|on|for|to|with) ")


def correct(new: str, old: str, speaker: Speaker, known: Sequence[Cell]) -> list[Draft]:
    """What is meant instead of `old`, in the slot of the latest known cell about it, or in none."""
    wrong = lexicon.normal(_PREPOSITION.sub("", old))
    stated = assertions.read_clauses(f"{new}.", speaker) if " " in new else []
    if stated:
        return [msgspec.structs.replace(stated[0], ends=wrong, correction=True)]
    shown = lexicon.bare(_PREPOSITION.sub("", new))
    if not shown:
        return []
    draft = Draft(
        subject=speaker.subject, slot="", object=lexicon.normal(shown), shown=shown, ends=wrong, correction=True
    )
    about = (cell for cell in reversed(known) if cell.subject == speaker.subject and cell.object == wrong and cell.slot)
    earlier = next(about, None)
    if earlier is None or earlier.slot is None:
        name = wording.shown_name(speaker.subject, "en")
        return [msgspec.structs.replace(draft, content=f"{name} meant {shown}, not {lexicon.bare(old)}")]
    return [
        msgspec.structs.replace(
            draft,
            slot=earlier.slot,
            cell_type=earlier.cell_type,
            modality=earlier.modality,
            polarity=earlier.polarity,
        )
    ]
