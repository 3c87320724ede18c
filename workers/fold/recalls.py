"""Recalls in the fold: what was used is reinforced, and what was answered is kept in the recall log."""

from __future__ import annotations

import msgspec

from mnemolog.schema.ids import episode_id
from mnemolog.schema.recalls import Answer, recall_id
from mnemolog.schema.requests import NodesRecalled
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.validity import refresh_fading

_canonical = msgspec.json.Encoder(order="sorted")


def nodes_recalled(ctx: Context, payload: NodesRecalled) -> None:
    """Reinforces the facts that were recalled, and keeps the answers; order and repetition do not matter.

    A clock that runs ahead counts as the policy's `future_ms` ahead at most.
    """
    newest = ctx.now + ctx.policy.caps.future_ms
    for recalled_at, node_ids in payload.recalls:
        for node_id in dict.fromkeys(node_ids):
            if ctx.get("SELECT 1 FROM cells WHERE node_id = ?", (node_id,)):
                _reinforce(ctx, node_id, min(recalled_at, newest))
    for number, answer in enumerate(payload.answers):
        _keep(ctx, recall_id(ctx.event_id, number), answer, min(answer.at, newest))


def _reinforce(ctx: Context, node_id: str, recalled_at: int) -> None:
    ctx.run(
        "INSERT INTO reinforcements VALUES (?, ?, 1) "
        "ON CONFLICT (node_id, recalled_at) DO UPDATE SET times = times + 1",
        (node_id, recalled_at),
    )
    ctx.run(
        "UPDATE nodes SET access_count = access_count + 1, last_accessed = max(last_accessed, ?) WHERE node_id = ?",
        (recalled_at, node_id),
    )
    refresh_fading(ctx, node_id)


def _keep(ctx: Context, key: str, answer: Answer, asked_at: int) -> None:
    ctx.run(
        "INSERT INTO recalls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            ctx.event_id,
            asked_at,
            answer.about,
            answer.kind,
            answer.query,
            answer.query_chars,
            answer.query_hash,
            None if answer.message is None else episode_id(answer.message),
            *answer.position,
            _canonical.encode(answer.options).decode("utf-8"),
            answer.digest,
            int(answer.reinforces),
        ),
    )
    for place, line in enumerate(answer.lines):
        detail = _canonical.encode(line.detail).decode("utf-8")
        ctx.run("INSERT INTO recalled_nodes VALUES (?, ?, ?, ?, ?)", (key, place, line.kind, line.id, detail))
