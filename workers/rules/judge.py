"""The judge: whether a new cell repeats, supersedes or merely stands beside an older one (SEMANTICS 5–11).

A verdict is about the unordered pair: which of the two is the heir follows from time, and is the fold's business. The
kinds are `repeated` (same); `changed`, `opposed`, `ended`, `corrected`, `fulfilled` (supersedes); `unclear` (unsure);
and for compatible ones the reason: `unrelated`, `added`, `refined`, `closed`, `planned`, `opinion`, `scoped`, `hearsay`.
"""

from __future__ import annotations

from collections.abc import Iterable

from mnemolog.schema.cells import ANY_VALUE, Candidate, Cell, Ruling, Verdict
from mnemolog.schema.slots import single_valued

#: Deeds that say only that something is over, whatever was to be done.
_GENERIC = frozenset({"do", "finish", "complete", "cancel"})
#: What one says by using a thing and by preferring it are about one and the same choice.
_CHOICE = ("preferred_", "chosen_")
_RANK = {"requested": 3, "first_person": 2, "others": 1, "inferred": 0}


def judge(new: Candidate, candidates: Iterable[Candidate]) -> list[Verdict]:
    """A verdict for each candidate, in their order."""
    return [Verdict(other.id, *_pair(*sorted((new, other), key=_time))) for other in candidates]


def _time(candidate: Candidate) -> tuple[int, int]:
    return candidate.valid_from, candidate.occurred_at


def _pair(older: Candidate, newer: Candidate) -> tuple[Ruling, str]:
    """The verdict on two cells, the one that is valid later last."""
    old, new = older.cell, newer.cell
    if old.subject.casefold() != new.subject.casefold():
        return "compatible", "unrelated"
    if new.correction or old.correction:
        return _correction(old, new)
    said = sorted((older, newer), key=lambda candidate: candidate.occurred_at)
    done = _fulfilled(said[0].cell, said[1].cell)
    if done is not None:
        return done
    if old.slot is None or new.slot is None or _family(old.slot) != _family(new.slot):
        return _elsewhere(old, new)
    if _opinion(old) != _opinion(new):
        return "compatible", "opinion"
    if old.modality != new.modality:
        return "compatible", "planned"
    if new.polarity > 0 and new.ends is not None and _matches(new.ends, old.object) and old.object != new.object:
        return _heir(old, new, "changed")
    if _closed(old) or (_closed(new) and new.ends is None):
        return "compatible", "closed"
    return _same_slot(old, new)


def _same_slot(old: Cell, new: Cell) -> tuple[Ruling, str]:
    if new.polarity < 0 and new.object == "" and new.ends == ANY_VALUE:
        return _heir(old, new, "ended") if old.polarity > 0 else ("compatible", "unrelated")
    if old.object == new.object:
        return _same_object(old, new)
    if old.polarity < 0 or new.polarity < 0 or not single_valued(new.slot) or _closed(new):
        return "compatible", "unrelated"
    if new.addition:
        return "compatible", "added"
    if _refines(old.object, new.object):
        return "compatible", "refined"
    if old.scope != new.scope and ((old.scope and new.scope) or not new.change):
        return "compatible", "scoped"
    if new.cell_type == "opinion" and not new.change:
        return "compatible", "opinion"
    return _heir(old, new, "changed")


def _same_object(old: Cell, new: Cell) -> tuple[Ruling, str]:
    if _closed(new):
        return _heir(old, new, "ended") if old.polarity > 0 else ("compatible", "closed")
    if old.polarity == new.polarity:
        return ("same", "repeated") if old.scope == new.scope else ("compatible", "scoped")
    if old.scope != new.scope and old.scope and new.scope:
        return "compatible", "scoped"
    return _heir(old, new, "ended" if new.ends else "opposed")


def _heir(old: Cell, new: Cell, kind: str) -> tuple[Ruling, str]:
    """Supersedes, unless the newer one is only what others say about somebody who spoke for themselves."""
    if _RANK[new.basis] < 2 <= _RANK[old.basis]:
        return "compatible", "hearsay"
    return "supersedes", kind


def _correction(old: Cell, new: Cell) -> tuple[Ruling, str]:
    right, wrong = (new, old) if new.correction else (old, new)
    matches = right.ends is not None and _matches(right.ends, wrong.object)
    if matches and (right.slot is None or wrong.slot is None or _family(right.slot) == _family(wrong.slot)):
        return _heir(wrong, right, "corrected")
    if right is new and right.slot is not None and right.slot == wrong.slot and right.object == wrong.object:
        return "same", "repeated"
    return "compatible", "unrelated"


def _fulfilled(old: Cell, new: Cell) -> tuple[Ruling, str] | None:
    """A task or plan that a later statement closes."""
    if (
        not (old.modality == "planned" or old.cell_type in {"task", "plan"})
        or new.modality == "planned"
        or new.ends is None
    ):
        return None
    if new.cell_type in {"task", "plan"} or new.ends == ANY_VALUE:
        return None
    if new.slot == "travel" and old.slot == "travel":
        return _heir(old, new, "fulfilled") if old.object == new.object else ("compatible", "unrelated")
    if new.slot != "task":
        return None
    over, wanted = set(new.ends.split()), set(old.object.split())
    particular = over - _GENERIC
    if particular and (particular <= wanted or wanted <= over or particular <= _travel(old)):
        return _heir(old, new, "fulfilled")
    return "compatible", "unrelated"


def _travel(cell: Cell) -> set[str]:
    """The words for a planned journey."""
    return {"trip", "flight", "journey", "visit", "travel", *cell.object.split()} if cell.slot == "travel" else set()


def _elsewhere(old: Cell, new: Cell) -> tuple[Ruling, str]:
    """Two slots: only an explicit end of a thing used, owned or chosen reaches into another slot of the same object."""
    choice = {"uses", "prefers", "skill", "preferred", "chosen"}
    kinds = {_stem(old.slot), _stem(new.slot)}
    if (
        new.polarity < 0
        and new.ends is not None
        and new.ends == old.object
        and kinds <= choice
        and old.polarity > 0
        and not _closed(old)
    ):
        return ("compatible", "unrelated") if "skill" in kinds else _heir(old, new, "ended")
    if (
        new.ends is not None
        and new.ends == old.object
        and new.polarity > 0
        and kinds <= {"preferred", "chosen", "uses"}
        and not _closed(old)
    ):
        return _heir(old, new, "changed")
    return "compatible", "unrelated"


def _stem(slot: str | None) -> str:
    return (slot or "").split("_", 1)[0] if (slot or "").startswith(_CHOICE) else slot or ""


def _family(slot: str) -> str:
    return slot


def _closed(cell: Cell) -> bool:
    return cell.holds_until is not None


def _opinion(cell: Cell) -> bool:
    return cell.cell_type == "opinion"


def _matches(ended: str, obj: str) -> bool:
    return ended in {ANY_VALUE, obj} or (bool(obj) and set(obj.split()) == set(ended.split()))


def _refines(left: str, right: str) -> bool:
    """Whether one object says the other more exactly: "berlin", "berlin kreuzberg"."""
    first, second = set(left.split()), set(right.split())
    return bool(first and second) and (first < second or second < first)
