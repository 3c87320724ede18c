"""The judge on cells made by hand: who may supersede what."""

import msgspec

from mnemolog.schema.cells import Cell, Evidence
from mnemolog.workers.rules import judge

from .corpus import NOW, WEEK, candidate

BASE = Cell(
    content="x",
    cell_type="fact",
    subject="Ada",
    evidence=(Evidence("e", "some quote"),),
    scene="home",
    slot="residence",
)


def cell(obj: str, **changes: object) -> Cell:
    return msgspec.structs.replace(BASE, object=obj, **changes)


def ruling(old: Cell, new: Cell, old_at: int = NOW, new_at: int = NOW + WEEK) -> tuple[str, str]:
    verdicts = judge(candidate("new", new, new_at), [candidate("old", old, old_at)])
    assert [verdict.id for verdict in verdicts] == ["old"]
    return verdicts[0].ruling, verdicts[0].kind


def test_another_value_of_a_one_valued_slot_supersedes():
    assert ruling(cell("hamburg"), cell("berlin")) == ("supersedes", "changed")


def test_the_order_of_arrival_does_not_matter():
    ended = cell("techno", slot="likes", polarity=-1, ends="techno")
    assert ruling(cell("techno", slot="likes"), ended) == ruling(ended, cell("techno", slot="likes"), NOW + WEEK, NOW)


def test_another_value_of_a_many_valued_slot_is_compatible():
    assert ruling(cell("jazz", slot="likes"), cell("techno", slot="likes")) == ("compatible", "unrelated")


def test_the_same_again_is_the_same():
    assert ruling(cell("berlin"), cell("berlin")) == ("same", "repeated")


def test_another_subject_is_never_touched():
    assert ruling(cell("hamburg"), cell("rome", subject="Ben")) == ("compatible", "unrelated")


def test_a_plan_never_supersedes_a_fact():
    assert ruling(cell("hamburg"), cell("graz", modality="planned", cell_type="plan"))[0] == "compatible"


def test_what_others_say_supersedes_only_what_others_said():
    assert ruling(cell("hamburg"), cell("berlin", basis="others")) == ("compatible", "hearsay")
    assert ruling(cell("hamburg", basis="others"), cell("berlin", basis="others"))[0] == "supersedes"
    assert ruling(cell("hamburg", basis="others"), cell("berlin"))[0] == "supersedes"


def test_also_adds_to_a_one_valued_slot():
    assert ruling(cell("acme", slot="employer"), cell("globex", slot="employer", addition=True)) == (
        "compatible",
        "added",
    )


def test_a_more_exact_value_is_a_refinement():
    assert ruling(cell("berlin"), cell("berlin kreuzberg")) == ("compatible", "refined")


def test_a_value_that_was_over_before_supersedes_nothing():
    past = cell("oslo", holds_from=NOW - 9 * WEEK, holds_until=NOW - 8 * WEEK)
    assert ruling(cell("hamburg"), past) == ("compatible", "closed")


def test_an_end_without_a_name_ends_whatever_there_was():
    assert ruling(cell("acme", slot="employer"), cell("", slot="employer", polarity=-1, ends="*")) == (
        "supersedes",
        "ended",
    )


def test_two_scopes_stand_side_by_side():
    first = cell("vim", slot="preferred_editor", scope="at work")
    assert ruling(first, cell("emacs", slot="preferred_editor", scope="at home")) == ("compatible", "scoped")


def test_a_correction_takes_the_place_of_what_was_never_true():
    assert ruling(cell("b"), cell("c", correction=True, ends="b")) == ("supersedes", "corrected")
    assert ruling(cell("d"), cell("c", correction=True, ends="b")) == ("supersedes", "changed")
    assert ruling(cell("d", slot="likes"), cell("c", slot="likes", correction=True, ends="b"))[0] == "compatible"


def test_a_correction_leaves_alone_what_was_said_after_it():
    later = ruling(cell("c", correction=True, ends="b", slot="likes"), cell("b", slot="likes"))
    assert later == ("compatible", "unrelated")


def test_a_plan_that_came_true_is_fulfilled():
    plan = cell("graz", modality="planned", cell_type="plan")
    assert ruling(plan, cell("graz", change=True)) == ("supersedes", "fulfilled")


def test_a_change_that_names_one_scope_leaves_the_whole_open():
    change = cell("emacs", slot="preferred_editor", scope="at work", change=True)
    assert ruling(cell("vim", slot="preferred_editor"), change) == ("unsure", "scoped")


def test_a_task_is_closed_by_what_was_done_and_not_by_something_else():
    task = cell("send invoice", slot="task", cell_type="task")
    assert ruling(task, cell("send invoice", slot="task", ends="send invoice")) == ("supersedes", "fulfilled")
    assert ruling(task, cell("pay rent", slot="task", ends="pay rent"))[0] == "compatible"


def test_opinions_and_facts_leave_each_other_alone():
    opinion = cell("hard", slot="opinion_of_rust", cell_type="opinion")
    assert ruling(cell("rust", slot="skill"), opinion)[0] == "compatible"
    assert ruling(opinion, cell("elegant", slot="opinion_of_rust", cell_type="opinion"))[0] == "compatible"
    negated = msgspec.structs.replace(opinion, polarity=-1)
    assert ruling(opinion, negated) == ("supersedes", "opposed")
