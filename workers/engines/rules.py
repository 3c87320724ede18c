"""The rule engine as an engine: work in, outcomes out, without a model. The same work gives the same outcome."""

from __future__ import annotations

from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Candidate, Cell, Evidence
from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, JobMessage, ResolveWork
from mnemolog.schema.model_settings import RULES
from mnemolog.schema.outcomes import (
    MAX_CELLS,
    MAX_WISHES,
    CellsExtracted,
    ConflictsJudged,
    Engine,
    ForgetWish,
    PairVerdict,
    SceneConsolidated,
)
from mnemolog.schema.summaries import bounded
from mnemolog.workers import rules
from mnemolog.workers.engines.entities import keyed
from mnemolog.workers.fold.validity import CORRECTION

#: Grows when the same work would give another outcome.
VERSION = "2"

ENGINE = Engine(name=RULES, prompt_version=VERSION)
#: What the judge calls a verdict which the fold knows by another name.
_KINDS = {"corrected": CORRECTION}


class RulesEngine:
    """See mnemolog.workers.engines.engine.Engine."""

    def extract(self, work: ExtractWork) -> CellsExtracted:
        """The cells of a window, and what somebody asked to have forgotten in passing."""
        people = {fact.cell.subject for fact in work.facts}
        people |= {name.name for fact in work.facts for name in fact.cell.entities if name.kind == "person"}
        context = rules.Context(
            scenes=work.scenes, facts=tuple(fact.cell for fact in work.facts), people=tuple(sorted(people))
        )
        found = rules.extract([_message(message) for message in work.messages], context)
        return CellsExtracted(
            job_key=work.job_key,
            generation=work.generation,
            engine=ENGINE,
            cells=tuple(keyed(cell) for cell in found.cells[:MAX_CELLS]),
            forget=tuple(map(_wish, found.forget[:MAX_WISHES])),
            unknown_language=found.unknown_language,
        )

    def resolve(self, work: ResolveWork) -> ConflictsJudged:
        """Verdicts on the pairs between which there is something; the others are compatible."""
        cells = {cell.id: cell for cell in work.cells}
        verdicts = [_judged(cells[first], cells[second]) for first, second in work.pairs]
        return ConflictsJudged(
            job_key=work.job_key,
            generation=work.generation,
            engine=ENGINE,
            # A job that is done again may take back what was said before: then all verdicts are told.
            verdicts=tuple(v for v in verdicts if v.ruling != "compatible" or work.generation > 1),
            candidates=len(verdicts),
        )

    def consolidate(self, work: ConsolidateWork) -> SceneConsolidated:
        """A summary made of the most salient cells' own sentences."""
        told = [_sentence(cell.content, work.scene, cell.salience, cell.valid_from) for cell in work.cells]
        summary = bounded(rules.summarise(told))
        return SceneConsolidated(
            job_key=work.job_key,
            generation=work.generation,
            engine=ENGINE,
            scene=work.scene,
            summary=summary,
            cells=tuple(cell.node_id for cell in work.cells if " ".join(cell.content.split()) in summary),
            seen=work.seen,
        )


def _message(message: JobMessage) -> rules.Message:
    return rules.Message(
        event_id=message.event_id,
        role=message.role,
        content=message.content,
        occurred_at=message.occurred_at,
        speaker=message.speaker,
        utc_offset_min=message.utc_offset_min,
        session=message.session,
        read=message.read,
    )


def _wish(request: rules.ForgetRequest) -> ForgetWish:
    return ForgetWish(
        event_id=request.evidence.event_id,
        quote=request.evidence.quote,
        words=request.what[:MAX_SENTENCE_CHARS],
        subject=request.subject,
    )


def _judged(first: Candidate, second: Candidate) -> PairVerdict:
    verdict = rules.judge(first, [second])[0]
    return PairVerdict(first.id, second.id, verdict.ruling, _KINDS.get(verdict.kind, verdict.kind))


def _sentence(content: str, scene: str, salience: float, valid_from: int) -> Cell:
    """As much of a cell as a summary is made from."""
    return Cell(
        content=content,
        cell_type="fact",
        subject=scene,
        evidence=(Evidence(scene, content),),
        scene=scene,
        salience=salience,
        holds_from=valid_from,
    )
