"""What a shadow would cost, before anybody is asked: by what such jobs have cost, else by how long the texts are."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.tokens import count_tokens
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.outcomes import JobKind
from mnemolog.workers.engines.prompt import Prompt, Prompts
from mnemolog.workers.shadow import Plan

#: Of a message, beside its words: its id, speaker and time as JSON.
MESSAGE_TOKENS = 60
#: What a reply has for each message of a window, and for a question of another kind.
REPLY_TOKENS = 60
#: The facts and scenes that go with a window, and what a question of another kind is about.
KNOWN_TOKENS = 800

_USUAL = """
    SELECT avg(tokens_in), avg(tokens_out) FROM outcomes
    WHERE kind = ? AND calls = 1 AND tokens_in > 0 AND prompt_version IN (SELECT value FROM json_each(?))
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
    rows: list[Any] = connection.execute(_JOBS, (keys,)).fetchall()
    counted: dict[JobKind, int] = dict(rows)
    text, messages = connection.execute(_MESSAGES, (keys,)).get
    if plan.last is not None:
        # What follows from the windows that are extracted again is judged and summed up again.
        counted |= {"resolve": counted.get("extract", 0), "consolidate": counted.get("extract", 0)}
    jobs = sum(counted.values())
    if settings is None:
        return Estimate(messages=messages, jobs=jobs, calls=0, tokens_in=0, tokens_out=0, cost_usd=0.0)
    windows = counted.get("extract", 0)
    read = count_tokens(text or "") + MESSAGE_TOKENS * messages
    each: dict[JobKind, tuple[float, float]] = {
        "extract": ((read / windows if windows else 0) + KNOWN_TOKENS, REPLY_TOKENS * messages / max(1, windows)),
        "resolve": (KNOWN_TOKENS, REPLY_TOKENS),
        "consolidate": (KNOWN_TOKENS, REPLY_TOKENS),
    }
    by_kind: dict[JobKind, Prompt] = {
        "extract": prompts.extract,
        "resolve": prompts.resolve,
        "consolidate": prompts.consolidate,
    }
    tokens_in = tokens_out = 0.0
    for kind, count in counted.items():
        usual: Any = connection.execute(_USUAL, (kind, msgspec.json.encode(prompts.versions).decode())).get
        given, made = usual if usual[0] is not None else each[kind]
        if usual[0] is None:
            given += count_tokens(by_kind[kind].instructions) + count_tokens(str(by_kind[kind].schema))
        tokens_in += count * given
        tokens_out += count * made
    return Estimate(
        messages=messages,
        jobs=jobs,
        calls=jobs,
        tokens_in=round(tokens_in),
        tokens_out=round(tokens_out),
        cost_usd=settings.cost_usd(round(tokens_in), round(tokens_out)),
    )
