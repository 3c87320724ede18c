"""Spending: calls, tokens and cost of the outcomes on the log, by UTC day and by session."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.schema.times import DAY, show

_SUMS = "sum(calls), sum(tokens_in), sum(tokens_out), sum(cost_usd)"
_BY_DAY = f"SELECT ms / {DAY} AS day, {_SUMS} FROM outcomes GROUP BY day ORDER BY day"
# The inputs of a job are messages, cells or a scene; a scene belongs to no session.
_BY_SESSION = f"""
    SELECT (
        SELECT n.session FROM json_each(j.inputs) AS input JOIN nodes AS n ON n.node_id = input.value LIMIT 1
    ) AS session, {_SUMS}
    FROM outcomes AS o LEFT JOIN jobs AS j ON j.job_key = o.job_key AND j.generation = o.generation
    GROUP BY session ORDER BY session
"""


class Spent(msgspec.Struct, frozen=True):
    """Requests to models, tokens as their servers counted them, and US dollars by the prices that were set."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


def by_day(con: apsw.Connection) -> dict[str, Spent]:
    """What was spent on each UTC day (2026-03-09) on which an outcome was recorded, refused ones included."""
    rows: list[Any] = con.execute(_BY_DAY).fetchall()
    return {show(day * DAY)[:10]: Spent(*sums) for day, *sums in rows}


def by_session(con: apsw.Connection) -> dict[str | None, Spent]:
    """What was spent on each session's messages and facts; None for scenes, which belong to no session."""
    rows: list[Any] = con.execute(_BY_SESSION).fetchall()
    return {session: Spent(*sums) for session, *sums in rows}
