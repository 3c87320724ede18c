"""Fixtures of all tests: a real Redis server of this test process's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis as redis_py

from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import RedisNotFound
from mnemolog.workers.embedded import embedded_redis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, one for each process of the test run. Where there is none a laptop skips, CI fails."""
    try:
        with embedded_redis(tmp_path_factory.mktemp("server")) as url:
            yield url
    except RedisNotFound as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture
def redis(redis_url: str) -> Iterator[redis_py.Redis]:
    """A log client of a server that holds nothing."""
    with log_client(redis_url) as client:
        client.flushall()
        yield client
