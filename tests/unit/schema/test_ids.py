"""Ids: minting, positions, space names, and what is derived."""

from __future__ import annotations

import threading
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.schema import ids, keys
from mnemolog.schema.errors import InvalidInput, InvalidSpaceName
from mnemolog.schema.ids import START, EventIds, Position, check_space, episode_id, imported_id, is_space

NOW_NS = 1_772_000_000_123_456_789

NAMES = ["a", "9", "default", "team.blue_2-x", "a" * 64]
NOT_NAMES = ["", ".a", "-a", "_a", "a..b", "a/b", "..", "a b", "a\n", "é", "a" * 65, "{a}", "a\x00"]


class Clock:
    """Stands in for the machine's clock."""

    def __init__(self) -> None:
        self.ns = NOW_NS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ids.time, "time_ns", clock)
    return clock


def test_a_minted_id_is_a_uuid_of_version_7_that_carries_the_milliseconds(clock: Clock) -> None:
    for _ in range(1_000):
        minted = UUID(EventIds().mint())
        assert (minted.version, minted.variant) == (7, "specified in RFC 4122")
        assert minted.int >> 80 == NOW_NS // 1_000_000


def test_ids_sort_as_they_were_minted_while_the_clock_stands_still(clock: Clock) -> None:
    source = EventIds()
    minted = [source.mint() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(minted))
    assert {UUID(id_).version for id_ in minted} == {7}


def test_ids_sort_as_they_were_minted_when_the_clock_is_set_back(clock: Clock) -> None:
    source = EventIds()
    before = source.mint()
    clock.ns -= 3_600_000_000_000
    during = source.mint()
    clock.ns += 7_200_000_000_000
    after = source.mint()
    assert before < during < after
    assert UUID(after).int >> 80 == clock.ns // 1_000_000


def test_ids_minted_by_many_threads_are_all_different(clock: Clock) -> None:
    source = EventIds()
    minted: list[list[str]] = [[] for _ in range(4)]

    def mint(mine: list[str]) -> None:
        mine.extend(source.mint() for _ in range(2_000))

    threads = [threading.Thread(target=mint, args=(mine,)) for mine in minted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id_ for mine in minted for id_ in mine}) == 8_000
    assert all(mine == sorted(mine) for mine in minted)


def test_a_forked_process_mints_other_ids_while_the_clock_stands_still(clock: Clock) -> None:
    source, fork = EventIds(), EventIds()
    source.mint()
    fork._ms, fork._counter = source._ms, source._counter  # what a fork inherits
    ours, theirs = ({one.mint() for _ in range(2_000)} for one in (source, fork))
    assert not ours & theirs


def test_two_processes_with_the_same_clock_mint_different_ids(clock: Clock) -> None:
    assert EventIds().mint() != EventIds().mint()


def test_positions_are_ordered_as_numbers_and_not_as_text() -> None:
    assert Position.parse("9-0") < Position.parse("10-0")
    assert Position.parse("1-9") < Position.parse("1-10")
    assert Position.parse("0-1") > START


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_position_reads_back_as_it_is_shown(ms: int, seq: int) -> None:
    position = Position(ms, seq)
    assert Position.parse(str(position)) == position
    assert Position.parse(str(position).encode()) == position


def test_a_position_without_a_counter_is_the_first_of_its_millisecond() -> None:
    assert Position.parse("17") == Position(17, 0)


@pytest.mark.parametrize(
    "text",
    ["", "-", "1-", "-1", "1-2-3", "a-1", "1-a", " 1-2", "1-2\n", "+1-2", "١-٢", b"\xff-1", "1.0-1", "9" * 5_000],
)
def test_text_that_is_no_position_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInput, match="is not a position"):
        Position.parse(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_space_may_be_named_so(name: str) -> None:
    assert check_space(name) == name


@pytest.mark.parametrize("name", NOT_NAMES)
def test_a_space_may_not_be_named_so_and_the_error_says_how(name: str) -> None:
    assert not is_space(name)
    with pytest.raises(InvalidSpaceName, match="1 to 64 letters") as caught:
        check_space(name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", NAMES)
def test_the_space_of_a_stream_key_is_found_again(name: str) -> None:
    assert keys.space_of(keys.stream(name).encode()) == name


@pytest.mark.parametrize(
    "key", [b"mnemolog:{a}:progress", b"mnemolog:{a/b}:events", b"mnemolog:{}:events", b"a", b"\xff", b"x{a}:events"]
)
def test_another_programs_key_is_no_space(key: bytes) -> None:
    assert keys.space_of(key) is None


def test_all_keys_of_a_space_lie_in_one_slot_of_a_cluster() -> None:
    assert keys.stream("a").split("{")[1].split("}")[0] == keys.progress("a").split("{")[1].split("}")[0] == "a"


def test_the_ids_of_nodes_stay_what_they_were() -> None:
    assert episode_id("m1") == "ep-8c65c237ac8dd7be4a03"
    assert imported_id(b"x") == "line-442a44457137672b3218c1007dc8f76a"


def test_different_events_become_different_nodes() -> None:
    names = [f"event {number}" for number in range(10_000)]
    assert len({episode_id(name) for name in names}) == len(names)


def test_randomness_is_drawn_anew_for_every_millisecond(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(ids.os, "urandom", lambda size: drawn.append(size) or bytes(size))
    source = EventIds()
    source.mint()
    clock.ns += 1_000_000
    source.mint()
    assert drawn == [10, 10]
