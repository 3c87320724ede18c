"""Changes: what a memory learned, replaced, let fade, was told to forget, and could not do, between two moments.

Everything is read from the tables and, for what people asked, from the log at the positions that the file has. What
happens by the clock alone (fading, ends, due dates) counts at its time, all else where it stands on the log.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.digest.changed import of_facts, of_people
from mnemolog.projections.digest.spans import ADDED, IN_SPAN, KINDS, Change, Span
from mnemolog.projections.digest.unfinished import by_clock, called_off, waiting_and_refused
from mnemolog.projections.reasons.decisions import decisions

_SAID = f"SELECT count(*), count(DISTINCT session) FROM nodes n WHERE n.type = 'episodic' AND {ADDED}"
_SPENT = f"""
SELECT ifnull(sum(calls), 0), ifnull(sum(tokens_in), 0), ifnull(sum(tokens_out), 0), ifnull(sum(cost_usd), 0.0)
FROM outcomes e WHERE {IN_SPAN}
"""
_FORGOTTEN = "SELECT node_id FROM cells WHERE retracted = 'forgotten'"


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a span by subject, the newest of each last; what was said in it, and what engines cost."""

    since: int
    until: int
    messages: int
    sessions: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    counts: dict[str, int]
    changes: tuple[Change, ...]


def changes(connection: apsw.Connection, span: Span, archive: Path, *, everything: bool = False) -> Digest:
    """What changed in a span; what was forgotten since then is told without its words, unless `everything` is wanted.

    The caller spans it with a read transaction. Raises DamagedFile for a damaged archive.
    """
    asked = decisions(connection, archive, span.after, span.until)
    found = [
        *of_facts(connection, span, asked),
        *of_people(connection, asked),
        *waiting_and_refused(connection, span),
        *called_off(connection, span, archive),
        *by_clock(connection, span),
    ]
    found.sort(key=lambda change: (change.subject == "", change.subject, change.at, change.position or (0, 0)))
    if not everything:
        forgotten = {node_id for (node_id,) in connection.execute(_FORGOTTEN)}
        found = [_without_forgotten(change, forgotten) for change in found]
    messages, sessions = connection.execute(_SAID, span.bindings()).get
    calls, tokens_in, tokens_out, cost_usd = connection.execute(_SPENT, span.bindings()).get
    counted = {kind: sum(change.kind == kind for change in found) for kind in KINDS}
    return Digest(
        since=span.since,
        until=span.now,
        messages=messages,
        sessions=sessions,
        calls=calls,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=cost_usd,
        counts={kind: count for kind, count in counted.items() if count},
        changes=tuple(found),
    )


def _without_forgotten(change: Change, forgotten: Collection[str]) -> Change:
    if change.node_id in forgotten:
        change = msgspec.structs.replace(change, content="")
    if change.replaced is not None and change.replaced.node_id in forgotten:
        change = msgspec.structs.replace(change, replaced=msgspec.structs.replace(change.replaced, content=""))
    return change
