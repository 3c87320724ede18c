"""What is made of Redis URLs and of Redis errors."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import NoPermissionError

from mnemolog.schema.endpoint import (
    MAX_BLOCK_MS,
    SOCKET_TIMEOUT_S,
    async_log_client,
    find_embedded,
    log_client,
    translate,
    without_password,
)
from mnemolog.schema.errors import InvalidInput, LogFull, LogRefused, LogUnavailable, MnemologError

BAD_URLS = [
    "http://host",
    "redis://:se/cret@host:6379",
    "redis://host:99999999",
    "redis://[",
    "redis://h?decode_responses=1",
]


@pytest.mark.parametrize("make", [log_client, async_log_client])
@pytest.mark.parametrize("url", ["redis://user:pw@host:1/2", "rediss://host", "unix:///tmp/x.sock?db=2"])
def test_the_clients_never_repeat_a_command_and_wait_longer_than_a_command_may_block(make, url: str) -> None:
    client = make(url)
    assert client.get_retry().get_retries() == 0
    connection = client.connection_pool.make_connection()
    assert connection.retry.get_retries() == 0
    assert connection.socket_timeout == SOCKET_TIMEOUT_S
    assert SOCKET_TIMEOUT_S * 1000 >= 2 * MAX_BLOCK_MS
    assert not connection.encoder.decode_responses


@pytest.mark.parametrize("make", [log_client, async_log_client])
@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_cannot_be_used_is_refused_without_showing_its_password(make, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(url)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:p%40w@host:6379/0", "redis://user:***@host:6379/0"),
        ("rediss://:pw@host", "rediss://:***@host"),
        ("redis://:p@w@host", "redis://:***@host"),
        ("unix:///x.sock?password=pw&db=1", "unix:///x.sock?password=***&db=1"),
        ("redis://user@host:6379/0", "redis://user@host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_people_see_urls_without_passwords(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            redis.ConnectionError("Error 111 connecting to h:1. Connection refused."),
            LogUnavailable,
            "Connection refused",
        ),
        (redis.TimeoutError("Timeout reading from h:1"), LogUnavailable, "not known"),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), LogUnavailable, "loading"),
        (redis.ResponseError("CLUSTERDOWN The cluster is down"), LogUnavailable, "CLUSTERDOWN"),
        (redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), LogFull, "raise maxmemory"),
        (redis.AuthenticationError("invalid username-password pair"), LogRefused, "password in the Redis URL"),
        (redis.ResponseError("WRONGPASS invalid username-password pair"), LogRefused, "password in the Redis URL"),
        (NoPermissionError("this user has no permissions to run the 'xadd' command"), LogRefused, "ACL SETUSER"),
        (redis.ReadOnlyError("You can't write against a read only replica."), LogRefused, "primary"),
        (redis.ResponseError("WRONGTYPE Operation against a key"), LogRefused, "another space"),
        (redis.ResponseError("MISCONF Errors writing to the AOF file: No space left"), LogFull, "free some"),
        (redis.ResponseError("ERR unknown command 'XSETID'"), LogRefused, "unknown command"),
    ],
)
def test_an_error_says_what_failed_and_what_to_do(
    error: redis.RedisError, kind: type[MnemologError], said: str
) -> None:
    ours = translate(error, "publish to space 'home'")
    assert type(ours) is kind
    assert str(ours).startswith("cannot publish to space 'home': ")
    assert said in str(ours)


def test_an_error_of_a_pipeline_does_not_show_what_was_published() -> None:
    error = redis.ResponseError(
        "Command # 1 (XADD key * e my secret) of pipeline caused error: WRONGTYPE Operation against"
    )
    ours = translate(error, "publish")
    assert "secret" not in str(ours)
    assert "another space" in str(ours)


def test_a_password_that_redis_repeats_is_not_shown() -> None:
    error = redis.ConnectionError("Error connecting to redis://user:secret@host:1")
    assert "secret" not in str(translate(error, "publish"))


def test_a_record_that_cannot_be_read_is_no_server(tmp_path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "server.json").write_text('{"socket": 1}')
    assert find_embedded(tmp_path) is None
