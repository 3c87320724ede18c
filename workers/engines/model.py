"""The engine that asks a language model: one call for a window, for all pairs of a job, or for a scene."""

from __future__ import annotations

import redis

from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, ResolveWork
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.outcomes import (
    MAX_CELLS,
    MAX_WISHES,
    CellsExtracted,
    ConflictsJudged,
    Engine,
    PairVerdict,
    SceneConsolidated,
)
from mnemolog.schema.summaries import bounded
from mnemolog.workers.engines import inputs, replies
from mnemolog.workers.engines.budget import Budget
from mnemolog.workers.engines.client import ChatMessage, ModelClient, Reply, ReplyForm
from mnemolog.workers.engines.offers import RedisMemory
from mnemolog.workers.engines.prompt import Prompt, Prompts
from mnemolog.workers.engines.proposals import read_proposals, read_wishes

NAME = "model"


class ModelEngine:
    """An Engine over any OpenAI-compatible endpoint.

    With `client`, tokens are counted in Redis and held against the budget of the settings, and what the endpoint
    offers is remembered for other processes. `prompts` take the place of the usual ones. Raises EngineError as Engine
    says, OverBudget among it.
    """

    def __init__(
        self, settings: ModelSettings, client: redis.Redis | None = None, prompts: Prompts | None = None
    ) -> None:
        self._settings = settings
        self._prompts = prompts or Prompts()
        self._model = ModelClient(
            settings,
            meter=None if client is None else Budget(client, settings.token_budget),
            memory=None if client is None else RedisMemory(client),
        )

    def extract(self, work: ExtractWork) -> CellsExtracted:
        """The cells of a window. Items of the reply that are no cells are refused; the others stand."""
        reply = self._ask(self._prompts.extract, "extract cells", inputs.of_extract(work), work.space)
        cells, refused = read_proposals(replies.items(reply, "cells", MAX_CELLS), work)
        wishes, refused_wishes = read_wishes(replies.items_if_any(reply, "forget", MAX_WISHES), work)
        outcome = CellsExtracted(
            job_key=work.job_key,
            generation=work.generation,
            engine=self._engine(self._prompts.extract, reply),
            raw=reply.text,
            cells=cells,
            forget=wishes,
            refused=refused + refused_wishes,
        )
        return replies.checked(outcome, reply)

    def resolve(self, work: ResolveWork) -> ConflictsJudged:
        """Verdicts on pairs of cells; a pair without one is compatible. What they name is for the fold to check."""
        reply = self._ask(self._prompts.resolve, "judge conflicts", inputs.of_resolve(work), work.space)
        verdicts, refused = replies.verdicts(replies.items(reply, "verdicts", replies.MAX_VERDICTS))
        outcome = ConflictsJudged(
            job_key=work.job_key,
            generation=work.generation,
            engine=self._engine(self._prompts.resolve, reply),
            raw=reply.text,
            verdicts=verdicts + _left_out(work, verdicts),
            refused=refused,
            candidates=len(work.pairs),
        )
        return replies.checked(outcome, reply)

    def consolidate(self, work: ConsolidateWork) -> SceneConsolidated:
        """The summary of a scene, under 100 words. One cell is its own summary and needs no call."""
        if len(work.cells) == 1:
            reply = Reply(text="")
            summary = bounded(work.cells[0].content)
        else:
            reply = self._ask(self._prompts.consolidate, "sum up a scene", inputs.of_consolidate(work), work.space)
            summary = replies.summary(reply)
        outcome = SceneConsolidated(
            job_key=work.job_key,
            generation=work.generation,
            engine=self._engine(self._prompts.consolidate, reply),
            raw=reply.text,
            scene=work.scene,
            summary=summary,
            cells=tuple(cell.node_id for cell in work.cells),
            seen=work.seen,
        )
        return replies.checked(outcome, reply)

    def _ask(self, prompt: Prompt, what: str, document: str, space: str) -> Reply:
        messages = (ChatMessage("system", prompt.instructions), ChatMessage("user", document))
        return self._model.ask(
            messages, space=space, what=what, form=ReplyForm(prompt.version.partition(".")[0], prompt.schema)
        )

    def _engine(self, prompt: Prompt, reply: Reply) -> Engine:
        return Engine(
            name=NAME,
            model=self._settings.model,
            prompt_version=prompt.version,
            calls=reply.calls,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            cost_usd=self._settings.cost_usd(reply.tokens_in, reply.tokens_out),
            took_ms=reply.took_ms,
        )


def _left_out(work: ResolveWork, verdicts: tuple[PairVerdict, ...]) -> tuple[PairVerdict, ...]:
    """Of a job that is done again, the pairs of which nothing was said: an earlier verdict on them is taken back."""
    if work.generation == 1:
        return ()
    judged = {frozenset((verdict.first, verdict.second)) for verdict in verdicts}
    return tuple(PairVerdict(*pair, "compatible", "unrelated") for pair in work.pairs if frozenset(pair) not in judged)
