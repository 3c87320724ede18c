"""Verdicts in the fold: a model proposes, and only what holds up comes into force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from mnemolog.schema.cells import ANY_VALUE, Ruling
from mnemolog.schema.outcomes import ConflictsJudged, PairVerdict
from mnemolog.schema.requests import VerdictGiven, VerdictsReviewed
from mnemolog.workers.fold import scenes
from mnemolog.workers.fold.context import Context, Unfoldable
from mnemolog.workers.fold.jobs import close_job
from mnemolog.workers.fold.validity import CLOSINGS, CORRECTION, rank, recompute

_TRUST = {"requested": 2, "first_person": 2, "others": 1, "inferred": 0}
_HEARSAY = _TRUST["others"]
#: Who is meant where a message names no speaker; engines use the same word.
_NAMELESS = "user"
_INTENTIONS = ("plan", "task")


class _Side(msgspec.Struct, frozen=True):
    node_id: str
    subject: str
    cell_type: str
    modality: str
    basis: str
    heir: str | None
    retracted: str | None
    valid_until: int | None
    slot: str | None
    object: str
    polarity: int
    ends: str | None
    corrects: int
    job_key: str | None
    speaker: str | None

    @property
    def trust(self) -> int:
        """How far it is believed: what was said in talk by anybody but its subject is hearsay, whatever it claims."""
        believed = _TRUST[self.basis]
        asked_for = self.job_key is None
        own = (self.speaker or _NAMELESS).casefold() == self.subject.casefold()
        return believed if asked_for or own else min(believed, _HEARSAY)

    @property
    def is_intention(self) -> bool:
        return self.cell_type in _INTENTIONS or self.modality == "planned"


# Who said it last, among those whom the cell quotes: read from the messages, not from what an engine says of them.
_SPEAKER = """
    SELECT e.speaker FROM edges d JOIN nodes e ON e.node_id = d.target
    WHERE d.kind = 'derived_from' AND d.source = ? AND e.role = 'user'
    ORDER BY e.occurred_at DESC, e.seq DESC, e.event_id DESC LIMIT 1
"""


def _side(ctx: Context, node_id: str) -> _Side | None:
    row = ctx.get(
        "SELECT node_id, subject, cell_type, modality, basis, heir, retracted, valid_until, slot, object, polarity, "
        "json_extract(cell, '$.ends'), ifnull(json_extract(cell, '$.correction'), 0), job_key, "
        f"({_SPEAKER}) FROM cells JOIN nodes USING (node_id) WHERE node_id = ?",
        (node_id, node_id),
    )
    return _Side(*row) if row else None


def _sides(ctx: Context, pair: PairVerdict) -> list[_Side]:
    """The two cells of a pair, the one that the other takes the place of first; none where one is no cell."""
    first, second = _side(ctx, pair.first), _side(ctx, pair.second)
    if first is None or second is None:
        return []
    return sorted((first, second), key=lambda side: rank(ctx, side.node_id, pair.kind))


def conflicts_judged(ctx: Context, payload: ConflictsJudged) -> None:
    """Takes over the verdicts of an engine that hold up; holds those of a subject that would lose too much."""
    if close_job(ctx, payload, "resolve") is None:
        return
    for reason, detail in payload.refused:
        ctx.refuse(reason, detail)
    good = [pair for pair in (_borne_out(ctx, pair) for pair in payload.verdicts) if _holds_up(ctx, pair)]
    held = _too_many(ctx, good)
    for pair in good:
        waits = _retires(ctx, pair) and (_subject(ctx, pair) in held or _is_held(ctx, pair))
        _write(ctx, pair.first, pair.second, pair.ruling, pair.kind, "engine", "held" if waits else "in_force")
    _settle(ctx, (node_id for pair in good for node_id in (pair.first, pair.second)))


def _settle(ctx: Context, node_ids: Iterable[str]) -> None:
    scenes.touch(ctx, recompute(ctx, sorted(set(node_ids))))


def _subject(ctx: Context, pair: PairVerdict) -> str:
    return str(ctx.get("SELECT subject FROM cells WHERE node_id = ?", (pair.first,)))


def _holds_up(ctx: Context, pair: PairVerdict) -> bool:
    """Whether the fold follows a proposal; if not, the reason is recorded."""
    reason = _objection(ctx, pair)
    if reason:
        ctx.refuse(reason, f"{pair.ruling} between {pair.first} and {pair.second}")
    return not reason


def _borne_out(ctx: Context, pair: PairVerdict) -> PairVerdict:
    """The proposal with a kind that turns the order of time about only where the cells say so too."""
    sides = _sides(ctx, pair)
    if pair.kind not in (CORRECTION, *CLOSINGS) or not sides:
        return pair
    meant = _is_correction(*sides) if pair.kind == CORRECTION else sides[0].is_intention
    if meant and pair.ruling == "supersedes":
        return pair
    ctx.refuse("other_kind", f"{pair.ruling} between {pair.first} and {pair.second} is no {pair.kind}")
    return msgspec.structs.replace(pair, kind="")


def _is_correction(wrong: _Side, right: _Side) -> bool:
    """Whether a cell says itself that the other was never true."""
    about = right.ends in (wrong.object, ANY_VALUE) or right.slot == wrong.slot
    return bool(right.corrects) and about


def _objection(ctx: Context, pair: PairVerdict) -> str:
    """Why a proposal is not followed, in one word; empty when it is."""
    if pair.first == pair.second:
        return "itself"
    sides = _sides(ctx, pair)
    if not sides:
        known = [ctx.get("SELECT type FROM nodes WHERE node_id = ?", (id_,)) for id_ in (pair.first, pair.second)]
        return "episode" if "episodic" in known else "unknown_node"
    older, heir = sides
    if older.subject != heir.subject:
        return "other_subject"
    if pair.ruling == "same" and older.polarity != heir.polarity:
        return "opposite"
    return _overreach(older, heir) if pair.ruling in ("same", "supersedes") else ""


def _overreach(older: _Side, heir: _Side) -> str:
    """Why one cell may not take the other's place, whatever anybody says."""
    if heir.trust < older.trust:
        return "less_trusted"
    if heir.cell_type == "opinion" and older.cell_type != "opinion":
        return "opinion_over_fact"
    if heir.is_intention and not older.is_intention and older.cell_type != "decision":
        return "plan_over_fact"
    return ""


def _too_many(ctx: Context, pairs: Iterable[PairVerdict]) -> set[str]:
    """The subjects of which the verdicts would retire more live facts than one job may, or rewrite more of the past."""
    retired: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        older, _ = _sides(ctx, pair)
        counts = older.retracted is None if pair.kind == CORRECTION else _is_live(ctx, older)
        if counts and pair.kind not in CLOSINGS and _retires(ctx, pair):
            retired[older.subject].add(older.node_id)
    return {subject for subject, ids in retired.items() if len(ids) > _most(ctx, subject)}


def _retires(ctx: Context, pair: PairVerdict) -> bool:
    """Whether a fact ends by a verdict, and does not only go on in other words."""
    older, heir = _sides(ctx, pair)
    other_object = bool(older.object and heir.object) and older.object != heir.object
    other_slot = bool(older.slot and heir.slot) and older.slot != heir.slot
    return pair.ruling == "supersedes" or (pair.ruling == "same" and (other_object or other_slot))


def _is_held(ctx: Context, pair: PairVerdict) -> bool:
    """Whether a person is still asked about the two: no engine answers in their place."""
    low, high = sorted((pair.first, pair.second))
    return bool(ctx.get("SELECT 1 FROM verdicts WHERE low = ? AND high = ? AND state = 'held'", (low, high)))


def _is_live(ctx: Context, side: _Side) -> bool:
    open_ended = side.valid_until is None or side.valid_until > ctx.now
    return side.heir is None and side.retracted is None and open_ended


def _most(ctx: Context, subject: str) -> int:
    live = ctx.get(
        "SELECT count(*) FROM cells JOIN nodes USING (node_id) WHERE subject = ? AND heir IS NULL "
        "AND retracted IS NULL AND (valid_until IS NULL OR valid_until > ?)",
        (subject, ctx.now),
    )
    caps = ctx.policy.caps
    return max(caps.retire_count, int(live * caps.retire_share))


def _write(ctx: Context, first: str, second: str, ruling: Ruling, kind: str, judge: str, state: str) -> None:
    """Stores a verdict: the last one on the log counts, and a person's beats an engine's."""
    ctx.run(
        "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (low, high) DO UPDATE SET "
        "ruling = excluded.ruling, kind = excluded.kind, judge = excluded.judge, state = excluded.state, "
        "event_id = excluded.event_id WHERE excluded.judge = 'person' OR judge = 'engine'",
        (*sorted((first, second)), ruling, kind, judge, state, ctx.event_id),
    )


def give(ctx: Context, first: str, second: str, ruling: Ruling, kind: str) -> None:
    """A person's verdict. Raises Unfoldable where one of the two is no cell."""
    if first == second or _side(ctx, first) is None or _side(ctx, second) is None:
        raise Unfoldable("no_fact", f"{first} and {second} are not two facts")
    _write(ctx, first, second, ruling, kind, "person", "in_force")
    _settle(ctx, (first, second))


def verdict_given(ctx: Context, payload: VerdictGiven) -> None:
    """Takes a person's verdict over."""
    give(ctx, payload.first, payload.second, payload.ruling, "person")


def verdicts_reviewed(ctx: Context, payload: VerdictsReviewed) -> None:
    """Puts held verdicts into force, or rejects them. Raises Unfoldable where none of the pairs is held."""
    concerned = []
    for first, second in payload.pairs:
        low, high = sorted((first, second))
        ctx.run(
            "UPDATE verdicts SET state = ?, judge = 'person' WHERE low = ? AND high = ? AND state = 'held'",
            ("in_force" if payload.approved else "rejected", low, high),
        )
        if ctx.connection.changes():
            concerned += [low, high]
    if not concerned:
        raise Unfoldable("nothing_held", "none of these verdicts is held")
    _settle(ctx, concerned)
