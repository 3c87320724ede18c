"""The difference between the facts of two files of one memory: added, lost, said otherwise, ended otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import apsw
import msgspec

from mnemolog.schema.cells import Cell

LIVE = "live"

_SHARED = (
    *("node_id", "content", "scene", "subject", "slot", "object", "polarity"),
    *("valid_from", "valid_until"),
)
_FACTS = f"""
    SELECT cell, retracted, heir, {", ".join(_SHARED)} FROM cells JOIN nodes USING (node_id)
    ORDER BY valid_from, occurred_at, seq, event_id, node_id
"""
_cells = msgspec.json.Decoder(Cell)


class ComparedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as it is compared, times in UTC milliseconds; `event_ids` are the messages that it was taken from.

    `status` does not depend on the clock: `live`, `superseded` by `heir`, or retracted (`forgotten`, `corrected`).
    """

    node_id: str
    content: str
    scene: str
    subject: str
    slot: str | None
    object: str
    polarity: int
    event_ids: tuple[str, ...]
    status: str
    heir: str | None
    valid_from: int
    valid_until: int | None


class Pair(msgspec.Struct, frozen=True):
    """The same fact in both files, or what stands for it in the other."""

    before: ComparedFact
    after: ComparedFact


class FactDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Each list in order of time. `changed` says the same of the same messages in other words or with another value.

    `standing` are facts of both that are superseded, retracted or bounded differently.
    """

    added: tuple[ComparedFact, ...] = ()
    lost: tuple[ComparedFact, ...] = ()
    changed: tuple[Pair, ...] = ()
    standing: tuple[Pair, ...] = ()


def compared_facts(connection: apsw.Connection) -> tuple[ComparedFact, ...]:
    """All facts of a file, in order of time."""
    rows: list[Any] = connection.execute(_FACTS).fetchall()
    return tuple(_fact(*row) for row in rows)


def _fact(cell: str, retracted: str | None, heir: str | None, *shared: Any) -> ComparedFact:
    event_ids = {evidence.event_id for evidence in _cells.decode(cell).evidence}
    return ComparedFact(
        **dict(zip(_SHARED, shared, strict=True)),
        event_ids=tuple(sorted(event_ids)),
        status=retracted or ("superseded" if heir else LIVE),
        heir=heir,
    )


def fact_diff(before: Sequence[ComparedFact], after: Sequence[ComparedFact]) -> FactDiff:
    """What `after` has that `before` had not, and the other way round."""
    old, new = ({fact.node_id: fact for fact in facts} for facts in (before, after))
    lost = [fact for fact in before if fact.node_id not in new]
    added = [fact for fact in after if fact.node_id not in old]
    changed = _changed(lost, added)
    renamed = {pair.before.node_id: pair.after.node_id for pair in changed}
    both = [Pair(fact, new[fact.node_id]) for fact in before if fact.node_id in new]
    gone, come = set(renamed), set(renamed.values())
    return FactDiff(
        added=tuple(fact for fact in added if fact.node_id not in come),
        lost=tuple(fact for fact in lost if fact.node_id not in gone),
        changed=tuple(changed),
        standing=tuple(pair for pair in (*both, *changed) if _standing(pair.before, renamed) != _standing(pair.after)),
    )


def _standing(fact: ComparedFact, renamed: dict[str, str] | None = None) -> tuple[Any, ...]:
    heir = (renamed or {}).get(fact.heir or "", fact.heir)
    return fact.status, heir, fact.valid_until


def _changed(lost: Sequence[ComparedFact], added: Sequence[ComparedFact]) -> list[Pair]:
    """Facts that stand for one another, in order of time: the likest first, each once."""
    pairs: list[Pair] = []
    for likeness in _LIKENESSES:
        gone = {pair.before.node_id for pair in pairs}
        come = {pair.after.node_id for pair in pairs}
        found: defaultdict[Hashable, list[ComparedFact]] = defaultdict(list)
        for fact in added:
            for key in likeness(fact) if fact.node_id not in come else ():
                found[key].append(fact)
        for fact in lost:
            if fact.node_id in gone:
                continue
            free = (other for key in likeness(fact) for other in found[key] if other.node_id not in come)
            other = next(free, None)
            if other is not None:
                come.add(other.node_id)
                pairs.append(Pair(fact, other))
    order = {fact.node_id: number for number, fact in enumerate(lost)}
    return sorted(pairs, key=lambda pair: order[pair.before.node_id])


def _by_value(fact: ComparedFact) -> Iterable[Hashable]:
    return ((fact.subject, fact.slot, fact.object, fact.polarity, event_id) for event_id in fact.event_ids)


def _by_slot(fact: ComparedFact) -> Iterable[Hashable]:
    return ((fact.subject, fact.slot, event_id) for event_id in fact.event_ids)


_LIKENESSES: tuple[Callable[[ComparedFact], Iterable[Hashable]], ...] = (_by_value, _by_slot)


def same_value(pair: Pair) -> bool:
    """Whether two facts say the same of the same subject, if in other words."""
    one, other = pair.before, pair.after
    value = (one.subject, one.slot, one.polarity) == (other.subject, other.slot, other.polarity)
    return value and (one.object or one.content) == (other.object or other.content)
