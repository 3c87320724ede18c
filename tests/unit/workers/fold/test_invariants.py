"""What no event may do to the tables, however it came to be on the log: each test is named after what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import START_MS, Memory, days

from mnemolog.schema.events import PolicySet
from mnemolog.schema.policy import DecayPolicy, Policy, WindowPolicy


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    found.now = START_MS + days(30)
    return found


def stated(memory: Memory, day: float, text: str, **fields: Any) -> str:
    return memory.state(text, START_MS + days(day), f"s{day}{text}", **fields)


# ---- policies --------------------------------------------------------------------------------------------------


def test_a_kind_of_cell_without_a_decay_rate_does_not_fade(memory: Memory) -> None:
    memory.add(PolicySet(policy=Policy(decay=DecayPolicy(rates={"task": 0.1}))))
    fact = stated(memory, 0, "I work at Acme.")
    assert memory.get("SELECT decay_rate, fades_at FROM nodes WHERE node_id = ?", fact) == (0.0, None)


def test_a_rate_next_to_nothing_means_that_a_fact_does_not_fade(memory: Memory) -> None:
    memory.add(PolicySet(policy=Policy(decay=DecayPolicy(rates={"fact": 1e-300}, exponent=0.01))))
    fact = stated(memory, 0, "I work at Acme.")
    assert memory.get("SELECT fades_at FROM nodes WHERE node_id = ?", fact) is None


@pytest.mark.parametrize(
    "policy",
    [
        Policy(decay=DecayPolicy(exponent=0.0)),
        Policy(decay=DecayPolicy(exponent=-1.0)),
        Policy(decay=DecayPolicy(rates={"fact": -0.1})),
        Policy(window=WindowPolicy(messages=0)),
        Policy(window=WindowPolicy(other_session_gap_ms=2**63)),
    ],
    ids=["no exponent", "negative exponent", "negative rate", "no window", "gap without end"],
)
def test_a_policy_that_cannot_be_reckoned_with_never_comes_into_force(policy: Policy) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(PolicySet(policy=policy)), type=PolicySet)
