"""Work that waits for a budget is no work that is left: waiting ends, and says why."""

from __future__ import annotations

from pathlib import Path

import redis as redis_py
from support.folding import Memory

from mnemolog.projections.progress import wait_until_done
from mnemolog.schema import troubles
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.schema.troubles import Trouble, job_name


def test_waiting_ends_when_all_that_is_left_waits_for_a_budget(tmp_path: Path, redis: redis_py.Redis) -> None:
    settings = Settings(data=tmp_path, space="test")
    settings.folder.mkdir(parents=True)
    memory = Memory(settings.file)
    memory.say("I work at Acme now.")
    memory.close()
    (job,) = memory.due("extract")
    memory.connection.execute("UPDATE vector_index SET position = 1000")
    memory.connection.execute("INSERT INTO vectors_1 SELECT number, x'', x'', x'' FROM nodes")
    trouble = Trouble(attempt=1, at=0, error="the tokens of the day are used up", waits=True)
    troubles.tell(redis, "test", job_name(job[0], job[1]), trouble)
    left = wait_until_done(settings, Stream(redis, "test"), 5)
    assert (left.jobs_due, left.jobs_waiting, left.waiting_for) == (1, 1, "the tokens of the day are used up")
