"""A context is a function of the file and of its recorded lines: told again from a replay, it is the same text."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest
from support.random_logs import refolded, told
from support.stories import SmallEmbedder

from mnemolog.projections.connection import read_transaction
from mnemolog.projections.context import Context, context
from mnemolog.projections.recalls import Recorded, answer_lines, missing, salt_of, text_again
from mnemolog.schema.ids import Position
from mnemolog.schema.recalls import text_digest
from mnemolog.schema.times import DAY

QUESTION = "Where does Ada work: Acme, Bolt or Coil? Python or Rust? Berlin, 东京, a locker?"
LENGTH = 160


def asked(connection: apsw.Connection, now: int) -> tuple[Context, Recorded]:
    """A context, and what the recall log keeps of it."""
    found = context(connection, QUESTION, embedder=SmallEmbedder(), now=now, budget=2_000)
    recorded = Recorded(
        recall_id="rc-1",
        event_id="e1",
        asked_at=now,
        about=now,
        kind="context",
        query="",
        query_chars=0,
        query_hash="",
        message=None,
        position=Position.parse(found.position),
        options={},
        lines=answer_lines(connection, found.lines),
        digest=text_digest(salt_of(connection), found.text),
        reinforces=False,
    )
    return found, recorded


@pytest.mark.parametrize("seed", range(6))
def test_a_context_of_a_random_log_is_told_again_from_its_replay(tmp_path: Path, seed: int) -> None:
    log = told(tmp_path / "told.db", seed, LENGTH)
    lines = 0
    for end in range(LENGTH // 4, LENGTH + 1, LENGTH // 4):
        with closing(refolded(tmp_path / f"live-{end}.db", log[:end], 1)) as live:
            found, recorded = asked(live, log[end - 1].position.ms + DAY)
        with closing(refolded(tmp_path / f"again-{end}.db", log[:end], 50)) as replayed, read_transaction(replayed):
            text = text_again(replayed, recorded)
            assert text == found.text
            assert text_digest(salt_of(replayed), text) == recorded.digest
            assert missing(replayed, recorded) == []
        lines += len(recorded.lines)
    assert lines > 20
