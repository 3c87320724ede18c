"""Cells: the compact units that an engine extracts from messages, and the verdicts on pairs of them.

Both engines make the same struct. A language model's JSON reply decodes into it with `msgspec.json.decode`, which
refuses what the constraints here forbid and passes over fields that it does not know.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mnemolog.schema.ids import MAX_ID_CHARS
from mnemolog.schema.times import MAX_MS, MIN_MS

MAX_SENTENCE_CHARS = 1_000
#: The shortest quote that is evidence, unless it is the whole message.
MIN_QUOTE_CHARS = 8
#: What one cell may hold. A quote may be a whole statement to the memory.
MAX_QUOTE_CHARS = 8 * MAX_SENTENCE_CHARS
MAX_EVIDENCE = 20
MAX_ENTITIES = 40
MAX_CAUSES = 20

CellType = Literal["fact", "plan", "preference", "decision", "task", "risk", "procedure", "opinion"]
Modality = Literal["asserted", "planned"]
Granularity = Literal["instant", "day", "week", "month", "season", "year"]
Basis = Literal["requested", "first_person", "others", "inferred"]
EntityKind = Literal["person", "project", "organization", "place", "concept", "tool"]
Ruling = Literal["same", "supersedes", "compatible", "unsure"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SENTENCE_CHARS)]
Quote = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUOTE_CHARS)]
Object = Annotated[str, msgspec.Meta(max_length=MAX_SENTENCE_CHARS)]
SlotName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,79}\Z")]
Salience = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
TimeMs = Annotated[int, msgspec.Meta(ge=MIN_MS, le=MAX_MS)]

#: In `ends`: whatever value the slot had.
ANY_VALUE = "*"


class Evidence(msgspec.Struct, frozen=True):
    """Where a cell comes from: `quote` is a substring of the message `event_id`."""

    event_id: Name
    quote: Quote


class Mention(msgspec.Struct, frozen=True):
    """An entity that a cell names."""

    name: Name
    kind: EntityKind


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of memory (SEMANTICS, "A cell says").

    `content` is self-contained: names instead of pronouns, dates instead of "yesterday". `subject` is the speaker's
    id as given, or the name of an entity. `object` is normalised (casefolded, canonical name, singular); the slot
    is absent where the statement fits none. Times are UTC milliseconds: the statement holds in
    [holds_from, holds_until) as far as stated, `granularity` is the coarsest unit of the two, `due` the last
    millisecond by which a task or plan is over. `causes` are what brought it about: indices of other cells of the
    same reply, or ids of nodes.

    What a resolver needs to know about the wording: `ends` is the object that the statement says is over ("sold my
    car", "Postgres instead of MySQL"), `*` any value of the slot; `change` marks a cue of change ("now", "moved",
    "switched"); `addition` marks "also"; `correction` says that `ends` was never true ("I meant C, not B"). `scope`
    is what the statement is limited to ("at work", "for scripts"), `plural` marks "we".
    """

    content: Sentence
    cell_type: CellType
    subject: Name
    evidence: Annotated[tuple[Evidence, ...], msgspec.Meta(min_length=1, max_length=MAX_EVIDENCE)]
    scene: Name
    salience: Salience = 0.5
    slot: SlotName | None = None
    object: Object = ""
    polarity: Literal[1, -1] = 1
    modality: Modality = "asserted"
    holds_from: TimeMs | None = None
    holds_until: TimeMs | None = None
    granularity: Granularity | None = None
    due: TimeMs | None = None
    stated_by: Name | None = None
    basis: Basis = "first_person"
    entities: Annotated[tuple[Mention, ...], msgspec.Meta(max_length=MAX_ENTITIES)] = ()
    causes: Annotated[tuple[int | Name, ...], msgspec.Meta(max_length=MAX_CAUSES)] = ()
    ends: Object | None = None
    change: bool = False
    addition: bool = False
    correction: bool = False
    plural: bool = False
    scope: Object = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cell with what the fold knows about it: `valid_from` and `occurred_at` in UTC milliseconds."""

    id: Name
    cell: Cell
    valid_from: TimeMs
    occurred_at: TimeMs


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is between a new cell and the candidate `id`. `kind` says why, in one word (`workers.rules.judge`)."""

    id: Name
    ruling: Ruling
    kind: str
