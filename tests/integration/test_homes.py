"""Homes of spaces: two data folders are two machines, with real writers, over one Redis."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis as redis_py
from redis.crc import key_slot
from support import Process, run_cli, start_cli, wait_until
from support.stories import SmallEmbedder, append, created, messages, settings_in, top

from mnemolog.producers import Producer
from mnemolog.schema import archive, keys
from mnemolog.schema.errors import InvalidInput, MnemologError, SpaceHeld, StaleWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream
from mnemolog.workers.homes import claiming, moving
from mnemolog.workers.homes.claims import Claim
from mnemolog.workers.homes.homes import Homes, recorded
from mnemolog.workers.homes.machine import FILE, this_machine
from mnemolog.workers.writer import ingest
from mnemolog.workers.writer.ingest import Ingest


class Machine:
    """A data folder, and the command line on it."""

    def __init__(self, folder: Path, redis: redis_py.Redis, url: str) -> None:
        self.data = folder
        self.url = url
        self.redis = redis
        folder.mkdir()
        (folder / FILE).write_bytes(msgspec.json.encode({"id": f"id-of-{folder.name}", "name": folder.name}))
        self.homes = Homes(redis, folder)
        self.homes.claims.introduce(self.homes.machine)

    @property
    def id(self) -> str:
        return self.homes.machine.id

    def settings(self, space: str = "ada") -> Settings:
        return settings_in(self.data, space)

    def run(self, *args: str | Path) -> str:
        """What a command prints; it must succeed."""
        answer = run_cli("--data", self.data, "--redis", self.url, *args)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def knows(self, word: str, space: str = "ada") -> bool:
        """Whether a fact has the word."""
        return word in run_cli("--data", self.data, "--redis", self.url, "--space", space, "facts").stdout

    def refused(self, *args: str | Path) -> str:
        """What a command complains about; it must fail."""
        answer = run_cli("--data", self.data, "--redis", self.url, *args)
        assert answer.returncode != 0, answer.stdout
        return answer.stderr

    def writer(self, *args: str, space: str = "default") -> Process:
        """`mnemolog ingest` in a process."""
        return start_cli("--data", self.data, "--redis", self.url, "--space", space, "ingest", *args)

    def folded(self, space: str = "ada") -> list[str]:
        """The ids in the archive of a space."""
        return [msgspec.json.decode(entry.body)["id"] for entry in archive.read(self.settings(space).archive)]

    def leave(self, to: Machine, via: Path, space: str = "ada", wait_s: float = 20.0) -> Claim:
        stream = Stream(self.redis, space)
        return moving.leave(self.homes, self.settings(space), stream, to.homes.machine, via, SmallEmbedder(), wait_s)

    def claim(self, via: Path | None = None, space: str = "ada", *, force: bool = False) -> claiming.Claimed:
        found = self.homes.claims.of(space)
        bundle = via / found.offer.bundle if via and found and found.offer else None
        stream = Stream(self.redis, space)
        return claiming.claim(self.homes, self.settings(space), stream, bundle, SmallEmbedder(), force=force)


@pytest.fixture
def alpha(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "alpha", redis, redis_url)


@pytest.fixture
def bravo(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bravo", redis, redis_url)


@pytest.fixture
def via(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@contextmanager
def writing(machine: Machine, *spaces: str) -> Iterator[Ingest]:
    """A writer in a thread of the test."""
    stop = threading.Event()
    writer = Ingest(machine.redis, SmallEmbedder(), homes=machine.homes)
    for space in spaces or ("ada",):
        writer.hold(machine.settings(space))
    thread = threading.Thread(target=writer.run, args=(stop,), kwargs={"lasting": True})
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join()


def lived(machine: Machine, count: int = 20, space: str = "ada") -> None:
    """A space with messages that one machine has folded."""
    append(machine.redis, [created(space), *messages(count)], space)
    with writing(machine, space) as writer:
        wait_until(lambda: machine.redis.get(keys.progress(space)) == str(top(machine.redis, space)).encode())
        assert not writer.failures


def homes_in(machine: Machine) -> dict[str, Any]:
    return {space["space"]: space for space in json.loads(machine.run("home", "list", "--json"))["spaces"]}


# ---- claiming --------------------------------------------------------------------------------------------------


def test_of_two_machines_that_want_a_new_space_one_becomes_its_home(alpha: Machine, bravo: Machine) -> None:
    append(alpha.redis, [created(), *messages(5)], "ada")
    barrier = threading.Barrier(2)
    taken: list[str] = []
    refused: list[str] = []

    def take(machine: Machine) -> None:
        barrier.wait()
        try:
            machine.homes.take(machine.settings())
            taken.append(machine.id)
        except SpaceHeld as error:
            refused.append(str(error))

    threads = [threading.Thread(target=take, args=(machine,)) for machine in (alpha, bravo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claim = alpha.homes.claims.of("ada")
    assert claim is not None
    assert [claim.machine] == taken
    assert len(refused) == 1
    assert f"at home on {claim.holder}" in refused[0]


def test_machines_that_write_all_spaces_share_the_new_ones_and_lose_none(alpha: Machine, bravo: Machine) -> None:
    spaces = [f"s{number:02}" for number in range(40)]
    for space in spaces:
        append(alpha.redis, [created(space), *messages(3)], space)
    with alpha.writer("--all") as one, bravo.writer("--all") as other:
        wait_until(lambda: len(alpha.homes.claims.claimed()) >= len(spaces), 40, "all spaces to be claimed")
        ours = alpha.homes.claims.progress
        wait_until(lambda: set(ours(spaces)) == set(spaces), 40, "all spaces to be written")
        held = {space: claim.machine for space, claim in alpha.homes.claims.of_all(spaces).items()}
        for space in spaces:
            at = str(top(alpha.redis, space)).encode()
            wait_until(lambda space=space, at=at: alpha.redis.get(keys.progress(space)) == at)
        for process in (one, other):
            process.signal(signal.SIGTERM)
            assert process.wait() == 0, process.output
    shares = [sum(machine == one.id for machine in held.values()) for one in (alpha, bravo)]
    assert min(shares) >= 5, shares
    for space in spaces:
        home, away = (alpha, bravo) if held[space] == alpha.id else (bravo, alpha)
        assert len(home.folded(space)) == 4
        assert not away.settings(space).folder.exists()


def test_a_machine_takes_no_more_new_spaces_than_it_is_told_and_its_own_always(alpha: Machine, bravo: Machine) -> None:
    lived(alpha, space="ada")
    lived(alpha, space="ben")
    append(alpha.redis, [created("new"), *messages(3)], "new")
    with alpha.writer("--all", "--most-spaces", "1") as writer:
        wait_until(lambda: set(homes_in(bravo)) >= {"ada", "ben", "new"})
        wait_until(lambda: all(homes_in(bravo)[space]["writer_runs"] for space in ("ada", "ben")))
        # A machine with room takes what is left; the first one has looked by then.
        with bravo.writer("--all"):
            wait_until(lambda: homes_in(bravo)["new"]["writer_runs"])
        assert writer.is_running
    assert homes_in(bravo)["new"]["machine"]["id"] == bravo.id


def test_a_space_of_another_machine_is_refused_by_name_and_no_file_is_made(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    said = bravo.refused("--space", "ada", "ingest")
    assert "is at home on alpha (id-of-alpha)" in said
    assert not bravo.settings().folder.exists()


def test_a_claim_under_which_nothing_could_be_written_is_taken_back(alpha: Machine, bravo: Machine) -> None:
    append(alpha.redis, messages(3), "ada")
    with pytest.raises(MnemologError):
        Ingest(bravo.redis, SmallEmbedder(), homes=bravo.homes).hold(bravo.settings())
    assert alpha.homes.claims.of("ada") is None


def test_a_claim_that_redis_lost_is_put_there_again_by_the_home(
    alpha: Machine, bravo: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "HOMES_S", 0.01)
    lived(alpha)
    with writing(alpha):
        before = alpha.homes.claims.of("ada")
        alpha.redis.delete(keys.home("ada"))
        wait_until(lambda: alpha.homes.claims.of("ada") == before)


def test_what_a_home_is_said_of_is_kept_beside_its_archive(alpha: Machine) -> None:
    lived(alpha)
    assert recorded(alpha.settings().folder) == alpha.homes.claims.of("ada")


def test_a_machine_keeps_its_id(alpha: Machine) -> None:
    assert this_machine(alpha.data) == alpha.homes.machine


def test_two_processes_that_start_at_once_give_a_machine_one_id(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(this_machine(tmp_path).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_machine_can_be_given_a_name_and_stays_the_machine_that_it_is(
    alpha: Machine, bravo: Machine, via: Path
) -> None:
    lived(alpha)
    alpha.run("home", "move", "ada", "--to", "bravo", "--via", via)
    bravo.run("home", "name", "basement")
    bravo.run("home", "claim", "ada", "--via", via)
    assert homes_in(alpha)["ada"]["machine"] == {"id": bravo.id, "name": "basement"}
    assert "name has" in bravo.refused("home", "name", "two words")


def test_a_machine_is_well_while_a_writer_runs_for_all_of_its_spaces(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    alpha.refused("home", "list", "--check")
    bravo.run("home", "list", "--check")
    with alpha.writer(space="ada"):
        wait_until(lambda: homes_in(bravo)["ada"]["writer_runs"])
        alpha.run("home", "list", "--check")


# ---- moving ----------------------------------------------------------------------------------------------------


def test_a_space_moves_under_traffic_and_nothing_is_lost_or_doubled(
    alpha: Machine, bravo: Machine, via: Path, redis_url: str
) -> None:
    stop = threading.Event()
    published: list[str] = []

    def talk() -> None:
        with Producer("ada", redis_url=redis_url) as producer:
            while not stop.is_set():
                published.append(producer.publish("user", f"Word {len(published)}.", "s").event_id)

    talker = threading.Thread(target=talk)
    with alpha.writer("--all") as old, bravo.writer("--all"):
        talker.start()
        try:
            wait_until(lambda: alpha.redis.exists(keys.progress("ada")) and len(published) > 50)
            first, second = (alpha, bravo) if homes_in(alpha)["ada"]["machine"]["id"] == alpha.id else (bravo, alpha)
            told = first.run("home", "move", "ada", "--to", second.data.name, "--via", via)
            assert f"home claim ada --via {via}" in told
            seen = len(published)
            wait_until(lambda: len(published) > seen + 20)
            second.run("home", "claim", "ada", "--via", via)
            wait_until(lambda: homes_in(alpha)["ada"]["writer_runs"])
            seen = len(published)
            wait_until(lambda: len(published) > seen + 20)
            # The old copy is set aside, so that nobody asks it.
            wait_until(lambda: not first.settings().folder.exists())
        finally:
            stop.set()
            talker.join()
        wait_until(lambda: alpha.redis.get(keys.progress("ada")) == str(top(alpha.redis, "ada")).encode())
        assert old.is_running
    folded = second.folded()
    assert [id_ for id_ in folded if id_ in set(published)] == published
    assert len(folded) == len(set(folded))
    claim = second.homes.claims.of("ada")
    assert claim is not None
    assert (claim.machine, claim.epoch, claim.to) == (second.id, 2, None)
    assert (first.data / "spaces" / ".was-ada-1" / "space.db").exists()


def test_a_space_can_move_back(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    alpha.leave(bravo, via)
    bravo.claim(via)
    append(alpha.redis, messages(25)[20:], "ada")
    with writing(bravo):
        wait_until(lambda: alpha.redis.get(keys.progress("ada")) == str(top(alpha.redis, "ada")).encode())
    bravo.leave(alpha, via)
    alpha.claim(via)
    assert (alpha.data / "spaces" / ".was-ada-1").exists()
    assert len(alpha.folded()) == 26
    with writing(alpha) as writer:
        assert writer.spaces == ["ada"]


def test_between_packing_and_claiming_nobody_writes_and_the_next_step_is_named(
    alpha: Machine, bravo: Machine, via: Path
) -> None:
    lived(alpha)
    alpha.leave(bravo, via)
    for machine, named in ((alpha, "waits for bravo"), (bravo, "home claim ada --bundle ada-1.tar")):
        with machine.writer("--all") as writer:
            said = writer.wait_for(named)
        assert "home claim ada" in said
    assert homes_in(alpha)["ada"]["writer_runs"] is False


def test_a_move_that_was_begun_goes_on_with_the_same_command(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    claim = alpha.homes.claims.of("ada")
    assert claim is not None
    # What is there after a kill while the writer is waited for, or while it is packed.
    alpha.homes.swap("ada", claim, msgspec.structs.replace(claim, to=bravo.homes.machine))
    with alpha.writer("--all") as writer:
        writer.wait_for(f"home move ada --to {bravo.id}")
    offered = alpha.leave(bravo, via)
    assert alpha.leave(bravo, via) == offered
    bravo.claim(via)
    assert len(bravo.folded()) == 21


def test_a_home_that_was_killed_after_packing_has_stopped_and_the_new_home_goes_on(
    alpha: Machine, bravo: Machine, via: Path
) -> None:
    lived(alpha)
    told: list[Claim] = []
    swap = alpha.homes.swap

    def killed(space: str, old: Claim | None, new: Claim) -> None:
        if new.offer is not None:
            told.append(new)
            raise KeyboardInterrupt
        swap(space, old, new)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alpha.homes, "swap", killed)
        patch.setattr(alpha.homes, "seize", lambda settings, claim: None)
        with pytest.raises(KeyboardInterrupt):
            alpha.leave(bravo, via)
    # Redis knows of no offer, so that the new home may not claim yet; the old one packs again.
    with pytest.raises(SpaceHeld, match="at home on alpha"):
        bravo.claim()
    offered = alpha.leave(bravo, via)
    assert offered.offer == told[0].offer
    bravo.claim(via)
    assert len(bravo.folded()) == 21


def test_a_new_home_that_was_killed_after_unpacking_claims_what_it_has(
    alpha: Machine, bravo: Machine, via: Path
) -> None:
    lived(alpha)
    alpha.leave(bravo, via)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bravo.homes, "swap", lambda space, old, new: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            bravo.claim(via)
    assert len(bravo.folded()) == 21
    with pytest.raises(SpaceHeld):
        bravo.homes.take(bravo.settings())
    (via / "ada-1.tar").unlink()
    found = bravo.claim()
    assert (found.claim.machine, found.claim.epoch) == (bravo.id, 2)
    with writing(bravo) as writer:
        assert writer.spaces == ["ada"]


def test_a_space_that_was_packed_can_stay_and_the_offer_is_void(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    alpha.leave(bravo, via)
    assert alpha.claim().claim.epoch == 2
    with writing(alpha) as writer:
        assert writer.spaces == ["ada"]
    with pytest.raises(SpaceHeld, match="at home on alpha"):
        bravo.claim(via)


def test_of_the_old_home_and_the_new_one_that_claim_at_once_one_wins(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    offered = alpha.leave(bravo, via)
    restore = moving.unbundling.restore

    def meanwhile(*args: Any) -> Any:
        alpha.claim()
        return restore(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving.unbundling, "restore", meanwhile)
        with pytest.raises(SpaceHeld, match="changed by somebody else"):
            bravo.claim(via)
    claim = alpha.homes.claims.of("ada")
    assert claim is not None
    assert (claim.machine, claim.epoch) == (alpha.id, offered.epoch + 1)
    with pytest.raises(SpaceHeld):
        bravo.homes.take(bravo.settings())


def test_another_bundle_than_the_one_that_was_packed_is_refused(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    alpha.leave(bravo, via)
    early = (via / "ada-1.tar").read_bytes()
    alpha.claim()
    append(alpha.redis, messages(25)[20:], "ada")
    alpha.leave(bravo, via)
    (via / "ada-2.tar").write_bytes(early)
    with pytest.raises(InvalidInput, match=r"is not the bundle ada-2\.tar"):
        bravo.claim(via)
    assert not bravo.settings().folder.exists()


def test_a_home_that_cannot_pack_stays_the_home(alpha: Machine, bravo: Machine, tmp_path: Path) -> None:
    lived(alpha)
    (tmp_path / "occupied").write_text("")
    with pytest.raises(OSError, match="occupied"):
        alpha.leave(bravo, tmp_path / "occupied")
    with writing(alpha) as writer:
        assert writer.spaces == ["ada"]


def test_a_writer_that_does_not_let_go_keeps_its_space(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    with alpha.writer(space="ada") as writer:
        wait_until(lambda: alpha.redis.exists(keys.progress("ada")))
        writer.pause()
        with pytest.raises(SpaceHeld):
            alpha.leave(bravo, via, wait_s=0)
        claim = alpha.homes.claims.of("ada")
        assert claim is not None
        assert (claim.machine, claim.to) == (alpha.id, None)


# ---- without a home, and by force ------------------------------------------------------------------------------


def test_a_released_space_is_taken_by_no_machine_until_somebody_claims_it(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    with alpha.writer("--all") as writer:
        wait_until(lambda: homes_in(alpha)["ada"]["writer_runs"])
        alpha.run("home", "release", "ada")
        writer.wait_for("released")
        wait_until(lambda: not homes_in(alpha)["ada"]["writer_runs"])
    with bravo.writer("--all") as other:
        other.wait_for("has no home")
    assert not bravo.settings().folder.exists()
    assert "is at home here" in alpha.run("home", "claim", "ada")


def test_a_space_of_which_something_is_missing_here_is_claimed_by_force_only(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    alpha.run("home", "release", "ada")
    Stream(alpha.redis, "ada").trim(top(alpha.redis, "ada"))
    assert "this machine has no archive" in bravo.refused("home", "claim", "ada")
    bravo.run("home", "claim", "ada", "--force")
    assert homes_in(bravo)["ada"]["machine"]["id"] == bravo.id


def test_a_lost_machine_is_replaced_by_force_from_its_newest_bundle(alpha: Machine, bravo: Machine, via: Path) -> None:
    lived(alpha)
    via.mkdir()
    alpha.run("--space", "ada", "export", via / "backup.tar")
    append(alpha.redis, messages(25)[20:], "ada")
    assert "move it from there" in bravo.refused("home", "claim", "ada", "--bundle", via / "backup.tar")
    bravo.run("home", "claim", "ada", "--bundle", via / "backup.tar", "--force")
    with writing(bravo):
        wait_until(lambda: alpha.redis.get(keys.progress("ada")) == str(top(alpha.redis, "ada")).encode())
    assert len(bravo.folded()) == 26


def test_a_home_that_was_paused_while_another_took_its_space_ends_and_trims_nothing(
    alpha: Machine, bravo: Machine
) -> None:
    lived(alpha)
    with alpha.writer(space="ada") as stale:
        wait_until(lambda: alpha.redis.exists(keys.progress("ada")))
        stale.pause()
        bravo.homes.seize(bravo.settings(), alpha.homes.claims.of("ada"))
        with writing(bravo):
            append(alpha.redis, messages(25)[20:], "ada")
            wait_until(lambda: alpha.redis.get(keys.progress("ada")) == str(top(alpha.redis, "ada")).encode())
            stale.resume()
            stale.wait_for("at home on bravo")
            assert stale.wait() == StaleWriter.exit_status
    assert alpha.redis.xlen(keys.stream("ada")) == 26


def test_a_stream_is_not_trimmed_by_a_home_that_is_over(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    alpha.homes.take(alpha.settings())
    stream = alpha.homes.stream("ada")
    length = alpha.redis.xlen(keys.stream("ada"))
    assert stream.trim(Position(0, 1)) == 0
    bravo.homes.seize(bravo.settings(), alpha.homes.claims.of("ada"))
    with pytest.raises(StaleWriter, match="another home"):
        stream.trim(top(alpha.redis, "ada"))
    assert alpha.redis.xlen(keys.stream("ada")) == length


def test_a_home_that_finds_its_space_taken_by_force_marks_its_copy(alpha: Machine, bravo: Machine) -> None:
    lived(alpha)
    bravo.homes.seize(bravo.settings(), alpha.homes.claims.of("ada"))
    assert alpha.homes.clear_away("ada") is None
    alpha.redis.delete(keys.home("ada"))
    with pytest.raises(SpaceHeld, match="went from here to bravo"):
        alpha.homes.take(alpha.settings())


# ---- workers ---------------------------------------------------------------------------------------------------


def test_jobs_of_a_space_are_done_on_any_machine_before_and_after_a_move(
    alpha: Machine, bravo: Machine, via: Path, tmp_path: Path, redis_url: str
) -> None:
    with (
        start_cli("--data", tmp_path / "nowhere", "--redis", redis_url, "worker", "--queue", "extract"),
        Producer("ada", redis_url=redis_url) as producer,
    ):
        for number, (home, words) in enumerate([(alpha, "I live in Berlin."), (bravo, "I love yoga.")]):
            if number:
                alpha.run("home", "move", "ada", "--to", "bravo", "--via", via)
                bravo.run("home", "claim", "ada", "--via", via)
            with home.writer(space="ada"):
                producer.publish("user", words, f"s{number}", speaker="Ada")
                producer.close_session(f"s{number}")
                wait_until(lambda home=home, words=words: home.knows(words[7:-1]), 40)
    assert bravo.knows("Berlin")


def test_all_keys_of_a_space_are_in_one_slot_of_a_cluster() -> None:
    names = [of("ada") for of in (keys.stream, keys.progress, keys.troubles, keys.awaited, keys.home)]
    assert {key_slot(name.encode()) for name in [*names, keys.claim("ada", "job")]} == {key_slot(b"ada")}
