"""The judge: whether a new cell repeats, supersedes or merely stands beside an older one (SEMANTICS 5–11).

A verdict is about the unordered pair: which of the two is the heir follows from time, and is the fold's business. The
kinds are `repeated` (same); `changed`, `opposed`, `ended`, `corrected`, `fulfilled` (supersedes); `scoped` (unsure);
and for compatible ones the reason: `unrelated`, `added`, `refined`, `closed`, `planned`, `opinion`, `scoped` or
`hearsay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mnemolog.schema.cells import ANY_VALUE, Candidate, Cell, Ruling, Verdict
from mnemolog.schema.slots import single_valued

_Finding = tuple[Ruling, str]
_UNRELATED: _Finding = ("compatible", "unrelated")
#: Deeds that say only that something is over, whatever was to be done.
_GENERIC = frozenset({"do", "finish", "complete", "cancel"})
_JOURNEY = frozenset({"trip", "flight", "journey", "visit", "travel"})
#: Slots that say of a tool that somebody takes it.
_CHOICES = frozenset({"preferred", "chosen", "uses"})
_OF_THEMSELVES = frozenset({"requested", "first_person"})
_AHEAD = frozenset({"task", "plan"})


def judge(new: Candidate, candidates: Iterable[Candidate]) -> list[Verdict]:
    """A verdict for each candidate, in their order."""
    return [Verdict(other.id, *_pair(new, other)) for other in candidates]


def _pair(one: Candidate, other: Candidate) -> _Finding:
    """The verdict of the first rule that has one, on the cell that is valid earlier and the one that is later."""
    if one.cell.subject.casefold() != other.cell.subject.casefold():
        return _UNRELATED
    said = sorted((other, one), key=lambda candidate: candidate.occurred_at)
    for spoken in (_corrected, _fulfilled):
        verdict = spoken(said[0].cell, said[1].cell)
        if verdict is not None:
            return verdict
    older, newer = sorted((other, one), key=lambda candidate: (candidate.valid_from, candidate.occurred_at))
    found = (rule(older.cell, newer.cell) for rule in _RULES)
    return next((verdict for verdict in found if verdict is not None), _heir(older.cell, newer.cell, "changed"))


def _heir(old: Cell, new: Cell, kind: str) -> _Finding:
    """Supersedes, unless the newer one is only what others say about somebody who spoke for themselves."""
    if old.basis in _OF_THEMSELVES and new.basis not in _OF_THEMSELVES:
        return "compatible", "hearsay"
    return "supersedes", kind


def _corrected(before: Cell, after: Cell) -> _Finding | None:
    """What was said before about B was never true: "I meant C, not B"."""
    if not after.correction:
        return None
    about = after.slot is None or after.slot == before.slot
    return _heir(before, after, "corrected") if about and _is(after.ends, before.object) else None


def _fulfilled(before: Cell, after: Cell) -> _Finding | None:
    """A task or plan that a later statement closes."""
    if before.cell_type not in _AHEAD or after.cell_type in _AHEAD:
        return None
    same = before.slot == after.slot and before.object == after.object and before.polarity == after.polarity
    if before.modality == "planned" and same:
        return _heir(before, after, "fulfilled")
    if after.slot != "task" or after.ends is None:
        return None
    over, wanted = set(after.ends.split()), set(before.object.split())
    particular = over - _GENERIC
    journey = _JOURNEY | wanted if before.slot == "travel" else frozenset[str]()
    closes = particular <= wanted or wanted <= over or particular <= journey
    return _heir(before, after, "fulfilled") if particular and closes else _UNRELATED


def _other_slot(old: Cell, new: Cell) -> _Finding | None:
    """Two slots: only the end of a tool reaches from one way of choosing it into another."""
    if old.slot is not None and old.slot == new.slot:
        return None
    choices = {_stem(old.slot), _stem(new.slot)} <= _CHOICES
    if not choices or new.ends != old.object or old.polarity < 0 or _closed(old):
        return _UNRELATED
    return _heir(old, new, "ended" if new.polarity < 0 else "changed")


def _other_kind(old: Cell, new: Cell) -> _Finding | None:
    """Opinions and facts, plans and facts leave each other alone."""
    if (old.cell_type == "opinion") != (new.cell_type == "opinion"):
        return "compatible", "opinion"
    return ("compatible", "planned") if old.modality != new.modality else None


def _replaced(old: Cell, new: Cell) -> _Finding | None:
    """An object that the later one names as replaced: "Postgres instead of MySQL"."""
    replaces = new.polarity > 0 and old.polarity > 0 and old.object != new.object and not _closed(new)
    return _heir(old, new, "changed") if replaces and _is(new.ends, old.object) else None


def _over_already(old: Cell, new: Cell) -> _Finding | None:
    """What was over anyway neither supersedes nor is superseded; "used to" says that it is over."""
    if _closed(old) or (_closed(new) and new.ends is None):
        return "compatible", "closed"
    return None


def _all_over(old: Cell, new: Cell) -> _Finding | None:
    """An end of whatever there was: "I quit my job"."""
    if new.polarity > 0 or new.ends != ANY_VALUE:
        return None
    return _heir(old, new, "ended") if old.polarity > 0 else _UNRELATED


def _same_object(old: Cell, new: Cell) -> _Finding | None:
    if old.object != new.object:
        return None
    if old.scope != new.scope and ((old.scope and new.scope) or old.polarity == new.polarity):
        return "compatible", "scoped"
    if _closed(new):
        return _heir(old, new, "ended") if old.polarity > 0 else ("compatible", "closed")
    if old.polarity == new.polarity:
        return "same", "repeated"
    return _heir(old, new, "ended" if new.ends else "opposed")


def _side_by_side(old: Cell, new: Cell) -> _Finding | None:
    """Two objects that can both be true: many values, "also", refinements, opinions that do not exclude each other."""
    if old.polarity < 0 or new.polarity < 0 or not single_valued(new.slot) or _closed(new):
        return _UNRELATED
    if new.addition:
        return "compatible", "added"
    if _refines(old.object, new.object):
        return "compatible", "refined"
    return ("compatible", "opinion") if new.cell_type == "opinion" and not new.change else None


def _other_scope(old: Cell, new: Cell) -> _Finding | None:
    """What is so at work may be otherwise at home; a change that names only one of them leaves it open."""
    if old.scope == new.scope:
        return None
    return ("unsure" if new.change and not (old.scope and new.scope) else "compatible"), "scoped"


_RULES: tuple[Callable[[Cell, Cell], _Finding | None], ...] = (
    _other_slot,
    _other_kind,
    _replaced,
    _over_already,
    _all_over,
    _same_object,
    _side_by_side,
    _other_scope,
)


def _stem(slot: str | None) -> str:
    """The family of a slot that depends on a class: `preferred`, `chosen`; other slots as they are."""
    name = slot or ""
    return name.split("_", 1)[0] if name.startswith(("preferred_", "chosen_")) else name


def _closed(cell: Cell) -> bool:
    return cell.holds_until is not None


def _is(ended: str | None, obj: str) -> bool:
    """Whether what is over is this object."""
    return ended == ANY_VALUE or (bool(ended) and ended == obj)


def _refines(left: str, right: str) -> bool:
    """Whether one object says the other more exactly: "berlin", "berlin kreuzberg"."""
    first, second = set(left.split()), set(right.split())
    return bool(first and second) and (first < second or second < first)
