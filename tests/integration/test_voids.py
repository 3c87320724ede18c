"""A void under a running writer: the file is built again without what it names, whatever happens on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support.jobs import Desk
from support.stories import OTHER_SALT, SmallEmbedder, append, created, drain, event, file_hashes, rows, settings_in

from mnemolog.projections.connection import open_reader
from mnemolog.projections.integrity import verify
from mnemolog.schema import archive
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import CellsExtracted
from mnemolog.schema.requests import JobRequeued
from mnemolog.schema.stream import Stream
from mnemolog.workers.rebuilding import replay
from mnemolog.workers.rebuilding.rebuild import build
from mnemolog.workers.writer.housekeeper import SpaceKeeper
from mnemolog.workers.writer.ingest import Ingest

FACTS = "SELECT content FROM cells JOIN nodes USING (node_id) ORDER BY content"


@pytest.fixture
def desk(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A space with two facts, each from a session of its own."""
    desk = Desk(redis, redis_url, tmp_path)
    desk.say("I work at Acme.")
    desk.say("My dog is called Rex.", session="tuesday", at=1_772_600_000_000)
    desk.finish()
    assert len(desk.rows(FACTS)) == 2
    yield desk
    desk.close()


def outcome(desk: Desk, words: str) -> tuple[int, int]:
    """Where the extraction stands that found a fact of these words."""
    found = "SELECT o.ms, o.seq FROM outcomes o WHERE o.kind = 'extract' AND o.job_key = "
    return desk.get(f"{found} (SELECT c.job_key FROM cells c JOIN nodes USING (node_id) WHERE content LIKE ?)", words)


def void(*positions: tuple[int, int], event_id: str = "void") -> bytes:
    return event(event_id, OutcomesVoided(positions=positions, reason="wrong"))


def position(desk: Desk, event_id: str) -> tuple[int, int]:
    return desk.get("SELECT ms, seq FROM events WHERE event_id = ?", event_id)


def sound(desk: Desk) -> None:
    """The file holds together, and so replays in batches of any size."""
    with closing(open_reader(desk.settings.file)) as reader:
        assert [problem for problem in verify(reader).problems if not problem.startswith("vectors")] == []
    for batch in (1, 7, 1_000):
        assert replay.verify(desk.settings, SmallEmbedder(), batch=batch, progress=lambda _: None).equal is True


def reopened(desk: Desk) -> None:
    """Another writer takes over, as after a kill."""
    desk.dispatcher.close()
    desk.writer.close()
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher


def test_a_void_takes_effect_by_a_swap_and_is_undone_by_another(desk: Desk) -> None:
    before, epoch = file_hashes(desk.settings.file), desk.writer.epoch
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.fold()
    assert len(desk.rows(FACTS)) == 1
    assert desk.writer.epoch == epoch + 1
    sound(desk)
    append(desk.client, [void(position(desk, "void"), event_id="unvoid")])
    desk.fold()
    assert len(desk.rows(FACTS)) == 2
    assert file_hashes(desk.settings.file).content_hash == before.content_hash
    assert desk.jobs("void") == []
    sound(desk)


def test_what_was_voided_is_not_asked_of_a_worker_again(desk: Desk) -> None:
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.fold()
    assert [kind for _, _, kind in desk.jobs("void")] == ["extract"]
    assert desk.turn() == 0
    (key, _, _), *_ = desk.jobs("void")
    desk.put(JobRequeued(job_key=key))
    desk.fold()
    desk.finish()
    assert len(desk.rows(FACTS)) == 2


def test_a_job_that_is_with_a_worker_is_not_handed_out_again_after_a_void(desk: Desk) -> None:
    desk.say("I like jazz.", session="wednesday", at=1_772_700_000_000)
    assert desk.turn() == 1
    handed = desk.handed()
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.fold()
    assert desk.handed() == handed
    desk.finish()
    assert len(desk.logged(CellsExtracted)) == 3


def test_what_is_appended_with_a_void_comes_into_force_with_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnemolog.workers.writer.reconcile.PAGE", 1)
    where = outcome(desk, "%Acme%")
    told = next(found for found in desk.logged(CellsExtracted) if found.id == _id_at(desk, where))
    assert isinstance(told.payload, CellsExtracted)
    key = told.payload.job_key
    new = CellsExtracted(job_key=key, generation=2, engine=told.payload.engine, cells=told.payload.cells)
    tail = [void(where), event("requeue", JobRequeued(job_key=key)), event("new", new)]
    append(desk.client, tail)
    # The writer happens to read the void alone.
    desk.writer.fold(desk.writer.stream.range(desk.writer.position, 1))
    assert [kind for _, _, kind in desk.jobs("due")] == ["resolve"]
    assert len(desk.rows(FACTS)) == 2
    assert desk.writer.position == position(desk, "new")
    sound(desk)


def _id_at(desk: Desk, where: tuple[int, int]) -> str:
    return str(desk.get("SELECT event_id FROM events WHERE ms = ? AND seq = ?", *where))


@pytest.mark.parametrize("step", ["build", "index_vectors", "swap"])
def test_a_writer_that_dies_on_the_way_to_the_swap_leaves_the_old_file_and_the_next_one_gets_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    append(desk.client, [void(outcome(desk, "%Acme%"))])
    before = file_hashes(desk.settings.file)
    with monkeypatch.context() as patched:
        patched.setattr(f"mnemolog.workers.writer.space_writer.{step}", die)
        with pytest.raises(Killed):
            desk.fold()
    assert file_hashes(desk.settings.file) == before
    last = archive.last_entry(desk.settings.archive)
    assert last is not None
    assert last.position > desk.writer.position
    reopened(desk)
    assert len(desk.rows(FACTS)) == 1
    sound(desk)


_KILLED = """
import os, signal, sys
from pathlib import Path
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.stream import Stream
from mnemolog.workers.writer import space_writer
from support.stories import SmallEmbedder, settings_in
space_writer.swap = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
client = log_client(sys.argv[1])
writer = space_writer.SpaceWriter(settings_in(Path(sys.argv[2])), Stream(client, "default"), SmallEmbedder())
writer.open()
writer.fold(writer.stream.range(writer.position, 500))
"""


def test_a_writer_killed_between_archive_and_swap_is_made_good_at_the_next_start(desk: Desk) -> None:
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.dispatcher.close()
    desk.writer.close()
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", _KILLED, desk.url, str(desk.settings.data)]
    killed = subprocess.run(command, cwd=tests, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(rows(desk.settings.file, FACTS)) == 2
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    assert len(desk.rows(FACTS)) == 1
    sound(desk)


def test_a_deleted_file_is_built_without_what_was_voided(desk: Desk) -> None:
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.fold()
    found = file_hashes(desk.settings.file).content_hash
    desk.dispatcher.close()
    desk.writer.close()
    desk.settings.file.unlink()
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    assert file_hashes(desk.settings.file).content_hash == found
    sound(desk)


def test_a_replay_compares_with_what_the_file_knew_when_the_stream_voids_more(desk: Desk) -> None:
    append(desk.client, [void(outcome(desk, "%Acme%"))])
    desk.dispatcher.close()
    desk.writer.close()
    stream = Stream(desk.client, "default")
    done = replay.replay(desk.settings, stream, SmallEmbedder(), progress=lambda _: None)
    assert done.equal is True
    assert len(rows(desk.settings.file, FACTS)) == 1
    again = Desk(desk.client, desk.url, desk.settings.data)
    desk.writer, desk.dispatcher = again.writer, again.dispatcher
    sound(desk)


def test_several_voids_read_at_once_take_one_rebuild(desk: Desk) -> None:
    epoch = desk.writer.epoch
    first, second = outcome(desk, "%Acme%"), outcome(desk, "%Rex%")
    append(desk.client, [void(first), void(second, event_id="second"), void(second, event_id="third")])
    desk.fold()
    assert desk.rows(FACTS) == []
    assert desk.writer.epoch == epoch + 1
    sound(desk)


def test_a_void_that_was_sent_twice_takes_no_second_rebuild(desk: Desk) -> None:
    body = void(outcome(desk, "%Acme%"))
    append(desk.client, [body])
    desk.fold()
    epoch = desk.writer.epoch
    append(desk.client, [body])
    desk.fold()
    assert desk.writer.epoch == epoch
    sound(desk)


def test_what_cannot_be_folded_yet_stays_behind_a_void(desk: Desk) -> None:
    append(desk.client, [void(outcome(desk, "%Acme%")), created(salt=OTHER_SALT, event_id="again")])
    first = desk.writer.stream.range(desk.writer.position, 1)
    desk.writer.fold(first)
    assert desk.writer.position == first[0].position
    assert len(desk.rows(FACTS)) == 1


def test_vectors_made_for_the_old_file_are_not_stored_in_the_new_one(desk: Desk) -> None:
    keeper = SpaceKeeper(desk.writer)
    where = outcome(desk, "%Acme%")
    desk.say("I like jazz.", session="wednesday", at=1_772_700_000_000)

    class Slow(SmallEmbedder):
        def embed(self, texts: Any) -> Any:
            made = super().embed(texts)
            if not desk.rows("SELECT 1 FROM events WHERE event_id = 'void'"):
                append(desk.client, [void(where)])
                desk.fold()
            return made

    while keeper.index_some(Slow()):
        pass
    keeper.close()
    with closing(open_reader(desk.settings.file)) as reader:
        assert verify(reader).problems == ()


def test_readers_see_the_old_facts_or_the_new_ones(desk: Desk) -> None:
    with closing(open_reader(desk.settings.file)) as reader, reader:
        assert len(reader.execute(FACTS).fetchall()) == 2
        append(desk.client, [void(outcome(desk, "%Acme%"))])
        desk.fold()
        assert len(reader.execute(FACTS).fetchall()) == 2
    with closing(open_reader(desk.settings.file)) as reader:
        assert len(reader.execute(FACTS).fetchall()) == 1
    assert Position(*position(desk, "void")) == desk.writer.position


def test_other_spaces_are_kept_while_one_is_built_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = outcome(desk, "%Acme%")
    desk.dispatcher.close()
    desk.writer.close()
    append(desk.client, [created(space="other")], space="other")
    other = settings_in(tmp_path, "other", lease_s=0.001)
    ingest = Ingest(desk.client, SmallEmbedder())
    ingest.hold(desk.settings)
    ingest.hold(other)
    renewed = []

    def built(*args: Any, **more: Any) -> Any:
        renewed.append(rows(other.file, "SELECT renewed_at FROM lease")[0])
        done = build(*args, **more)
        renewed.append(rows(other.file, "SELECT renewed_at FROM lease")[0])
        return done

    monkeypatch.setattr("mnemolog.workers.writer.space_writer.build", built)
    append(desk.client, [void(where)])
    drain(ingest, lambda: len(renewed) == 2)
    assert renewed[0] < renewed[1]
    desk.writer, desk.dispatcher = (again := Desk(desk.client, desk.url, desk.settings.data)).writer, again.dispatcher
    assert len(desk.rows(FACTS)) == 1
