"""Erasing: nothing of what was said stays in any file or in Redis, and what was made of other things does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.erasing import (
    HOUR,
    KEPT,
    MARK,
    ask,
    contents,
    erase,
    facts,
    hurried,
    leaves,
    reopened,
    salt_of,
    sound,
    two_people,
)
from support.jobs import Desk, Hired
from support.redis_server import RedisServer
from support.stories import BEGIN_MS, SmallEmbedder, append, said

from mnemolog.projections.connection import open_reader
from mnemolog.projections.reasons.reasons import Surroundings
from mnemolog.projections.why_not import why_not
from mnemolog.schema import archive
from mnemolog.schema.cells import Cell, Evidence
from mnemolog.schema.codec import decode
from mnemolog.schema.controls import EntryErased, ErasureLifted, salted
from mnemolog.schema.events import MessagePublished, SessionClosed
from mnemolog.schema.outcomes import CellsExtracted, Engine, ExtractedCell
from mnemolog.schema.recalls import Answer, AnswerLine, query_hash, text_digest
from mnemolog.schema.requests import FactConfirmed, FactCorrected, FactsForgotten, NodesRecalled
from mnemolog.schema.stream import Stream
from mnemolog.workers.erasing import carrying, plans
from mnemolog.workers.rebuilding import known, replay, snapshots


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def desk(server: RedisServer, tmp_path: Path) -> Iterator[Desk]:
    with two_people(server, tmp_path / "data") as desk:
        yield desk


def test_nothing_of_a_speaker_stays_in_any_file_or_in_redis(desk: Desk, server: RedisServer) -> None:
    assert leaves(desk, server, MARK)
    erase(desk, "speaker", "Ben")
    desk.finish()
    assert facts(desk) == KEPT
    assert leaves(desk, server, MARK, "Ben", "ben-0", "both-1") == []
    sound(desk)


def test_what_was_made_of_a_mixed_conversation_is_made_again_of_the_rest(desk: Desk) -> None:
    (job,) = [key for key, _, kind in desk.jobs("done") if kind == "extract" and "both-0" in str(inputs(desk, key))]
    erase(desk, "speaker", "Ben")
    assert "Ada likes jazz." not in facts(desk)
    assert inputs(desk, job) == []
    assert [kind for _, _, kind in desk.jobs("due") if kind == "extract"] == ["extract"]
    desk.finish()
    assert facts(desk) == KEPT
    assert desk.get("SELECT messages FROM sessions WHERE session = 'both'") == 2


def inputs(desk: Desk, key: str) -> list[str]:
    found = desk.rows("SELECT DISTINCT e.value FROM jobs j, json_each(j.inputs) e WHERE job_key = ?", key)
    return desk_ids(desk, [node_id for (node_id,) in found])


def desk_ids(desk: Desk, node_ids: list[str]) -> list[str]:
    wanted = msgspec.json.encode(node_ids).decode()
    return [
        row[0]
        for row in desk.rows("SELECT event_id FROM nodes WHERE node_id IN (SELECT value FROM json_each(?))", wanted)
    ]


def test_a_session_loses_its_name_and_an_event_leaves_its_session(desk: Desk, server: RedisServer) -> None:
    erase(desk, "session", "ben")
    assert facts(desk) == [
        "Ada has a dog named Rex.",
        "Ada likes jazz.",
        "Ada works at Acme.",
        f"Ben has a cat named {MARK}ius.",
    ]
    names = [name for (name,) in desk.rows("SELECT session FROM sessions ORDER BY session")]
    assert sorted(names) == sorted(["ada", "both", salted(salt_of(desk), "session", "ben")])
    erase(desk, "event", "both-1")
    desk.finish()
    assert facts(desk) == KEPT
    assert leaves(desk, server, MARK, "ben-0", "ben-1", "both-1") == []
    assert desk.get("SELECT count(*) FROM sessions WHERE session = 'both'") == 1
    sound(desk)


def test_a_whole_space_is_erased_and_goes_on_empty(desk: Desk, server: RedisServer) -> None:
    erase(desk, "space")
    assert facts(desk) == []
    assert {word: leaves(desk, server, word) for word in (MARK, "Acme", "called Rex", "like jazz", "ada-0")} == {
        word: [] for word in (MARK, "Acme", "called Rex", "like jazz", "ada-0")
    }
    desk.say("I work at Bolt.", session="new", at=BEGIN_MS + 96 * HOUR)
    desk.finish()
    assert facts(desk) == ["Ada works at Bolt."]
    sound(desk)


def test_it_leaves_a_receipt_that_tells_what_and_how_much_and_what_is_out_of_reach(desk: Desk) -> None:
    erase(desk, "speaker", "Ben")
    (position,) = [
        entry.position for entry in archive.read(desk.settings.archive) if b"erasure_requested" in entry.body
    ]
    receipt = plans.receipt_of(desk.settings, str(position))
    assert receipt is not None
    assert (receipt.erased.messages, receipt.erased.facts, receipt.erased.again) == (3, 3, 1)
    assert receipt.erased.outcomes >= 2
    assert any("bundles" in left for left in receipt.out_of_reach)
    assert not any("Redis" in left for left in receipt.out_of_reach)


def test_why_not_says_that_it_may_have_been_erased(desk: Desk) -> None:
    assert reasons(desk)[0][0] not in ("erased", "never_published")
    erase(desk, "speaker", "Ben")
    (reason, evidence), *_ = reasons(desk)
    assert reason == "erased"
    assert evidence["entries"] >= 3


def reasons(desk: Desk) -> list[tuple[str, Any]]:
    with closing(open_reader(desk.settings.file)) as reader:
        found = why_not(reader, f"I work at {MARK}.", now=BEGIN_MS, beside=Surroundings(archive=desk.settings.archive))
    return [(one.reason, one.evidence) for one in found]


def test_what_is_imported_again_is_not_taken_unless_that_was_lifted(desk: Desk, server: RedisServer) -> None:
    before = next(entry.body for entry in archive.read(desk.settings.archive) if b'"ben-0"' in entry.body)
    erase(desk, "session", "ben")
    append(desk.client, [before])
    desk.fold()
    assert f"I work at {MARK}." not in contents(desk)
    carrying.clean_if_due(hurried(desk))
    assert leaves(desk, server, f"I work at {MARK}", "ben-0") == []
    sound(desk)
    desk.put(ErasureLifted(events=(salted(salt_of(desk), "event", "ben-0"),)))
    append(desk.client, [before])
    desk.fold()
    assert f"I work at {MARK}." in contents(desk)
    sound(desk)


def test_a_writer_that_died_with_what_came_back_in_the_stream_takes_it_away(desk: Desk, monkeypatch: Any) -> None:
    before = next(entry.body for entry in archive.read(desk.settings.archive) if b'"ben-0"' in entry.body)
    erase(desk, "session", "ben")
    append(desk.client, [before])
    with monkeypatch.context() as patched:
        patched.setattr(carrying, "begin_stream", lambda _: None)
        desk.fold()
    reopened(desk)
    assert MARK.encode() not in b"".join(entry.body for entry in desk.writer.stream.range(desk.writer.position, 9))
    last = desk.writer.stream.entry(desk.writer.position)
    assert last is not None
    assert isinstance(decode(last.body).payload, EntryErased)


def test_what_a_worker_was_at_meanwhile_is_not_taken_and_is_done_again(desk: Desk, server: RedisServer) -> None:
    desk.say("My boss is Kim.", f"I moved to {MARK}.", session="late", at=BEGIN_MS + 72 * HOUR)
    desk.turn()
    engine = Engine(name="slow")
    ((key, generation, _),) = [job for job in desk.jobs("due") if job[2] == "extract"]
    late = CellsExtracted(job_key=key, generation=generation, engine=engine, raw=f"moved to {MARK}")
    erase(desk, "event", "late-1")
    desk.put(late)
    desk.fold()
    carrying.clean_if_due(hurried(desk))
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []
    desk.finish()
    assert "My boss is Kim." in contents(desk)
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_queued_jobs_troubles_and_the_slow_log_hold_nothing_of_it(desk: Desk, server: RedisServer) -> None:
    desk.client.config_set("slowlog-log-slower-than", 0)
    desk.say(f"I moved to {MARK} Bay.", session="queued", speaker="Ben", at=BEGIN_MS + 72 * HOUR)
    assert desk.turn() == 1

    def fail(_: Any) -> Any:
        raise RuntimeError(f"cannot read {MARK}")

    desk.work(Hired(extract=fail))
    assert any("rq:job" in place for place in leaves(desk, server, MARK))
    desk.client.config_set("slowlog-log-slower-than", 10_000_000)
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK) == []


def test_snapshots_side_files_and_recorded_recalls_hold_nothing_of_it(desk: Desk, server: RedisServer) -> None:
    salt, query = salt_of(desk), f"Where is {MARK}?"
    node = desk.get("SELECT node_id FROM nodes WHERE event_id = 'ben-0' AND type = 'episodic'")
    answer = Answer(
        at=BEGIN_MS,
        about=BEGIN_MS,
        kind="recall",
        query=query,
        query_chars=len(query),
        query_hash=query_hash(salt, query),
        ms=1,
        seq=0,
        lines=(AnswerLine("message", node),),
        digest=text_digest(salt, "an answer"),
    )
    desk.put(NodesRecalled(answers=(answer,)))
    desk.fold()
    assert snapshots.take(desk.settings)
    with known.opened(desk.settings, SmallEmbedder(), desk.writer.position):
        pass
    assert len(leaves(desk, server, MARK)) > 4
    erase(desk, "speaker", "Ben")
    assert leaves(desk, server, MARK, str(node)) == []
    assert desk.rows("SELECT query, query_chars FROM recalls") == [("", 0)]
    sound(desk)


def test_what_was_forgotten_stays_forgotten_when_it_is_derived_again(desk: Desk) -> None:
    liked = desk.get("SELECT node_id FROM nodes WHERE content = 'Ada likes jazz.'")
    worked = desk.get("SELECT node_id FROM nodes WHERE content = 'Ada works at Acme.'")
    desk.put(FactsForgotten(node_ids=(liked,)))
    desk.put(FactConfirmed(node_id=worked))
    desk.fold()
    erase(desk, "speaker", "Ben")
    desk.finish()
    assert facts(desk) == ["Ada has a dog named Rex.", "Ada works at Acme."]
    assert desk.get("SELECT pinned FROM cells WHERE node_id = ?", worked) == 1
    assert desk.get("SELECT hidden FROM nodes WHERE event_id = 'both-0'") == 1
    assert desk.rows("SELECT 1 FROM dead_letters WHERE state = 'parked'") == []
    sound(desk)


def test_a_correction_of_what_is_erased_stays_and_keeps_it_from_coming_back(desk: Desk, server: RedisServer) -> None:
    wrong = desk.get("SELECT node_id FROM nodes WHERE content = 'Ada likes jazz.'")
    text = "I like techno, not jazz."
    cell = Cell(
        content="Ada likes techno.",
        cell_type="preference",
        subject="Ada",
        evidence=(Evidence("fix", text),),
        scene="music",
        slot="likes",
        object="techno",
        basis="requested",
    )
    desk.put(FactCorrected(text=text, speaker="Ada", cells=(ExtractedCell(cell=cell),), node_id=wrong), "fix")
    desk.fold()
    erase(desk, "speaker", "Ben")
    desk.finish()
    assert facts(desk) == ["Ada has a dog named Rex.", "Ada likes techno.", "Ada works at Acme."]
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_what_was_shown_to_an_engine_before_a_window_is_not_left_in_what_it_said(
    desk: Desk, server: RedisServer
) -> None:
    at = BEGIN_MS + 120 * HOUR
    desk.say(f"Let us meet in {MARK} Hall.", session="team", speaker="Ben", at=at)

    def extract(work: Any) -> Any:
        shown = " ".join(message.content for message in work.messages)
        return CellsExtracted(job_key=work.job_key, generation=work.generation, engine=Engine(name="m"), raw=shown)

    desk.put(
        MessagePublished(session="team", role="user", speaker="Ada", content="I will be there.", occurred_at=at + HOUR),
        "team-ada",
    )
    desk.put(SessionClosed(session="team", occurred_at=at + 2 * HOUR))
    desk.fold()
    desk.finish(Hired(extract=extract))
    replies = [event.payload.raw for event in desk.logged(CellsExtracted) if "there" in event.payload.raw]
    assert any(MARK in raw for raw in replies)
    erase(desk, "speaker", "Ben")
    assert [kind for _, _, kind in desk.jobs("due") if kind == "extract"] == ["extract", "extract"]
    assert leaves(desk, server, MARK) == []
    sound(desk)


STEPS = ["planned", "rewritten", "stream", "copies", "built", "swapped", "wal", "cleaned"]
_KILLED = """
import os, signal, sys
from pathlib import Path
from mnemolog.schema import rewriting
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.stream import Stream
from mnemolog.workers.erasing import carrying, cleaning, plans
from mnemolog.workers.writer import space_writer
from support.stories import SmallEmbedder, settings_in
step = sys.argv[3]
owner, name = {
    "planned": (plans, "write"),
    "rewritten": (rewriting, "rewrite"),
    "stream": (carrying, "begin_stream"),
    "copies": (plans, "remove_copies"),
    "built": (space_writer, "build"),
    "swapped": (space_writer, "swap"),
    "wal": (carrying, "_empty_wal"),
    "cleaned": (cleaning.Cleaning, "clean"),
}[step]
real = getattr(owner, name)
def deadly(*args, **more):
    real(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, deadly)
client = log_client(sys.argv[1])
writer = space_writer.SpaceWriter(settings_in(Path(sys.argv[2])), Stream(client, "default"), SmallEmbedder())
writer.open()
writer.fold(writer.stream.range(writer.position, 500))
"""


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_that_is_killed_on_the_way_is_finished_by_the_next_writer(
    desk: Desk, server: RedisServer, step: str
) -> None:
    ask(desk, "speaker", "Ben")
    desk.dispatcher.close()
    desk.writer.close()
    command = [sys.executable, "-c", _KILLED, desk.url, str(desk.settings.data), step]
    killed = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert plans.is_under_way(desk.settings)
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    desk.fold()
    desk.finish()
    assert not plans.is_under_way(desk.settings)
    assert facts(desk) == KEPT
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_an_interrupted_erasure_is_named_by_verify_and_finished_by_replay(desk: Desk, monkeypatch: Any) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    ask(desk, "speaker", "Ben")
    with monkeypatch.context() as patched:
        patched.setattr("mnemolog.workers.writer.space_writer.swap", die)
        with pytest.raises(Killed):
            desk.fold()
    with pytest.raises(Exception, match="interrupted"):
        replay.verify(desk.settings, SmallEmbedder(), progress=lambda _: None)
    desk.dispatcher.close()
    desk.writer.close()
    done = replay.replay(desk.settings, Stream(desk.client, "default"), SmallEmbedder(), progress=lambda _: None)
    assert done.equal is True
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    desk.finish()
    assert facts(desk) == KEPT
    sound(desk)


def test_a_request_that_was_sent_twice_is_carried_out_once(desk: Desk) -> None:
    ask(desk, "speaker", "Ben", event_id="gone")
    desk.fold()
    epoch = desk.writer.epoch
    ask(desk, "speaker", "Ben", event_id="gone")
    desk.fold()
    assert desk.writer.epoch == epoch
    assert desk.rows("SELECT 1 FROM dead_letters") == []


def test_two_requests_and_what_is_said_between_them_take_effect_together(desk: Desk, server: RedisServer) -> None:
    ask(desk, "session", "ben")
    desk.put(MessagePublished(session="both", role="user", speaker="Ada", content="I like tea.", occurred_at=BEGIN_MS))
    ask(desk, "speaker", "Ben")
    desk.fold()
    desk.finish()
    assert "I like tea." in contents(desk)
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_a_deleted_file_is_built_without_what_was_erased(desk: Desk, server: RedisServer) -> None:
    ask(desk, "speaker", "Ben")
    desk.dispatcher.close()
    desk.writer.close()
    desk.settings.file.unlink()
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    desk.fold()
    desk.finish()
    assert facts(desk) == KEPT
    assert leaves(desk, server, MARK) == []
    sound(desk)


def test_what_could_not_be_folded_is_erased_too(desk: Desk, server: RedisServer) -> None:
    append(desk.client, [said("ben-0", f"{MARK} again", "ben", speaker="Ben")])
    append(desk.client, [b'{"broken": "Ben", "said": "' + MARK.encode() + b'"}'])
    desk.fold()
    assert len(desk.rows("SELECT 1 FROM dead_letters")) == 2
    erase(desk, "speaker", "Ben")
    assert desk.rows("SELECT 1 FROM dead_letters") == []
    assert leaves(desk, server, MARK) == []
