"""Policy, cells, slots, checksums and tables: what is on the log in full, and what a reply may say."""

from __future__ import annotations

import random
from typing import Any, get_args

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.schema import tables
from mnemolog.schema.cells import Cell, CellType, Evidence, Mention
from mnemolog.schema.checksums import MODULUS, Sum, combined, row_hash, sum_of
from mnemolog.schema.events import Payload
from mnemolog.schema.policy import CapPolicy, DecayPolicy, Policy, TrustPolicy, WindowPolicy
from mnemolog.schema.registry import PAYLOADS
from mnemolog.schema.slots import FAMILIES, SLOTS, single_valued, slot_of

# ---- policy ----------------------------------------------------------------------------------------------------

rates = st.floats(0, 10)
policies = st.builds(
    Policy,
    window=st.builds(WindowPolicy, messages=st.integers(1, 99), idle_ms=st.integers(0, 10**9)),
    decay=st.builds(DecayPolicy, rates=st.dictionaries(st.sampled_from(get_args(CellType)), rates), floor=rates),
    trust=st.builds(TrustPolicy, others=rates),
    caps=st.builds(CapPolicy, retire_count=st.integers(0, 99), retire_share=rates),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)


@given(policies)
def test_a_policy_reads_back_as_it_was_written(policy: Policy) -> None:
    assert msgspec.json.decode(msgspec.json.encode(policy), type=Policy) == policy


def all_fields(struct: type[msgspec.Struct], prefix: str = "") -> list[str]:
    found = []
    for field in msgspec.structs.fields(struct):
        inner = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        found += all_fields(field.type, f"{prefix}{field.name}.") if inner else [prefix + field.name]
    return found


def test_every_number_of_the_policy_stands_on_the_log_also_where_it_is_the_default() -> None:
    written = msgspec.json.decode(msgspec.json.encode(Policy()))
    for name in all_fields(Policy):
        value = written
        for part in name.split("."):
            value = value[part]
        assert value is not None


def test_the_rates_of_decay_are_those_of_the_design() -> None:
    assert DecayPolicy().rates == {
        **dict.fromkeys(["task", "plan"], 0.1),
        "opinion": 0.05,
        **dict.fromkeys(["decision", "risk"], 0.03),
        **dict.fromkeys(["fact", "preference", "procedure"], 0.02),
    }
    assert DecayPolicy().rates.keys() == set(get_args(CellType))


@pytest.mark.parametrize("text", ['{"colour":1}', '{"window":{"minutes":1}}', '{"window":{"messages":"8"}}', "[]"])
def test_a_policy_that_says_something_unknown_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Policy)


# ---- events ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", PAYLOADS.values())
def test_payloads_are_frozen_and_named_by_type_and_version(payload: type[Payload]) -> None:
    assert payload.__struct_config__.frozen
    assert payload.VERSION >= 1
    assert PAYLOADS[payload.TYPE] is payload


# ---- cells -----------------------------------------------------------------------------------------------------

CELL = {
    "content": "Ada lives in Berlin.",
    "cell_type": "fact",
    "subject": "Ada",
    "evidence": [{"event_id": "m1", "quote": "I live in Berlin"}],
    "scene": "home",
}


def cell(**changes: Any) -> Cell:
    return msgspec.json.decode(msgspec.json.encode(CELL | changes), type=Cell)


def test_a_cell_needs_content_type_subject_evidence_and_scene_alone() -> None:
    assert cell() == Cell(
        content="Ada lives in Berlin.",
        cell_type="fact",
        subject="Ada",
        evidence=(Evidence("m1", "I live in Berlin"),),
        scene="home",
    )
    for name in CELL:
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{name}`"):
            msgspec.convert({key: value for key, value in CELL.items() if key != name}, Cell)


def test_a_cell_in_full_reads_back() -> None:
    full = cell(
        slot="residence", object="berlin", polarity=-1, modality="planned", holds_from=1, holds_until=2, due=3,
        granularity="day", stated_by="Ben", basis="others", entities=[{"name": "Berlin", "kind": "place"}], causes=[0, "ep-1"],
        ends="*", change=True, addition=True, correction=True, plural=True, scope="at work", salience=1.0,
    )  # fmt: skip
    assert full.entities == (Mention("Berlin", "place"),)
    assert msgspec.json.decode(msgspec.json.encode(full), type=Cell) == full


@pytest.mark.parametrize(
    "changes",
    [
        {"content": ""},
        {"content": "x" * 1_001},
        {"cell_type": "rumour"},
        {"subject": ""},
        {"evidence": []},
        {"evidence": [{"event_id": "m1"}]},
        {"evidence": [{"event_id": "m1", "quote": ""}]},
        {"evidence": [["m1", "quote"]]},
        {"scene": "x" * 201},
        {"salience": 1.01},
        {"salience": -0.01},
        {"slot": "Residence"},
        {"slot": "residence\n"},
        {"slot": "9lives"},
        {"slot": "x" * 81},
        {"polarity": 0},
        {"modality": "hoped"},
        {"granularity": "decade"},
        {"holds_from": "2026"},
        {"due": 10**15},
        {"basis": "rumour"},
        {"entities": [{"name": "Berlin", "kind": "city"}]},
    ],
    ids=lambda changes: ascii(changes)[:50],
)
def test_a_cell_that_says_what_the_rules_forbid_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        cell(**changes)


# ---- slots -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["residence", "employer", "job_title", "partner", "diet", "age", "timezone"])
def test_slots_of_one_value_hold_one(name: str) -> None:
    assert single_valued(name)


@pytest.mark.parametrize("name", ["likes", "hobby", "pet", "child", "skill", "allergy", "owns", "quirk", None, ""])
def test_other_slots_hold_many(name: str | None) -> None:
    assert not single_valued(name)


def test_a_family_of_slots_is_known_by_its_beginning() -> None:
    assert slot_of("preferred_editor") is FAMILIES["preferred_"]
    assert slot_of("chosen_database").cell_type == "decision"
    assert slot_of("opinion_of_rust").cell_type == "opinion"


@pytest.mark.parametrize("name", SLOTS)
def test_every_slot_is_one_that_a_cell_can_name_with_a_type_that_a_cell_can_have(name: str) -> None:
    slot = SLOTS[name]
    made = cell(slot=name, cell_type=slot.cell_type, salience=slot.salience)
    assert (made.slot, made.cell_type) == (name, slot.cell_type)
    assert slot_of(name) is slot


# ---- checksums -------------------------------------------------------------------------------------------------

rows = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.text(max_size=10),
        st.none() | st.floats(allow_nan=False) | st.binary(max_size=5),
    ),
    max_size=8,
)


@given(rows, st.integers(0, 99))
def test_the_sum_of_a_table_does_not_depend_on_the_order_of_its_rows(
    given_rows: list[tuple[Any, ...]], seed: int
) -> None:
    shuffled = random.Random(seed).sample(given_rows, len(given_rows))
    assert sum_of("nodes", shuffled) == sum_of("nodes", given_rows)


@given(rows, rows)
def test_sums_add_up_as_rows_come_and_go(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> None:
    both = sum_of("nodes", [*one, *other])
    assert both.rows == len(one) + len(other)
    taken = (both.total - sum(row_hash("nodes", row) for row in other)) % MODULUS
    assert taken == sum_of("nodes", one).total


@pytest.mark.parametrize(
    "other",
    [
        ("nodes", (1, "b", None)),
        ("nodes", (1, "a", 0)),
        ("nodes", (1.0, "a", None)),
        ("nodes", (1, b"a", None)),
        ("edges", (1, "a", None)),
    ],
)
def test_another_value_type_or_table_has_another_hash(other: tuple[str, tuple[Any, ...]]) -> None:
    assert row_hash(*other) != row_hash("nodes", (1, "a", None))


def test_a_repeated_row_is_counted() -> None:
    row = (1, "a")
    assert sum_of("nodes", [row, row]) != sum_of("nodes", [])
    assert sum_of("nodes", [row, row]) != sum_of("nodes", [row])


def test_the_hash_of_a_space_tells_tables_and_fold_versions_apart() -> None:
    one, other = Sum(1, 7), Sum(1, 8)
    assert combined({"nodes": one, "edges": other}, 1) == combined({"edges": other, "nodes": one}, 1)
    hashes = {
        combined({"nodes": one, "edges": other}, 1),
        combined({"nodes": other, "edges": one}, 1),
        combined({"nodes": one, "edges": other}, 2),
        combined({"nodes": one}, 1),
        combined({"nodes": Sum(2, 7), "edges": other}, 1),
    }
    assert len(hashes) == 5


# ---- tables ----------------------------------------------------------------------------------------------------


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(tables.definitions())
    return connection


def test_every_fold_table_is_defined_and_strict(connection: apsw.Connection) -> None:
    strict = {name for name, strict in connection.execute("SELECT name, strict FROM pragma_table_list") if strict}
    assert set(tables.FOLD_TABLES) <= strict


def test_local_columns_are_columns(connection: apsw.Connection) -> None:
    for table, columns in tables.LOCAL_COLUMNS.items():
        names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        assert set(columns) <= set(names)


def test_every_cell_type_can_be_stored_as_a_node(connection: apsw.Connection) -> None:
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'nodes'").fetchone()
    for cell_type in get_args(CellType):
        assert f"'{cell_type}'" in sql
