"""What an append is made of, and when it has to wait for the server's disk."""

from __future__ import annotations

import pytest
import redis

from mnemolog.producers.appending import appendfsync_of, asks_to_wait, commands, ids_in, version_of
from mnemolog.schema.errors import LogUnavailable

ONE = b"1"
TWO = b"2"


def test_one_event_is_one_command() -> None:
    assert [command[0] for command in commands("k", [ONE], synced=False)] == ["XADD"]


def test_several_events_are_appended_together_or_not_at_all() -> None:
    assert [command[0] for command in commands("k", [ONE, TWO], synced=False)] == ["MULTI", "XADD", "XADD", "EXEC"]


def test_a_synced_append_ends_with_a_wait_on_the_same_connection() -> None:
    assert [command[0] for command in commands("k", [ONE], synced=True)] == ["XADD", "WAITAOF"]


@pytest.mark.parametrize(
    ("replies", "count", "synced", "ids"),
    [
        ([b"1-0"], 1, False, [b"1-0"]),
        ([None], 1, False, [None]),
        ([b"OK", b"QUEUED", b"QUEUED", [b"1-0", b"1-1"]], 2, False, [b"1-0", b"1-1"]),
        ([b"1-0", [1, 0]], 1, True, [b"1-0"]),
        ([b"OK", b"QUEUED", b"QUEUED", [b"1-0", b"1-1"], [1, 0]], 2, True, [b"1-0", b"1-1"]),
    ],
)
def test_the_ids_are_read_from_the_replies(replies: list, count: int, synced: bool, ids: list) -> None:
    assert ids_in(replies, count, synced=synced) == ids


def test_the_first_error_is_told() -> None:
    full = redis.OutOfMemoryError("full")
    with pytest.raises(redis.OutOfMemoryError):
        ids_in([b"OK", b"QUEUED", full, redis.ResponseError("EXECABORT")], 2, synced=False)


def test_an_append_that_is_not_on_the_disk_in_time_is_not_taken_for_done() -> None:
    with pytest.raises(LogUnavailable, match="same ids is safe"):
        ids_in([b"1-0", [0, 0]], 1, synced=True)


@pytest.mark.parametrize(("appendfsync", "version", "waits"), [("always", (6, 2), False), ("everysec", (7, 2), True)])
def test_a_server_that_does_not_sync_always_is_waited_for(
    appendfsync: str, version: tuple[int, int], waits: bool
) -> None:
    assert asks_to_wait(appendfsync, version) is waits


def test_a_server_that_can_neither_sync_always_nor_wait_is_refused_with_what_to_do() -> None:
    with pytest.raises(redis.ResponseError, match="CONFIG SET appendfsync always"):
        asks_to_wait("everysec", (7, 0))


def test_what_the_server_says_of_itself_is_read() -> None:
    assert appendfsync_of({b"appendfsync": b"always"}) == "always"
    assert version_of({"redis_version": "7.2.4", "valkey_version": "8.1.0"}) == (8, 1)
    assert version_of({"redis_version": "6.2.14"}) == (6, 2)
