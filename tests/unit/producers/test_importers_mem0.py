"""Memories of mem0: statements by mem0 about somebody, with the time they are from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.producers.exports import checked, events, ids, write_json

from mnemolog.gateway.hearsay import read_hearsay
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.producers.importers.mem0 import Mem0Reader, first_person
from mnemolog.schema.requests import FactRemembered


def memory(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a1",
        "memory": "Lives in Berlin",
        "hash": "f3",
        "metadata": None,
        "score": None,
        "created_at": "2025-07-20T01:30:36.275141-07:00",
        "updated_at": None,
        "user_id": "ada",
    } | changes


def read(tmp_path: Path, document: Any, **given: Any) -> ExportFile:
    path = write_json(tmp_path / "memories.json", document)
    return checked(path, Mem0Reader(path, read_hearsay, **given))


@pytest.mark.parametrize(
    "wrapped", [list, lambda found: {"results": found, "relations": []}, lambda found: {"memories": found}]
)
def test_a_memory_becomes_a_statement_believed_as_what_others_say(tmp_path: Path, wrapped: Any) -> None:
    (event,) = events(read(tmp_path, wrapped([memory()])))
    said = event.payload
    assert isinstance(said, FactRemembered)
    assert (said.text, said.speaker, said.occurred_at) == ("Lives in Berlin", "mem0", 1_753_000_236_275)
    (item,) = said.cells
    cell = item.cell
    assert (cell.subject, cell.slot, cell.object, cell.basis, cell.stated_by) == (
        "ada",
        "residence",
        "berlin",
        "others",
        "mem0",
    )
    assert [(one.event_id, one.quote) for one in cell.evidence] == [(event.event_id, "Lives in Berlin")]


def test_an_update_of_a_memory_is_another_statement_at_its_time(tmp_path: Path) -> None:
    first = ids(read(tmp_path, [memory()]))
    updated = memory(memory="Lives in Rome", updated_at="2025-09-01T00:00:00Z")
    assert ids(read(tmp_path, [memory()])) == first
    assert ids(read(tmp_path, [updated])) != first
    assert events(read(tmp_path, [updated]))[0].payload.occurred_at == 1_756_684_800_000  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Likes jazz", "I like jazz"),
        ("User likes jazz", "I like jazz"),
        ("Ada has a cat", "I have a cat"),
        ("ada's sister is Nora", "My sister is Nora"),
        ("Name is Ada", "My name is Ada"),
        ("The user moved to Rome", "I moved to Rome"),
        ("Berlin is large", "Berlin is large"),
        ("Nora likes jazz", "Nora likes jazz"),
    ],
)
def test_a_memory_is_read_as_its_subject_would_say_it(text: str, said: str) -> None:
    assert first_person(text, "ada") == said


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    found = [
        memory(user_id=None),
        memory(id="a2", created_at=None),
        memory(id="a3", created_at="2025-07-20T01:30:36"),
        {"id": "x"},
        memory(memory=" "),
        memory(id="good"),
    ]
    file = read(tmp_path, found)
    assert [number for number, _ in file.findings.problems] == [1, 2, 3, 4]
    words = ["--me", "created_at", "--time-zone", "memory"]
    assert all(word in reason for word, (_, reason) in zip(words, file.findings.problems, strict=True))
    assert (file.findings.good, file.skipped) == (1, {"no text": 1})
    assert read(tmp_path, found[:3], me="Ada", zone="UTC").findings.good == 2
