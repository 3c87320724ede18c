"""Resolve jobs that are judged together: one question to an engine, and an outcome of its own for each job."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mnemolog.schema.jobs import AnyWork, ResolveWork
from mnemolog.schema.outcomes import ConflictsJudged, Engine, PairVerdict


def names_of(work: AnyWork) -> list[tuple[str, int]]:
    """The keys and generations of the jobs that a work is for; the one that it is named after comes first."""
    shares = work.shares if isinstance(work, ResolveWork) else ()
    return [(work.job_key, work.generation), *((share.job_key, share.generation) for share in shares)]


def divided(work: ResolveWork, outcome: ConflictsJudged) -> list[ConflictsJudged]:
    """What was concluded, for each job its own pairs; what it cost, and what was not asked, is told of the first."""
    owner = {_unordered(pair): place for place, share in enumerate(work.shares, 1) for pair in share.pairs}
    found: list[list[PairVerdict]] = [[] for _ in range(len(work.shares) + 1)]
    for verdict in outcome.verdicts:
        found[owner.get(_unordered((verdict.first, verdict.second)), 0)].append(verdict)
    first = msgspec.structs.replace(
        outcome, verdicts=tuple(found[0]), candidates=len(work.pairs) - sum(len(share.pairs) for share in work.shares)
    )
    rest = [
        ConflictsJudged(
            job_key=share.job_key,
            generation=share.generation,
            engine=_free(outcome.engine),
            verdicts=tuple(verdicts),
            candidates=len(share.pairs),
        )
        for share, verdicts in zip(work.shares, found[1:], strict=True)
    ]
    return [first, *rest]


def _free(engine: Engine) -> Engine:
    return Engine(name=engine.name, model=engine.model, prompt_version=engine.prompt_version)


def _unordered(pair: Iterable[str]) -> frozenset[str]:
    return frozenset(pair)
