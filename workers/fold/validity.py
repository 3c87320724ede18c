"""Validity: computed from the verdicts in force, never assigned, so that undoing a verdict restores everything.

    valid_until(x) = min(stated end, valid_from of x's heirs)

An heir is a cell that supersedes x, or says the same later. One that was forgotten stays an heir: to forget what is so
now does not make true again what was so before. One that was corrected, and so was never true, supersedes nothing; but
what said the same is not true again by that. A cell that corrects another takes over its beginning, and the other was
never true, whatever becomes of the cell that corrected it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mnemolog.schema.decay import fades_at
from mnemolog.workers.fold.context import Context

#: The kind of a verdict which says that the older cell was never true.
CORRECTION = "correction"
#: The kinds of a verdict which says that a plan or a task is over: what was said last closes it, whenever it began.
CLOSINGS = ("fulfilled", "cancelled")
#: Why a cell is retracted: such a verdict is in force, or a person had it forgotten, which is told first.
CORRECTED = "corrected"
FORGOTTEN = "forgotten"


class Neighbour(msgspec.Struct, frozen=True):
    """The other cell of a pair whose verdict is in force.

    `untrue` is whether it was corrected, forgotten or not; `later` whether it comes after in the order of time.
    """

    node_id: str
    ruling: str
    kind: str
    valid_from: int
    untrue: bool
    later: bool

    @property
    def is_heir(self) -> bool:
        """Whether it takes the cell's place."""
        return self.later and (not self.untrue or self.ruling == "same")


class Computed(msgspec.Struct, frozen=True):
    """What the verdicts make of a cell."""

    valid_from: int
    valid_until: int | None
    heir: str | None
    retracted: str | None
    untrue: bool


_PLACE = "SELECT c.start, n.occurred_at, n.seq, n.event_id, c.node_id FROM cells c JOIN nodes n USING (node_id)"

_PAIRS = """
    SELECT v.ruling, v.kind, n.valid_from, c.untrue, c.node_id
    FROM (
        SELECT high AS other, ruling, kind FROM verdicts WHERE low = ?1 AND state = 'in_force'
        UNION ALL SELECT low, ruling, kind FROM verdicts WHERE high = ?1 AND state = 'in_force'
    ) v JOIN cells c ON c.node_id = v.other JOIN nodes n ON n.node_id = v.other
    WHERE v.ruling IN ('same', 'supersedes')
    ORDER BY n.valid_from, c.node_id
"""


def place_of(ctx: Context, node_id: str) -> tuple[int, int, int, str, str]:
    """Where a cell stands in the order of time: (start, occurred_at, seq, event_id, node_id)."""
    place: tuple[int, int, int, str, str] = ctx.get(f"{_PLACE} WHERE c.node_id = ?", (node_id,))
    return place


def rank(ctx: Context, node_id: str, kind: str) -> tuple[Any, ...]:
    """What the order of a pair's two cells is compared by: the higher one is the heir.

    By the order of time; of the two of a correction the one that says so is right, else what was said last, not what
    began last; and what closes a plan was said after it.
    """
    place = place_of(ctx, node_id)
    if kind == CORRECTION:
        flag = ctx.get("SELECT ifnull(json_extract(cell, '$.correction'), 0) FROM cells WHERE node_id = ?", (node_id,))
        return (flag, *place[1:])
    return place[1:] if kind in CLOSINGS else place


def _neighbours(ctx: Context, node_id: str) -> list[Neighbour]:
    return [
        Neighbour(other, ruling, kind, valid_from, bool(untrue), rank(ctx, other, kind) > rank(ctx, node_id, kind))
        for ruling, kind, valid_from, untrue, other in ctx.rows(_PAIRS, (node_id,))
    ]


def compute(start: int, stated_end: int | None, retracted: str | None, pairs: Iterable[Neighbour]) -> Computed:
    """What a cell's own beginning and end and its pairs make of it."""
    pairs = list(pairs)
    corrected_from = [pair.valid_from for pair in pairs if pair.kind == CORRECTION and not pair.later]
    heirs = [pair for pair in pairs if pair.is_heir]
    untrue = any(pair.kind == CORRECTION and pair.later for pair in pairs)
    if retracted != FORGOTTEN:
        retracted = CORRECTED if untrue else None
    heir = min(heirs, key=lambda pair: (pair.valid_from, pair.node_id), default=None)
    begin = min([start, *corrected_from])
    # What closes a plan may have begun before the plan was said.
    ends = [end for end in (stated_end, max(begin, heir.valid_from) if heir else None) if end is not None]
    return Computed(begin, min(ends, default=None), heir.node_id if heir else None, retracted, untrue)


def recompute(ctx: Context, changed: Iterable[str]) -> set[str]:
    """Brings validity up to date from the cells whose verdicts or retraction changed; gives the scenes concerned.

    What changes for one cell may change its neighbours: the walk ends because each step goes along the order of time.
    """
    scenes: set[str] = set()
    waiting = list(dict.fromkeys(changed))
    while waiting:
        node_id = waiting.pop()
        old = _stored(ctx, node_id)
        pairs = _neighbours(ctx, node_id)
        start, stated_end = ctx.get("SELECT start, stated_end FROM cells WHERE node_id = ?", (node_id,))
        new = compute(start, stated_end, old.retracted, pairs)
        _link_heirs(ctx, node_id, pairs)
        if new == old:
            continue
        _store(ctx, node_id, new)
        scenes.add(str(ctx.get("SELECT scene FROM nodes WHERE node_id = ?", (node_id,))))
        if (new.valid_from, new.untrue) != (old.valid_from, old.untrue):
            waiting += [pair.node_id for pair in pairs]
    return scenes


def _stored(ctx: Context, node_id: str) -> Computed:
    valid_from, valid_until, heir, retracted, untrue = ctx.get(
        "SELECT valid_from, valid_until, heir, retracted, untrue FROM nodes JOIN cells USING (node_id) "
        "WHERE node_id = ?",
        (node_id,),
    )
    return Computed(valid_from, valid_until, heir, retracted, bool(untrue))


def _store(ctx: Context, node_id: str, new: Computed) -> None:
    ctx.run(
        "UPDATE nodes SET valid_from = ?, valid_until = ? WHERE node_id = ?", (new.valid_from, new.valid_until, node_id)
    )
    ctx.run(
        "UPDATE cells SET heir = ?, retracted = ?, untrue = ? WHERE node_id = ?",
        (new.heir, new.retracted, int(new.untrue), node_id),
    )
    refresh_fading(ctx, node_id)


def _link_heirs(ctx: Context, node_id: str, pairs: list[Neighbour]) -> None:
    """Makes the supersedes edges into a cell those of its heirs."""
    wanted = {pair.node_id: pair.valid_from for pair in pairs if pair.is_heir and pair.ruling == "supersedes"}
    there: dict[str, int] = dict(
        ctx.rows("SELECT source, valid_from FROM edges WHERE kind = 'supersedes' AND target = ?", (node_id,))
    )
    for source in there.keys() - {heir for heir, since in wanted.items() if there.get(heir) == since}:
        ctx.run("DELETE FROM edges WHERE kind = 'supersedes' AND source = ? AND target = ?", (source, node_id))
    for heir, since in sorted(wanted.items()):
        if there.get(heir) != since:
            ctx.run(
                "INSERT INTO edges VALUES ('supersedes', ?, ?, ?, NULL, ?)",
                (heir, node_id, since, ctx.policy.supersedes_confidence),
            )


def refresh_fading(ctx: Context, node_id: str) -> None:
    """Stores when a cell's confidence will cross the floor, after something that this depends on has changed."""
    confidence, rate, last_accessed, due, heir, pinned = ctx.get(
        "SELECT confidence, decay_rate, last_accessed, due, heir, pinned FROM nodes JOIN cells USING (node_id) "
        "WHERE node_id = ?",
        (node_id,),
    )
    decay = ctx.policy.decay
    if heir is not None:
        confidence, rate = decay.retired_confidence, decay.retired_rate
    # A plan or a task fades from its due date on.
    since = max(last_accessed, due or last_accessed)
    moment = None if pinned else fades_at(confidence, rate, since, decay.floor, decay.exponent)
    ctx.run("UPDATE nodes SET fades_at = ? WHERE node_id = ?", (moment, node_id))
