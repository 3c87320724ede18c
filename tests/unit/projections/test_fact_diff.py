"""The difference between the facts of two files, without a file."""

from __future__ import annotations

from typing import Any

from mnemolog.projections.fact_diff import ComparedFact, Pair, fact_diff, same_value


def fact(node_id: str, **fields: Any) -> ComparedFact:
    given: dict[str, Any] = {
        "content": f"Content of {node_id}.",
        "scene": "life",
        "subject": "Ada",
        "slot": "residence",
        "object": "berlin",
        "polarity": 1,
        "event_ids": ("m1",),
        "status": "live",
        "heir": None,
        "valid_from": 1,
        "valid_until": None,
        **fields,
    }
    return ComparedFact(node_id=node_id, **given)


def test_what_is_the_same_in_both_is_no_difference() -> None:
    facts = (fact("a"), fact("b", status="superseded", heir="a", valid_until=5))
    found = fact_diff(facts, facts)
    assert (found.added, found.lost, found.changed, found.standing) == ((), (), (), ())


def test_a_fact_of_other_messages_is_another_fact() -> None:
    old, new = fact("a"), fact("b", event_ids=("m2",))
    found = fact_diff((old,), (new,))
    assert (found.lost, found.added, found.changed) == ((old,), (new,), ())


def test_a_fact_of_the_same_message_and_slot_is_changed() -> None:
    old, new = fact("a"), fact("b", object="rome")
    found = fact_diff((old,), (new,))
    assert (found.lost, found.added, found.changed) == ((), (), (Pair(old, new),))
    assert not same_value(found.changed[0])


def test_the_same_value_in_other_words_goes_before_another_value_of_the_slot() -> None:
    old = fact("a", slot="likes", object="jazz")
    other, same = fact("b", slot="likes", object="techno"), fact("c", slot="likes", object="jazz")
    found = fact_diff((old,), (other, same))
    assert found.changed == (Pair(old, same),)
    assert same_value(found.changed[0])
    assert found.added == (other,)


def test_a_fact_stands_for_one_other_only() -> None:
    old = (fact("a", object="rome"), fact("b", object="oslo"))
    new = fact("c", object="lima", event_ids=("m1", "m2"))
    found = fact_diff(old, (new,))
    assert found.changed == (Pair(old[0], new),)
    assert found.lost == (old[1],)


def test_another_heir_another_end_and_a_retraction_are_told() -> None:
    before = (fact("a"), fact("b"), fact("c", status="superseded", heir="a"), fact("d"))
    after = (
        fact("a"),
        fact("b", status="forgotten"),
        fact("c", status="superseded", heir="b"),
        fact("d", valid_until=9),
    )
    assert [pair.after.node_id for pair in fact_diff(before, after).standing] == ["b", "c", "d"]


def test_an_heir_in_other_words_is_the_same_heir() -> None:
    before = (fact("a", event_ids=("m0",), status="superseded", heir="b"), fact("b"))
    after = (fact("a", event_ids=("m0",), status="superseded", heir="c"), fact("c"))
    found = fact_diff(before, after)
    assert [(pair.before.node_id, pair.after.node_id) for pair in found.changed] == [("b", "c")]
    assert found.standing == ()


def test_without_an_object_the_words_are_the_value() -> None:
    one, other = fact("a", object="", content="Ada naps."), fact("b", object="", content="Ada sleeps.")
    assert not same_value(Pair(one, other))
    assert same_value(Pair(one, fact("c", object="", content="Ada naps.")))
