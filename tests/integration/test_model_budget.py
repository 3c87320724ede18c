"""The token budget and what is remembered of an endpoint, in a real Redis."""

from __future__ import annotations

import pytest
from support.work import message, window

from mnemolog.gateway.model_server import Fault, ModelServer
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import LogUnavailable
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.times import parse
from mnemolog.workers.engines import budget
from mnemolog.workers.engines.budget import Budget, OverBudget
from mnemolog.workers.engines.model import ModelEngine

NOON = parse("2026-03-09T12:00:00Z")
WORK = window(message("e1", "I work at Acme."))


def test_tokens_are_counted_for_each_space_and_day(redis):
    assert budget.spent(redis, "ada", "2026-03-09") == 0
    budget.add(redis, "ada", "2026-03-09", 40)
    assert budget.add(redis, "ada", "2026-03-09", 2) == 42
    assert budget.spent(redis, "ada", "2026-03-09") == 42
    assert budget.spent(redis, "ada", "2026-03-10") == budget.spent(redis, "ben", "2026-03-09") == 0
    assert 0 < redis.ttl(budget.key("ada", "2026-03-09")) <= 3 * 86_400


def test_work_waits_until_midnight_when_the_tokens_of_the_day_are_used_up(redis):
    held = Budget(redis, 100, lambda: NOON)
    held.add("ada", 99)
    held.check("ada")
    held.add("ada", 1)
    with pytest.raises(OverBudget, match="100 of 100 tokens on 2026-03-09") as raised:
        held.check("ada")
    assert (raised.value.retry_after_s, raised.value.calls) == (12 * 3600, 0)
    assert str(budget.waits(redis, "ada", 100, NOON)) == str(raised.value)
    held.check("ben")
    Budget(redis, 100, lambda: NOON + 86_400_000).check("ada")


def test_without_a_limit_nothing_waits_and_all_is_counted(redis):
    Budget(redis, None, lambda: NOON).add("ada", 10**9)
    assert budget.waits(redis, "ada", None, NOON) is None
    assert budget.spent(redis, "ada", "2026-03-09") == 10**9


def test_the_engine_counts_what_it_uses_and_asks_no_more_than_the_budget_allows(redis):
    with ModelServer() as server:
        engine = ModelEngine(ModelSettings(model="m", base_url=server.url, token_budget=1), redis)
        used = engine.extract(WORK).engine
        with pytest.raises(OverBudget):
            engine.extract(WORK)
        assert server.counters.requests["extract"] == 1
    counted = sum(int(redis.get(key)) for key in redis.scan_iter("mnemolog:{ada}:tokens:*"))
    assert counted == used.tokens_in + used.tokens_out


def test_a_reply_that_is_of_no_use_is_counted_too(redis):
    with ModelServer() as server:
        server.fault = Fault(fault="truncated")
        engine = ModelEngine(ModelSettings(model="m", base_url=server.url), redis)
        with pytest.raises(Exception, match="cut off"):
            engine.extract(WORK)
    assert len(list(redis.scan_iter("mnemolog:{ada}:tokens:*"))) == 1


def test_what_an_endpoint_refuses_is_remembered_for_other_processes(redis):
    with ModelServer() as server:
        server.fault = Fault(fault="no_structured_output")
        settings = ModelSettings(model="m", base_url=server.url)
        assert ModelEngine(settings, redis).extract(WORK).engine.calls == 2
        assert ModelEngine(settings, redis).extract(WORK).engine.calls == 1


def test_without_redis_the_budget_says_so():
    with log_client("redis://127.0.0.1:1") as nowhere, pytest.raises(LogUnavailable):
        budget.spent(nowhere, "ada", "2026-03-09")
