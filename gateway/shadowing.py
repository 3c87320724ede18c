"""Making a shadow from one process: its plan and its estimate, its engine, and the work until it is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import redis

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes.embedder import Embedder, WordLlamaEmbedder
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.model_settings import RULES, ModelSettings
from mnemolog.schema.settings import Settings
from mnemolog.workers.engines.engine import Engine
from mnemolog.workers.engines.model import ModelEngine
from mnemolog.workers.engines.prompt import Prompts, prompts_in
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.shadows import shadow
from mnemolog.workers.shadows.estimate import Estimate, estimate
from mnemolog.workers.shadows.shadow import Plan, Report
from mnemolog.workers.shadows.work import Progress, Worker, report


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow that somebody wants: by which model (`rules` for none), with whose prompts, of how many messages."""

    model: str
    prompts: Path | None = None
    last: int | None = None


def make(
    settings: Settings,
    models: ModelSettings,
    embedder: Embedder,
    client: redis.Redis,
    wish: Wish,
    *,
    confirm: Callable[[Estimate], bool],
    progress: Progress,
) -> Report:
    """Makes a shadow, or goes on with the one that was begun so. `confirm` is asked before the engine is.

    Raises InvalidInput when it is not confirmed, another shadow is there or nothing can be extracted again; OverBudget
    and EngineError when the engine stops: what was done is kept.
    """
    prompts = _prompts(wish)
    by_model = wish.model != RULES
    models = msgspec.structs.replace(models, model=wish.model)
    plan = _begun(settings, wish, prompts) or _begin(settings, models if by_model else None, wish, prompts, confirm)
    before = shadow.before_of(settings)
    engine: Engine = ModelEngine(models, client, prompts) if by_model else RulesEngine()
    with shadow.opened(settings, plan, embedder, lambda _: None) as opened:
        Worker(settings, opened, plan, before, engine, Vectors(WordLlamaEmbedder()), progress).run()
        found = report(settings, opened, plan, before)
    shadow.finish(settings, found)
    return found


def _prompts(wish: Wish) -> Prompts:
    if wish.prompts is None:
        return Prompts()
    if wish.model == RULES:
        raise InvalidInput("the rules read no prompts: name a model with --model")
    return prompts_in(wish.prompts)


def _versions(wish: Wish, prompts: Prompts) -> tuple[str, ...]:
    return () if wish.model == RULES else prompts.versions


def _begun(settings: Settings, wish: Wish, prompts: Prompts) -> Plan | None:
    """The plan to go on with; None where no shadow is there."""
    plan = shadow.plan_of(settings)
    if plan is None:
        return None
    same = (plan.model, plan.prompts, plan.last) == (wish.model, _versions(wish, prompts), wish.last)
    if not same or shadow.report_of(settings) is not None:
        raise InvalidInput(
            f"there is a shadow by {plan.model} already: mnemolog shadow show, then shadow promote or shadow drop"
        )
    return plan


def _begin(
    settings: Settings,
    models: ModelSettings | None,
    wish: Wish,
    prompts: Prompts,
    confirm: Callable[[Estimate], bool],
) -> Plan:
    plan, before = shadow.planned(settings, wish.model, _versions(wish, prompts), wish.last)
    with closing(open_reader(settings.file)) as connection:
        about = estimate(connection, plan, models, prompts)
    if not confirm(about):
        raise InvalidInput("no shadow was made: it takes --yes, or a yes")
    shadow.begin(settings, plan, before)
    return plan
