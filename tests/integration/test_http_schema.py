"""Requests made of the OpenAPI document, good and bad ones: no server error, and every answer as it is described."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from support.http_api import LOCKED, Served, made, memories_in, writing
from support.stories import settings_in

from mnemolog.gateway.http.openapi import WAIT_HEADER, document
from mnemolog.gateway.http.table import OPERATIONS
from mnemolog.gateway.memory import Memories
from mnemolog.gateway.memory.publishing import Interaction

#: Of each operation; a nightly run sets more.
EXAMPLES = int(os.environ.get("MNEMOLOG_SCHEMA_EXAMPLES", "12"))
CHECKS: list[Any] = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance),
    *(unsupported_method, negative_data_rejection),
]
DOCUMENT = document([one for one in OPERATIONS if not one.streamed])
# Every request is sent with a token: without one nothing but the token is looked at.
POSITION = re.compile("[0-9]+-[0-9]+")
SCHEMA = schemathesis.openapi.from_dict({name: part for name, part in DOCUMENT.items() if name != "security"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a server of a space that holds a fact and a message, and has a writer; and the headers for it."""
    data: Path = tmp_path_factory.mktemp("schema")
    with redis_py.Redis.from_url(redis_url) as client:
        client.flushall()
        with writing(client, settings_in(data, "ada")), Served(memories_in(data, redis_url), LOCKED) as server:
            with memories_in(data, redis_url) as memories:
                tell(memories)
            yield server.url, {"Authorization": f"Bearer {made(data, 'all', 'admin', ['ada'])}"}


def tell(memories: Memories) -> None:
    with memories.using("ada") as memory:
        memory.publish(Interaction(role="user", content="I live in Lisbon.", session="monday", speaker="Ada"))
        assert memory.remember("I work at Acme.", speaker="Ada").folded


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: schemathesis.Case, server: tuple[str, dict[str, str]]) -> None:
    if "space" in case.path_parameters:
        case.path_parameters["space"] = "ada"
    # Positions of the future are answered with 504, which is meant, after a while.
    for given, name in ((case.headers, WAIT_HEADER), (case.query, "wait")):
        if POSITION.fullmatch(str(given.get(name))):
            given.pop(name)
    url, headers = server
    case.call_and_validate(base_url=url, checks=CHECKS, headers=headers, timeout=20)
