"""What a shadow would cost, before anybody is asked: by what such jobs have cost, else by how long the texts are."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.lines.tokens import count_tokens
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.outcomes import JobKind
from mnemolog.workers.engines.prompt import Prompt, Prompts
from mnemolog.workers.shadows.shadow import Plan

#: Of a message, beside its words: its id, speaker and time as JSON.
MESSAGE_TOKENS = 60
#: What a reply has for each message of a window, and for a question of another kind.
REPLY_TOKENS = 60
#: The facts and scenes that go with a window, and what a question of another kind is about.
KNOWN_TOKENS = 800

_USUAL = """
    SELECT avg(tokens_in), avg(tokens_out) FROM outcomes
    WHERE kind = ? AND calls = 1 AND tokens_in > 0 AND prompt_version = ?
"""
_JOBS = """
    SELECT kind, count(*) FROM (
        SELECT DISTINCT j.job_key, j.kind FROM jobs j
        WHERE j.job_key IN (SELECT value FROM json_each(?)))
    GROUP BY kind
"""
_MESSAGES = """
    SELECT group_concat(n.content, char(10)), count(*) FROM (
        SELECT DISTINCT input.value AS node_id FROM jobs j, json_each(j.inputs) AS input
        WHERE j.kind = 'extract' AND j.job_key IN (SELECT value FROM json_each(?))) AS inputs
    JOIN nodes n USING (node_id)
"""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """About how many jobs, calls and tokens, and US dollars by the prices that are set."""

    messages: int
    jobs: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float


def estimate(connection: apsw.Connection, plan: Plan, settings: ModelSettings | None, prompts: Prompts) -> Estimate:
    """What it would take to work a plan off with a model; `settings` None asks none.

    Conflicts and scenes are as many as there were; an engine that finds more facts asks more.
    """
    keys = msgspec.json.encode(plan.job_keys).decode("utf-8")
    text, messages = connection.execute(_MESSAGES, (keys,)).get
    counted = _counted(connection, plan, keys)
    jobs = sum(counted.values())
    if settings is None:
        return Estimate(messages=messages, jobs=jobs, calls=0, tokens_in=0, tokens_out=0, cost_usd=0.0)
    windows = max(1, counted.get("extract", 0))
    read = KNOWN_TOKENS + (count_tokens(text or "") + MESSAGE_TOKENS * messages) / windows
    each: dict[JobKind, tuple[float, float]] = {
        "extract": _one(connection, "extract", prompts, read, REPLY_TOKENS * messages / windows),
        "resolve": _one(connection, "resolve", prompts, KNOWN_TOKENS, REPLY_TOKENS),
        "consolidate": _one(connection, "consolidate", prompts, KNOWN_TOKENS, REPLY_TOKENS),
    }
    tokens_in, tokens_out = (round(sum(count * each[kind][way] for kind, count in counted.items())) for way in (0, 1))
    return Estimate(
        messages=messages,
        jobs=jobs,
        calls=jobs,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=settings.cost_usd(tokens_in, tokens_out),
    )


def _counted(connection: apsw.Connection, plan: Plan, keys: str) -> dict[JobKind, int]:
    """How many jobs of each kind there are to be done."""
    rows: list[Any] = connection.execute(_JOBS, (keys,)).fetchall()
    counted: dict[JobKind, int] = dict(rows)
    if plan.last is None:
        return counted
    # What follows from the windows that are extracted again is judged and summed up again.
    windows = counted.get("extract", 0)
    return {"extract": windows, "resolve": windows, "consolidate": windows}


def _one(connection: apsw.Connection, kind: JobKind, prompts: Prompts, read: float, made: float) -> tuple[float, float]:
    """The tokens that one question of a kind takes and gives: as recorded, else by `read` and `made`."""
    prompt: Prompt = getattr(prompts, kind)
    usual: Any = connection.execute(_USUAL, (kind, prompt.version)).get
    if usual[0] is not None:
        return usual[0], usual[1]
    told = count_tokens(prompt.instructions) + count_tokens(msgspec.json.encode(prompt.schema).decode("utf-8"))
    return told + read, made
