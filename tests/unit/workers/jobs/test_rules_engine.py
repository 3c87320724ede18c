"""The rule engine behind the protocol of engines."""

from __future__ import annotations

from support.work import NOW, conflict, fact, message, scene, window

from mnemolog.schema.cells import Mention
from mnemolog.schema.outcomes import ForgetWish
from mnemolog.schema.times import DAY
from mnemolog.workers.engines.entities import entity_key, keyed
from mnemolog.workers.engines.rules import RulesEngine
from mnemolog.workers.fold.validity import CORRECTION

engine = RulesEngine()


def test_a_window_gives_cells_under_the_job_that_asked() -> None:
    work = window(message("m1", "I work at Acme."), message("m2", "Nice!", role="assistant", speaker=None))
    outcome = engine.extract(work)
    assert (outcome.job_key, outcome.generation, outcome.engine.name) == (work.job_key, 1, "rules")
    [item] = outcome.cells
    assert (item.cell.subject, item.cell.slot, item.cell.object) == ("Ada", "employer", "acme")
    assert item.cell.evidence[0].event_id == "m1"


def test_the_same_work_gives_the_same_outcome() -> None:
    work = window(message("m1", "I work at Acme and I live in Berlin."), message("m2", "My sister Mia is a nurse."))
    assert engine.extract(work) == engine.extract(work)


def test_earlier_messages_make_no_cells_again() -> None:
    outcome = engine.extract(window(message("m1", "I work at Acme.", read=True), message("m2", "It rains.")))
    assert outcome.cells == ()


def test_a_wish_to_forget_is_no_cell_and_waits_for_a_person() -> None:
    outcome = engine.extract(window(message("m1", "I'm off. Please forget that I live in Berlin.")))
    assert outcome.forget == (
        ForgetWish(
            event_id="m1", quote="Please forget that I live in Berlin.", words="I live in Berlin", subject="Ada"
        ),
    )
    assert outcome.cells == ()


def test_a_wish_to_forget_tells_the_words_that_stand_in_quotation_marks() -> None:
    [wish] = engine.extract(window(message("m1", 'Please forget about "Blue Train".'))).forget
    assert wish.words == '"Blue Train"'


def test_a_wish_to_forget_that_was_read_before_is_not_told_again() -> None:
    work = window(message("m1", "Forget that I live in Berlin.", read=True), message("m2", "It rains."))
    assert engine.extract(work).forget == ()


def test_what_somebody_asks_to_remember_matters_most_and_is_believed_fully() -> None:
    [item] = engine.extract(window(message("m1", "Please remember that I am allergic to peanuts."))).cells
    assert (item.cell.salience, item.cell.basis) == (1.0, "requested")


def test_a_language_that_nobody_reads_is_counted() -> None:
    outcome = engine.extract(window(message("m1", "Я живу в Москве и работаю в больнице.")))
    assert (outcome.cells, outcome.unknown_language) == ((), 1)


def test_verdicts_are_told_where_there_is_something_between_two_cells() -> None:
    acme = fact("ce-1", "Ada works at Acme", slot="employer", object="acme")
    globex = fact("ce-2", "Ada works at Globex", slot="employer", object="globex", change=True, at=NOW + DAY)
    tea = fact("ce-3", "Ada likes tea", slot="likes", object="tea", at=NOW + DAY)
    outcome = engine.resolve(conflict(acme, globex, tea, pairs=(("ce-1", "ce-2"), ("ce-1", "ce-3"))))
    assert [(pair.first, pair.second, pair.ruling) for pair in outcome.verdicts] == [("ce-1", "ce-2", "supersedes")]
    assert outcome.candidates == 2


def test_a_correction_is_told_under_the_name_that_the_fold_knows() -> None:
    wrong = fact("ce-1", "Ada works at Acme", slot="employer", object="acme")
    right = fact("ce-2", "Ada works at Ace", slot="employer", object="ace", ends="acme", correction=True, at=NOW + 1)
    [verdict] = engine.resolve(conflict(wrong, right, pairs=(("ce-1", "ce-2"),))).verdicts
    assert (verdict.ruling, verdict.kind) == ("supersedes", CORRECTION)


def test_a_summary_is_short_and_cites_what_it_is_made_of() -> None:
    work = scene("career", "Ada works at Acme", "Ada is a nurse", *(f"Ada said {n} " + "words " * 30 for n in range(9)))
    outcome = engine.consolidate(work)
    assert len(outcome.summary.split()) < 100
    assert outcome.seen == work.seen
    assert 0 < len(outcome.cells) < len(work.cells)
    assert "Ada works at Acme" in outcome.summary


def test_entities_have_one_key_however_they_are_written() -> None:
    assert {entity_key(name) for name in ("Acme", "ACME", " acme ", "Acme's", "Acme’s", "Ａｃｍｅ")} == {"acme"}
    assert entity_key("…?!".strip("…")) == ""


def test_each_entity_of_a_cell_is_keyed_once() -> None:
    cell = fact(
        "ce-1",
        "Ada works at Acme",
        entities=(Mention("Acme", "organization"), Mention("ACME", "organization"), Mention("?", "tool")),
    ).cell
    assert [(entity.key, entity.kind) for entity in keyed(cell).entities] == [("acme", "organization")]
