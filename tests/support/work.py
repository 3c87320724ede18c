"""Work for engines, made by hand."""

from __future__ import annotations

from mnemolog.schema.cells import Candidate, Cell, Evidence
from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, JobMessage, ResolveWork, SceneCell
from mnemolog.schema.times import parse

#: Monday 2026-03-09, 10:00 in Berlin.
NOW = parse("2026-03-09T10:00:00+01:00")
KEY = "0" * 32


def message(event_id: str, content: str, *, role="user", speaker="Ada", read=False, offset_min=60) -> JobMessage:
    return JobMessage(
        event_id=event_id,
        role=role,
        content=content,
        occurred_at=NOW,
        session="monday",
        speaker=speaker,
        utc_offset_min=offset_min,
        read=read,
    )


def window(*messages: JobMessage, scenes=(), facts=(), space="ada") -> ExtractWork:
    return ExtractWork(space=space, job_key=KEY, generation=1, messages=messages, scenes=scenes, facts=facts)


def fact(node_id: str, content: str, *, event_id="e1", at=NOW, subject="Ada", **said) -> Candidate:
    cell = Cell(
        content=content,
        cell_type="fact",
        subject=subject,
        evidence=(Evidence(event_id, content),),
        scene="career",
        **said,
    )
    return Candidate(id=node_id, cell=cell, valid_from=at, occurred_at=at)


def conflict(*facts: Candidate, pairs, space="ada") -> ResolveWork:
    return ResolveWork(space=space, job_key=KEY, generation=1, cells=facts, pairs=pairs)


def scene(name: str, *contents: str, summary="") -> ConsolidateWork:
    cells = tuple(
        SceneCell(node_id=f"ce-{number}", content=content, salience=0.5, valid_from=NOW)
        for number, content in enumerate(contents)
    )
    return ConsolidateWork(space="ada", job_key=KEY, generation=1, scene=name, cells=cells, seen="", summary=summary)
