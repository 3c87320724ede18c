"""What a dispatcher hands to a worker: everything that a job needs, so that workers never open a database."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mnemolog.schema.cells import Candidate, Name
from mnemolog.schema.events import Role
from mnemolog.schema.ids import is_space
from mnemolog.schema.outcomes import Generation, JobKey, JobKind

#: The largest encoded payload; a dispatcher leaves context out before it cuts messages.
MAX_PAYLOAD_BYTES = 1_000_000

QUEUES: tuple[JobKind, ...] = ("extract", "resolve", "consolidate")


class JobMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of a window. `read` marks earlier context, which makes no cells again."""

    event_id: Name
    role: Role
    content: str
    occurred_at: int
    session: str
    speaker: str | None = None
    utc_offset_min: int = 0
    read: bool = False


class Work(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all jobs share: for which space it is, and which job it is."""

    space: Name
    job_key: JobKey
    generation: Generation

    def __post_init__(self) -> None:
        if not is_space(self.space):
            raise ValueError(f"{self.space!r} is no name of a space")


class ExtractWork(Work, frozen=True, kw_only=True, tag="extract"):
    """A window of messages in order of time, with the keys of known scenes and facts that may be meant."""

    messages: Annotated[tuple[JobMessage, ...], msgspec.Meta(min_length=1)]
    scenes: tuple[Name, ...] = ()
    facts: tuple[Candidate, ...] = ()


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is judged with another one's work, and which of the pairs there are its own."""

    job_key: JobKey
    generation: Generation
    pairs: tuple[tuple[Name, Name], ...]


class ResolveWork(Work, frozen=True, kw_only=True, tag="resolve"):
    """Pairs of cells to be judged: `pairs` names them by id, `cells` has each once.

    Those of the pairs that are in `shares` belong to other jobs, each of which gets an outcome of its own.
    """

    cells: tuple[Candidate, ...]
    pairs: tuple[tuple[Name, Name], ...]
    shares: tuple[Share, ...] = ()


class SceneCell(msgspec.Struct, frozen=True, kw_only=True):
    """A live cell of a scene."""

    node_id: Name
    content: str
    salience: float
    valid_from: int


class ConsolidateWork(Work, frozen=True, kw_only=True, tag="consolidate"):
    """A scene's most salient live cells, best first; `seen` is the hash of all its live cells."""

    scene: Name
    cells: Annotated[tuple[SceneCell, ...], msgspec.Meta(min_length=1)]
    seen: str
    summary: str = ""


AnyWork = ExtractWork | ResolveWork | ConsolidateWork

_decoder: msgspec.json.Decoder[AnyWork] = msgspec.json.Decoder(AnyWork)


def decode_work(body: str | bytes) -> AnyWork:
    """The work that a job's payload describes. Raises msgspec.DecodeError for anything else."""
    return _decoder.decode(body)


def encode_work(work: AnyWork) -> str:
    """The payload of a job, as JSON."""
    return msgspec.json.encode(work).decode("utf-8")
