"""Statements that another memory makes about somebody: read like a person's, believed like what others say."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.statements import read_cells
from mnemolog.producers.importers.mem0 import SPEAKER
from mnemolog.schema.cells import Evidence
from mnemolog.schema.outcomes import ExtractedCell

SALIENCE = 0.5


def read_hearsay(
    sentence: str, memory: str, event_id: str, subject: str, at: int, offset_min: int
) -> tuple[ExtractedCell, ...]:
    """The cells of a memory about a subject, at least one; `sentence` says it in the first person.

    They quote the memory as it stands. `at` is in UTC milliseconds. Raises InvalidInput for a text that is none.
    """
    evidence = (Evidence(event_id, memory),)
    return tuple(
        msgspec.structs.replace(
            item,
            cell=msgspec.structs.replace(
                item.cell, basis="others", salience=SALIENCE, evidence=evidence, stated_by=SPEAKER
            ),
        )
        for item in read_cells(sentence, event_id, subject, at, offset_min=offset_min)
    )
