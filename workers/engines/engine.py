"""What an engine does. All engines are pure in this: what they are given is all that they know."""

from __future__ import annotations

from typing import Protocol

from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, ResolveWork
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, SceneConsolidated


class Engine(Protocol):
    """Turns work into outcomes.

    Raises EngineError, with the raw reply where there is one, for what may pass when it is tried again.
    """

    def extract(self, work: ExtractWork) -> CellsExtracted:
        """The cells of a window."""
        ...

    def resolve(self, work: ResolveWork) -> ConflictsJudged:
        """Verdicts on pairs of cells; a pair without a verdict is compatible."""
        ...

    def consolidate(self, work: ConsolidateWork) -> SceneConsolidated:
        """The summary of a scene, under 100 words."""
        ...
