"""How long it takes until a memory goes on after a fault of each kind: measured, told, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Process, run_cli, start_cli, wait_until
from support.chaos import timed, workers_of
from support.redis_server import RedisServer
from support.stories import append, contents, created, messages, problems, rows, settings_in

from mnemolog.producers.client import Producer
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.settings import Settings

#: Generous, since a machine that tests is busy: what takes longer is stuck.
BOUND_S = 60.0
MESSAGES = 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", {"appendfsync": "always"}) as server:
        with log_client(server.url) as client:
            append(client, [created(), *messages(MESSAGES)])
        yield server


class Patient:
    """A space to which things happen; `recovered` are the seconds until it went on after each."""

    def __init__(self, data: Path, server: RedisServer) -> None:
        self.space: Settings = settings_in(data)
        self.server = server
        self.recovered: dict[str, float] = {}
        self.env = {
            "MNEMOLOG_DATA": str(data),
            "MNEMOLOG_REDIS_URL": server.url,
            "MNEMOLOG_JOB_DEADLINE_S": "2",
            "MNEMOLOG_LEASE_S": "2",
        }
        self._said = 0

    def say(self) -> str:
        """A session of one statement; the id of its message."""
        self._said += 1
        name = f"said-{self._said}"
        with Producer("default", redis_url=self.server.url) as producer:
            producer.publish("user", "I live in Lisbon now.", name, speaker=f"Eve {self._said}", event_id=name)
            producer.close_session(name)
        return name

    def goes_on(self, after: str) -> None:
        """Waits until what is said now has been folded."""
        name = self.say()
        self.recovered[after] = timed(lambda: name in contents(self.space), BOUND_S, after)

    def concludes(self, after: str) -> None:
        """Waits until what is said now has become a fact."""
        known, _ = self._facts(), self.say()
        self.recovered[after] = timed(lambda: self._facts() > known, BOUND_S, after)

    def _facts(self) -> int:
        return int(rows(self.space.file, "SELECT count(*) FROM cells WHERE subject LIKE 'Eve %'")[0][0])


@pytest.fixture
def patient(server: RedisServer, tmp_path: Path) -> Patient:
    return Patient(tmp_path / "data", server)


def up(patient: Patient) -> Process:
    return start_cli("up", env=patient.env)


@pytest.mark.timeout(400)
def test_a_memory_goes_on_soon_after_a_fault_of_each_kind(patient: Patient, figures: list[str]) -> None:
    with up(patient) as first:
        patient.goes_on("nothing: a first start, with its messages to fold")
        patient.concludes("nothing: a message becomes a fact")
        for worker in workers_of(first):
            worker.kill()
        patient.concludes("all workers killed: until the next fact")
        patient.server.kill()
        patient.server.start()
        patient.goes_on("Redis killed and started")
        first.kill()
    with up(patient) as second:
        patient.goes_on("writer killed, with a start of `up`")
        second.pause()
        with up(patient) as refused:
            assert refused.wait() == 7
        name = patient.say()
        patient.recovered["writer stopped (SIGSTOP), lease of 2 s: until another has taken over"] = timed(
            lambda: taken_over(patient, name), BOUND_S
        )
        second.resume()
        assert second.wait() == 8, second.output
    patient.space.file.unlink()
    with up(patient) as third:
        patient.goes_on(f"file deleted: built again from {MESSAGES} messages, with a start of `up`")
        patient.concludes("and until the next fact")
        third.interrupt()
        assert third.wait() == 0, third.output
    patient.space.file.write_bytes(b"noise" * 1_000)
    patient.recovered["file damaged: mnemolog replay"] = timed(lambda: replayed(patient), BOUND_S)
    assert problems(patient.space) == ()
    figures.append("recovered after, in seconds (rough):")
    figures.extend(f"  {seconds:6.2f} {fault}" for fault, seconds in patient.recovered.items())


def taken_over(patient: Patient, name: str) -> bool:
    """Starts a writer, which is refused while the lease of the other lasts; whether it has folded what was said."""
    with start_cli("ingest", env=patient.env) as successor:
        wait_until(lambda: not successor.is_running or name in contents(patient.space), BOUND_S)
        if not successor.is_running:
            return False
        successor.interrupt()
        return successor.wait() == 0


def replayed(patient: Patient) -> bool:
    done = run_cli("replay", env=patient.env)
    assert done.returncode == 0, done.stdout + done.stderr
    return True
