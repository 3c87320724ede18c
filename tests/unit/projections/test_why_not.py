"""Why not: reasons that turn on what is recorded of a request, a window or a forgotten fact."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import ENGINE, START_MS, Memory, cell, days

from mnemolog.projections.reasons.reasons import Finding, Surroundings
from mnemolog.projections.status import counts
from mnemolog.projections.why_not import why_not
from mnemolog.schema.archive import ArchiveWriter
from mnemolog.schema.outcomes import CellsExtracted, ExtractedCell
from mnemolog.schema.requests import FactRemembered, FactsForgotten, VerdictGiven


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def ask(memory: Memory, text: str, at: int = START_MS + days(30)) -> list[Finding]:
    folder = memory.path.parent / "archive"
    writer = ArchiveWriter(folder)
    writer.append(memory.log)
    writer.close()
    return why_not(memory.connection, text, now=at, beside=Surroundings(archive=folder))


def read(memory: Memory, *cells: ExtractedCell, unknown_language: int = 0) -> None:
    """Answers the one due extraction."""
    key, generation, _ = memory.due("extract")[0]
    memory.add(
        CellsExtracted(
            job_key=key, generation=generation, engine=ENGINE, cells=cells, unknown_language=unknown_language
        )
    )


def test_a_request_whose_statement_did_not_hold_up_was_refused(memory: Memory) -> None:
    said = cell("My locker is 18.", "ask", basis="requested")
    memory.add(FactRemembered(text="My locker is 17.", cells=(ExtractedCell(cell=said),)), "ask")
    found = ask(memory, "My locker is 17.")[0]
    assert (found.reason, found.evidence["refusals"][0]["reason"]) == ("refused", "not_quoted")
    assert ask(memory, "My locker is 18.")[0].reason == "refused"


def test_what_a_person_had_forgotten_and_an_import_tells_again_was_refused(memory: Memory) -> None:
    node_id = memory.state("I like tea.", START_MS, "a", slot="drinks", object="tea")
    memory.add(FactsForgotten(node_ids=(node_id,)))
    again = memory.say("Tea is what I like.", at=START_MS - days(1), session="b", event_id="again")
    memory.close("b")
    read(memory, ExtractedCell(cell=cell("Tea is what I like.", again, slot="drinks", object="tea")))
    found = ask(memory, "Tea is what I like.")[0]
    assert (found.reason, found.evidence["refusals"][0]["reason"]) == ("refused", "decided_by_a_person")


def test_each_refusal_belongs_to_the_message_that_its_cell_quotes(memory: Memory) -> None:
    for name in ("I sail.", "I swim in lakes.", "I climb in the Alps."):
        memory.say(name, event_id=name)
    memory.close()
    read(
        memory,
        ExtractedCell(cell=cell("I fly kites.", "I sail.")),
        ExtractedCell(cell=cell("I swim in lakes.", "I swim in lakes.")),
        ExtractedCell(cell=cell("I climb walls.", "I climb in the Alps.")),
    )
    refused = {text: ask(memory, text)[0] for text in ("I sail.", "I climb in the Alps.")}
    assert [found.evidence["refusals"][0]["content"] for found in refused.values()] == [
        "I fly kites.",
        "I climb walls.",
    ]
    assert ask(memory, "I swim in lakes.")[0].reason == "remembered"


@pytest.mark.parametrize(("unknown", "reason"), [(2, "unknown_language"), (1, "nothing_found"), (0, "nothing_found")])
def test_a_language_is_unknown_only_where_all_silent_messages_are_in_it(
    memory: Memory, unknown: int, reason: str
) -> None:
    memory.say("Ik woon in Utrecht.", event_id="a")
    memory.say("Ik fiets graag.", event_id="b")
    memory.close()
    read(memory, unknown_language=unknown)
    found = ask(memory, "Ik woon in Utrecht.")[0]
    assert (found.reason, found.evidence["unknown_language"]) == (reason, unknown)
    assert counts(memory.connection).unknown_language == unknown


def test_what_was_told_again_and_then_replaced_names_what_replaced_it(memory: Memory) -> None:
    ids = [
        memory.state(text, START_MS + days(number), f"s{number}", slot="editor", object=value)
        for number, (text, value) in enumerate(
            [("I use Vim.", "vim"), ("Vim is mine.", "vim"), ("I use Helix.", "helix")]
        )
    ]
    memory.add(VerdictGiven(first=ids[0], second=ids[1], ruling="same"))
    assert ask(memory, "I use Vim.")[0].reason == "same_as"
    memory.add(VerdictGiven(first=ids[1], second=ids[2], ruling="supersedes"))
    found = ask(memory, "I use Vim.")[0]
    assert (found.reason, found.evidence["by"], found.evidence["same_as"]) == ("superseded", ids[2], ids[1])
    assert ask(memory, "I use Vim.", START_MS + days(1) // 2)[0].reason == "remembered"


def test_what_was_forgotten_is_not_told_by_what_it_replaced(memory: Memory) -> None:
    old = memory.state("I use Vim.", START_MS, "a", slot="editor", object="vim")
    new = memory.state("I use Helix.", START_MS + days(1), "b", slot="editor", object="helix")
    memory.judge((old, new, "supersedes", "changed"))
    memory.add(FactsForgotten(node_ids=(new,)))
    found = ask(memory, "I use Vim.")
    assert found[0].reason == "superseded"
    assert "Helix" not in repr(found)


def test_without_an_archive_the_reasons_that_the_file_knows_are_told(memory: Memory, tmp_path: Path) -> None:
    node_id = memory.state("I like tea.", START_MS, "a")
    memory.add(FactsForgotten(node_ids=(node_id,)))
    beside = Surroundings(archive=tmp_path / "nowhere")
    found = why_not(memory.connection, "I like tea.", now=START_MS + days(2), beside=beside)[0]
    assert (found.reason, found.evidence["event_id"]) == ("forgotten", None)
