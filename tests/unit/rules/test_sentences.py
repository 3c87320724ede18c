"""The sentences that every engine is held against: one test each (Ada, Monday 2026-03-09, Berlin)."""

from mnemolog.schema.cells import Cell
from mnemolog.workers.rules import Context, Extraction, judge

from .corpus import NOW, WEEK, candidate, local_day, say


def only(extraction: Extraction) -> Cell:
    assert len(extraction.cells) == 1, extraction.cells
    return extraction.cells[0]


def verdict(first: str, then: str) -> tuple[str, str]:
    """The verdict on two statements of one cell each, a week apart."""
    before = only(say(first))
    after = only(say(then, at=NOW + WEEK, context=Context(facts=(before,))))
    result = judge(candidate("new", after, NOW + WEEK), [candidate("old", before, NOW)])[0]
    return result.ruling, result.kind


def value(cell: Cell) -> tuple[str, str | None, str, int]:
    return cell.subject, cell.slot, cell.object, cell.polarity


def test_a_preference_for_a_language():
    cell = only(say("I prefer Python."))
    assert value(cell) == ("Ada", "preferred_programming_language", "python", 1)
    assert cell.cell_type == "preference"


def test_writing_in_another_language_now_supersedes_the_preference():
    assert verdict("I prefer Python.", "I'm writing in Rust now.") == ("supersedes", "changed")


def test_also_knowing_a_language_is_a_skill_and_supersedes_nothing():
    assert only(say("I also know some Go.")).slot == "skill"
    assert verdict("I'm writing in Rust now.", "I also know some Go.")[0] == "compatible"


def test_back_to_a_language_supersedes_the_one_between():
    cell = only(say("Back to Python after all."))
    assert value(cell) == ("Ada", "preferred_programming_language", "python", 1)
    assert verdict("I'm writing in Rust now.", "Back to Python after all.") == ("supersedes", "changed")


def test_starting_at_a_company_supersedes_working_at_another():
    assert verdict("I work at A.", "I started at B.") == ("supersedes", "changed")


def test_a_job_in_a_past_year_is_born_closed_and_supersedes_nothing():
    cell = only(say("In 2019 I worked at Initech."))
    assert (local_day(cell.holds_from), local_day(cell.holds_until)) == ("2019-01-01", "2020-01-01")
    assert cell.granularity == "year"
    assert verdict("I work at A.", "In 2019 I worked at Initech.")[0] == "compatible"


def test_a_correction_names_what_was_never_true():
    extraction = say("I started at B.", "I meant C, not B.")
    wrong, right = extraction.cells
    assert right.correction
    assert (right.slot, right.object, right.ends) == ("employer", "c", "b")
    result = judge(candidate("new", right, NOW), [candidate("old", wrong, NOW)])
    assert (result[0].ruling, result[0].kind) == ("supersedes", "corrected")


def test_what_one_used_to_do_is_closed_when_the_next_began():
    munich, berlin = say("I used to live in Munich but moved to Berlin last month.").cells
    assert (munich.object, local_day(munich.holds_until)) == ("munich", "2026-02-01")
    assert (berlin.object, local_day(berlin.holds_from), berlin.holds_until) == ("berlin", "2026-02-01", None)
    assert berlin.granularity == "month"


def test_a_stay_ends_by_itself_and_leaves_the_residence_alone():
    cell = only(say("I'm in Lisbon this week."))
    assert cell.slot == "location"
    assert local_day(cell.holds_until - 1) == "2026-03-15"
    assert verdict("I live in Berlin.", "I'm in Lisbon this week.")[0] == "compatible"


def test_two_tastes_live_side_by_side_until_one_is_ended():
    assert verdict("I like jazz.", "I like techno too.")[0] == "compatible"
    assert verdict("I like techno too.", "I don't like techno anymore.") == ("supersedes", "ended")
    assert verdict("I like jazz.", "I don't like techno anymore.")[0] == "compatible"


def test_a_refinement_is_compatible():
    assert only(say("Really into power yoga lately.")).object == "power yoga"
    assert verdict("I love yoga.", "Really into power yoga lately.")[0] == "compatible"


def test_not_anymore_ends_without_a_positive_cell():
    assert only(say("I'm not vegetarian anymore.")).polarity == -1
    assert verdict("I'm vegetarian.", "I'm not vegetarian anymore.") == ("supersedes", "ended")


def test_hypotheticals_and_questions_say_nothing():
    assert say("If I moved to Paris I'd need a car.", "Should I switch to Emacs?").cells == ()


def test_what_a_boss_says_is_nothing_about_the_speaker():
    assert say("My boss says I should use Java.").cells == ()


def test_a_decision_closes_the_decision_it_replaces():
    cell = only(say("We'll use Postgres instead of MySQL."))
    assert (cell.cell_type, cell.object, cell.ends, cell.plural) == ("decision", "postgres", "mysql", True)
    assert verdict("We'll use MySQL.", "We'll use Postgres instead of MySQL.") == ("supersedes", "changed")


def test_a_task_has_its_due_date_and_is_closed_when_it_is_done():
    cell = only(say("Send the invoice by Friday, I must."))
    assert (cell.cell_type, local_day(cell.due)) == ("task", "2026-03-13")
    assert verdict("Send the invoice by Friday, I must.", "Invoice sent.") == ("supersedes", "fulfilled")


def test_a_journey_ahead_is_a_plan_for_the_iso_week():
    cell = only(say("I'm flying to Rome next week."))
    assert (cell.cell_type, cell.modality, cell.granularity) == ("plan", "planned", "week")
    assert (local_day(cell.holds_from), local_day(cell.due)) == ("2026-03-16", "2026-03-22")


def test_a_risk_is_caused_by_what_because_says():
    cells = say("The release may slip because the vendor is late.").cells
    risk = next(cell for cell in cells if cell.cell_type == "risk")
    assert [cells[cause].content for cause in risk.causes] == ["The vendor is late."]


def test_a_habit_of_work_is_a_procedure():
    cell = only(say("When the build fails I clear the cache."))
    assert cell.cell_type == "procedure"
    assert cell.content == "When the build fails Ada clears the cache."


def test_an_opinion_supersedes_nothing():
    assert only(say("I think Rust is hard.")).cell_type == "opinion"
    assert verdict("I'm writing in Rust now.", "I think Rust is hard.")[0] == "compatible"


def test_an_assistants_words_make_no_cell():
    assert say("assistant: You live in Hamburg, right?").cells == ()


def test_each_is_believed_about_themselves_and_a_relative_is_a_subject_of_their_own():
    ben, mia = say("Ben: I moved to Rome.", "My sister Mia works at Acme.").cells
    assert value(ben) == ("Ben", "residence", "rome", 1)
    assert value(mia) == ("Mia", "employer", "acme", 1)
    assert (mia.stated_by, mia.basis) == ("Ada", "others")


def test_the_commonest_frames_of_german_spanish_and_chinese():
    assert value(only(say("Ich wohne jetzt in Hamburg."))) == ("Ada", "residence", "hamburg", 1)
    assert value(only(say("Ya no como carne."))) == ("Ada", "eats", "meat", -1)
    moved = only(say("我上个月搬到了上海。"))
    assert (moved.object, local_day(moved.holds_from)) == ("上海", "2026-02-01")
    assert verdict("我喜欢咖啡。", "我不再喜欢咖啡了。") == ("supersedes", "ended")
