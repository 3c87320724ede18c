"""Outcomes: the one event that a worker appends for a job, with all that it concluded and what that cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from mnemolog.schema.cells import MAX_ENTITIES, Cell, EntityKind, Name, Quote, Ruling, Sentence
from mnemolog.schema.events import Payload

MAX_RAW_CHARS = 1_000_000
MAX_CELLS = 200
MAX_WISHES = 20
MAX_REFUSED = 500
#: More than the pairs that the payload of a job has room for.
MAX_VERDICTS = 20_000
MAX_CITED = 1_000

JobKind = Literal["extract", "resolve", "consolidate"]
JobKey = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Generation = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Raw = Annotated[str, msgspec.Meta(max_length=MAX_RAW_CHARS)]
Label = Annotated[str, msgspec.Meta(max_length=500)]
#: Items of a reply that were none: (a stable word, what was wrong).
Refusals = Annotated[
    tuple[tuple[Annotated[str, msgspec.Meta(max_length=100)], Annotated[str, msgspec.Meta(max_length=2_000)]], ...],
    msgspec.Meta(max_length=MAX_REFUSED),
]


class Engine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who concluded it and what it cost: tokens as the model's server counted them, cost in US dollars."""

    name: Label
    model: Label = ""
    prompt_version: Label = ""
    calls: Count = 0
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: float = 0.0
    took_ms: Count = 0


class Outcome(Payload, frozen=True, kw_only=True):
    """What all outcomes share. `raw` is the engine's reply as it came, `job_key` and `generation` name the job."""

    job_key: JobKey
    generation: Generation
    engine: Engine
    raw: Raw = ""


class EntityKey(msgspec.Struct, frozen=True, array_like=True):
    """An entity that a cell mentions, under the key that the worker normalised its name to."""

    key: Name
    name: Name
    kind: EntityKind


class ExtractedCell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cell with the keys that the worker normalised: its scene is one already; `entities` are keyed."""

    cell: Cell
    entities: Annotated[tuple[EntityKey, ...], msgspec.Meta(max_length=MAX_ENTITIES)] = ()


class ForgetWish(msgspec.Struct, frozen=True, kw_only=True):
    """That `subject` asked in talk to have something forgotten: `words` say what, the message `event_id` asks it."""

    event_id: Name
    quote: Quote
    words: Sentence
    subject: Name


class CellsExtracted(Outcome, frozen=True, kw_only=True):
    """What an engine found in a window. `refused` are items of the reply that were no cells, with the reason.

    What somebody asked to have forgotten is done when a person confirms it (`forget`).
    """

    TYPE: ClassVar[str] = "cells_extracted"

    cells: Annotated[tuple[ExtractedCell, ...], msgspec.Meta(max_length=MAX_CELLS)] = ()
    forget: Annotated[tuple[ForgetWish, ...], msgspec.Meta(max_length=MAX_WISHES)] = ()
    refused: Refusals = ()
    unknown_language: Count = 0


class PairVerdict(msgspec.Struct, frozen=True, array_like=True):
    """A verdict on two cells by node id; which of them is the heir follows from their times. `kind` is one word."""

    first: Name
    second: Name
    ruling: Ruling
    kind: Annotated[str, msgspec.Meta(max_length=40)] = ""


class ConflictsJudged(Outcome, frozen=True, kw_only=True):
    """What an engine says of the cells of an extraction and their candidates; `candidates` is how many pairs it saw."""

    TYPE: ClassVar[str] = "conflicts_judged"

    verdicts: Annotated[tuple[PairVerdict, ...], msgspec.Meta(max_length=MAX_VERDICTS)] = ()
    refused: Refusals = ()
    candidates: Count = 0


class SceneConsolidated(Outcome, frozen=True, kw_only=True):
    """A scene's summary, made from `cells`; `seen` is the hash of all live cells that the scene had then."""

    TYPE: ClassVar[str] = "scene_consolidated"

    scene: Name
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    cells: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_CITED)]
    seen: Annotated[str, msgspec.Meta(max_length=100)]


class JobFailed(Outcome, frozen=True, kw_only=True):
    """A job that was given up after its attempts. It can be requeued, and a late outcome still counts."""

    TYPE: ClassVar[str] = "job_failed"

    reason: Annotated[str, msgspec.Meta(max_length=2_000)]
    attempts: Count


OUTCOMES: tuple[type[Outcome], ...] = (CellsExtracted, ConflictsJudged, SceneConsolidated, JobFailed)
