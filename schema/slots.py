"""Slots: what can be said about a subject, how many values it holds at a time, and what it is by default.

A slot that is not in the table holds many values. Families of slots are open at the end: `preferred_editor`.
"""

from __future__ import annotations

import msgspec

from mnemolog.schema.cells import CellType


class Slot(msgspec.Struct, frozen=True):
    """A slot: `single` holds one value at a time; `scene` is the topic that its cells group under."""

    single: bool
    cell_type: CellType
    scene: str
    salience: float


_UNKNOWN = Slot(single=False, cell_type="fact", scene="", salience=0.4)

#: name: (one value at a time, cell type, scene, salience)
_TABLE: dict[str, tuple[bool, CellType, str, float]] = {
    "name": (True, "fact", "person", 0.9),
    "age": (True, "fact", "person", 0.6),
    "birthday": (True, "fact", "person", 0.7),
    "birthplace": (True, "fact", "person", 0.6),
    "nationality": (False, "fact", "person", 0.6),
    "timezone": (True, "fact", "person", 0.6),
    "marital_status": (True, "fact", "family", 0.7),
    "partner": (True, "fact", "family", 0.8),
    "child": (False, "fact", "family", 0.8),
    "relative": (False, "fact", "family", 0.7),
    "friend": (False, "fact", "friend", 0.5),
    "pet": (False, "fact", "pet", 0.6),
    "residence": (True, "fact", "home", 0.8),
    "location": (True, "fact", "travel", 0.4),
    "travel": (False, "fact", "travel", 0.5),
    "employer": (True, "fact", "career", 0.8),
    "job_title": (True, "fact", "career", 0.8),
    "school": (True, "fact", "education", 0.7),
    "field_of_study": (False, "fact", "education", 0.6),
    "diet": (True, "preference", "food", 0.8),
    "eats": (False, "preference", "food", 0.6),
    "drinks": (False, "preference", "food", 0.5),
    "allergy": (False, "fact", "health", 0.9),
    "condition": (False, "fact", "health", 0.8),
    "medication": (False, "fact", "health", 0.8),
    "habit": (False, "fact", "habit", 0.5),
    "hobby": (False, "preference", "hobby", 0.5),
    "likes": (False, "preference", "", 0.5),
    "prefers": (False, "preference", "", 0.6),
    "skill": (False, "fact", "skill", 0.6),
    "learning": (False, "fact", "skill", 0.5),
    "speaks": (False, "fact", "language", 0.6),
    "owns": (False, "fact", "possession", 0.5),
    "uses": (False, "fact", "", 0.5),
    "works_on": (False, "fact", "project", 0.6),
    "requirement": (False, "fact", "", 0.5),
    "decision": (False, "decision", "project", 0.7),
    "plan": (False, "plan", "plan", 0.5),
    "task": (False, "task", "task", 0.6),
    "risk": (False, "risk", "", 0.6),
    "procedure": (False, "procedure", "", 0.6),
    "state": (False, "fact", "", 0.4),
    "note": (False, "fact", "", 0.6),
}
SLOTS: dict[str, Slot] = {name: Slot(*row) for name, row in _TABLE.items()}

#: Families by what the slot's name begins with.
FAMILIES: dict[str, Slot] = {
    "preferred_": Slot(single=True, cell_type="preference", scene="", salience=0.7),
    "chosen_": Slot(single=True, cell_type="decision", scene="", salience=0.7),
    "opinion_of_": Slot(single=True, cell_type="opinion", scene="", salience=0.4),
}


def slot_of(name: str | None) -> Slot:
    """The slot's row, its family's row, or the default: many values, a fact."""
    if name is None:
        return _UNKNOWN
    if name in SLOTS:
        return SLOTS[name]
    return next((row for prefix, row in FAMILIES.items() if name.startswith(prefix)), _UNKNOWN)


def single_valued(name: str | None) -> bool:
    """Whether the slot holds one value at a time, so that another object takes the place of the old one."""
    return slot_of(name).single
