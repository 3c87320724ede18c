"""The spool on disk: bounded, in order, whole after a crash, and for its owner alone."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import start_python

from mnemolog.producers import spool as spooling
from mnemolog.producers.spool import Spool, Waiting
from mnemolog.schema.errors import DamagedFile, InvalidInput, InvalidSpaceName, LogUnavailable, SpoolFull

#: Adds numbered events as fast as it can, and says after each that it is kept.
APPENDER = """
import sys
from pathlib import Path
from mnemolog.producers.spool import Spool
spool = Spool(Path(sys.argv[1]), "home")
for number in range(100_000):
    spool.append([b'{"number":%d}' % number])
    print(number, flush=True)
"""


class Taker:
    """Takes what is drained, until it has had `most` events."""

    def __init__(self, most: int = 10**9) -> None:
        self.taken: list[bytes] = []
        self._most = most

    def __call__(self, bodies: Sequence[bytes]) -> None:
        if len(self.taken) + len(bodies) > self._most:
            raise LogUnavailable("not now")
        self.taken += bodies


def numbered(first: int, last: int) -> list[bytes]:
    return [b'{"number":%d}' % number for number in range(first, last)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", "home")


def test_what_is_kept_is_drained_in_order_and_once(spool: Spool) -> None:
    assert spool.is_empty()
    spool.append(numbered(0, 3))
    spool.append(numbered(3, 4))
    assert not spool.is_empty()
    assert spool.waiting() == Waiting(4, spool.path.stat().st_size - 32, spooling.DEFAULT_SPOOL_BYTES)
    taker = Taker()
    assert spool.drain(taker) == 4
    assert taker.taken == numbered(0, 4)
    assert spool.is_empty()
    assert spool.drain(taker) == 0


def test_a_long_spool_is_drained_in_chunks_and_goes_on_where_it_was_interrupted(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "CHUNK_EVENTS", 7)
    spool.append(numbered(0, 100))
    taker = Taker(50)
    with pytest.raises(LogUnavailable):
        spool.drain(taker)
    assert taker.taken == numbered(0, 49)
    again = Taker()
    assert spool.drain(again) == 51
    assert again.taken == numbered(49, 100)


def test_a_line_longer_than_a_chunk_is_drained(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "CHUNK_BYTES", 100)
    bodies = [b"a" * 3_000_000, b"b", b"c" * 3_000_000]
    spool.append(bodies)
    taker = Taker()
    spool.drain(taker)
    assert taker.taken == bodies


def test_what_is_kept_while_draining_goes_behind(spool: Spool) -> None:
    spool.append(numbered(0, 2))
    taken: list[bytes] = []

    def send(bodies: Sequence[bytes]) -> None:
        if not taken:
            spool.append(numbered(2, 4))
        taken.extend(bodies)

    assert spool.drain(send) == 4
    assert taken == numbered(0, 4)


def test_the_room_of_what_was_drained_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "CHUNK_EVENTS", 1)
    spool = Spool(tmp_path / "spool", "home", most_bytes=250)
    added, taken = 0, []
    for _ in range(200):
        try:
            while True:
                spool.append(numbered(added, added + 1))
                added += 1
        except SpoolFull:
            taker = Taker(3)
            with pytest.raises(LogUnavailable):
                spool.drain(taker)
            taken += taker.taken
            assert spool.path.stat().st_size < 2 * 250 + 64
    last = Taker()
    spool.drain(last)
    assert taken + last.taken == numbered(0, added)
    assert added > 600


def test_a_full_spool_refuses_all_of_what_it_has_no_room_for(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "home", most_bytes=60)
    spool.append([b"x" * 20])
    with pytest.raises(SpoolFull, match="has 30 of 60 bytes and no room for 60 more"):
        spool.append([b"y" * 20, b"z" * 20])
    taker = Taker()
    spool.drain(taker)
    assert taker.taken == [b"x" * 20]


def test_a_torn_last_line_is_dropped_and_nothing_of_the_next_one(spool: Spool) -> None:
    spool.append(numbered(0, 10))
    whole = spool.path.read_bytes()
    for cut in range(len(whole) - 1, 0, -1):
        spool.path.write_bytes(whole[:cut])
        spool.append([b"after"])
        taker = Taker()
        spool.drain(taker)
        kept = whole[:cut].count(b"\n") - 1
        assert taker.taken == [*numbered(0, max(0, kept)), b"after"]
        assert spool.is_empty()
    assert not spool.damaged.exists()


def test_a_torn_first_line_alone_leaves_an_empty_spool(spool: Spool) -> None:
    spool.append(numbered(0, 1))
    spool.path.write_bytes(spool.path.read_bytes()[:-3])
    assert spool.drain(Taker()) == 0
    assert spool.is_empty()


@pytest.mark.parametrize("at", range(0, 44, 4))
def test_a_flipped_bit_costs_no_other_event_and_the_line_is_set_aside(
    spool: Spool, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(numbered(0, 1))
    begin = spool.path.stat().st_size
    spool.append(numbered(1, 2))
    spool.append(numbered(2, 4))
    content = bytearray(spool.path.read_bytes())
    place = begin + at % 23
    content[place] ^= 1
    spool.path.write_bytes(content)
    taker = Taker()
    spool.drain(taker)
    assert [body for body in taker.taken if body in numbered(0, 4)] == [numbered(0, 1)[0], *numbered(2, 4)]
    assert len(taker.taken) == 3
    assert "is damaged" in caplog.text
    assert stat.S_IMODE(spool.damaged.stat().st_mode) == 0o600


def test_a_file_that_is_no_spool_is_named_and_left_alone(spool: Spool) -> None:
    spool.path.write_bytes(b"the diary of somebody else, of more than thirty-two bytes\n")
    for use in (lambda: spool.append([b"x"]), spool.waiting, lambda: spool.drain(Taker())):
        with pytest.raises(DamagedFile, match=r"home\.spool is not a spool"):
            use()
    assert spool.path.read_bytes().startswith(b"the diary")


def test_a_place_of_draining_that_cannot_be_right_sends_all_again(spool: Spool) -> None:
    spool.append(numbered(0, 3))
    content = spool.path.read_bytes()
    spool.path.write_bytes(content[:17] + b"%014d\n" % 10**9 + content[32:])
    taker = Taker()
    spool.drain(taker)
    assert taker.taken == numbered(0, 3)


def test_a_disk_that_is_full_leaves_the_spool_as_it_was(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(numbered(0, 1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(LogUnavailable, match="cannot be written: No space left on device"):
            spool.append(numbered(1, 2))
    spool.append(numbered(2, 3))
    taker = Taker()
    spool.drain(taker)
    assert taker.taken == [*numbered(0, 1), *numbered(2, 3)]


def test_what_is_discarded_is_in_no_file_and_the_rest_stays_in_order(spool: Spool) -> None:
    spool.append([b"one", b"secret", b"two", b"secret too", b"three"])
    spool.damaged.write_bytes(b"12345678 a secret that was damaged\n")
    assert spool.discard(lambda body: b"secret" in body) == 2
    assert [path for path in spool.path.parent.iterdir() if b"secret" in path.read_bytes()] == []
    assert spool.discard(lambda body: b"secret" in body) == 0
    spool.append([b"four"])
    taker = Taker()
    spool.drain(taker)
    assert taker.taken == [b"one", b"two", b"three", b"four"]


def test_when_all_is_discarded_nothing_waits(spool: Spool) -> None:
    spool.append([b"one", b"two"])
    assert spool.discard(lambda _: True) == 2
    assert spool.is_empty()
    assert spool.discard(lambda _: True) == 0


def test_only_one_drains_at_a_time(spool: Spool) -> None:
    spool.append(numbered(0, 1))
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Sequence[bytes]) -> None:
        begun.set()
        assert go_on.wait(10)

    thread = threading.Thread(target=spool.drain, args=(slow,))
    thread.start()
    assert begun.wait(10)
    assert Spool(spool.path.parent, "home").drain(Taker()) is None
    go_on.set()
    assert Spool(spool.path.parent, "home").drain(Taker(), wait=True) == 0
    thread.join()


def test_many_threads_keep_what_each_of_them_adds_in_its_order(spool: Spool) -> None:
    def add(name: int) -> None:
        for number in range(25):
            Spool(spool.path.parent, "home").append([b"%d-%d" % (name, number)])

    threads = [threading.Thread(target=add, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taker = Taker()
    assert spool.drain(taker) == 100
    for name in range(4):
        mine = [body for body in taker.taken if body.startswith(b"%d-" % name)]
        assert mine == [b"%d-%d" % (name, number) for number in range(25)]


def test_what_was_kept_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    for round_number in range(3):
        folder = tmp_path / str(round_number)
        with start_python(APPENDER, folder) as process:
            process.wait_for(f"\n{20 * (round_number + 1)}\n")
            process.kill()
            acknowledged = process.output.count("\n")
        taker = Taker()
        Spool(folder, "home").drain(taker)
        assert taker.taken[:acknowledged] == numbered(0, acknowledged)
        assert len(taker.taken) <= acknowledged + 1


def test_a_spool_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = Spool(tmp_path / "deep" / "spool", "home")
        spool.append(numbered(0, 2))
        spool.drain(Taker())
    finally:
        os.umask(before)
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700
    files = sorted(path.name for path in spool.path.parent.iterdir())
    assert files == ["home.draining", "home.lock", "home.spool"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.path.parent.iterdir()} == {0o600}


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(InvalidInput, match="chmod 700"):
        Spool(tmp_path / "open", "home")


def test_a_link_in_the_place_of_a_spool_is_not_followed(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"")
    spool.path.symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic link"):
        spool.append([b"x"])
    assert (tmp_path / "theirs").read_bytes() == b""


@pytest.mark.parametrize("name", ["../x", "", "a/b", "a\x00"])
def test_a_spool_has_the_name_of_a_space(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSpaceName):
        Spool(tmp_path, name)


def test_a_spool_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1 byte or more"):
        Spool(tmp_path, "home", 0)
