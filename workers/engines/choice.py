"""Which engine there is: the rules without a model, a language model when one is named."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

import redis

from mnemolog.schema.model_settings import RULES, model_settings
from mnemolog.workers.engines.engine import Engine
from mnemolog.workers.engines.rules import RulesEngine


def engine_of(environ: Mapping[str, str], client: redis.Redis) -> Engine:
    """The engine that MNEMOLOG_MODEL names (default `rules`); `client` counts the tokens of a model.

    Raises InvalidInput for settings that cannot be used.
    """
    settings = model_settings(environ)
    if settings.model == RULES:
        return RulesEngine()
    # Loading `openai` takes a worker as long as all the rest: only who names a model waits for it.
    remote = import_module("mnemolog.workers.engines.model")
    return cast("Engine", remote.ModelEngine(settings, client))
