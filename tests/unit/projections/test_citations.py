"""Citations: short ids name one node each, and say so when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import Memory

from mnemolog.projections.lines.citations import LEAST_CHARS, AmbiguousCitation, UnknownCitation, resolve, short_id
from mnemolog.schema.errors import InvalidInput


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    for number in range(600):
        found.say(f"Word {number}.", event_id=f"m{number}")
    found.state("Ada likes jazz.", found.now, "other")
    return found


def node_ids(memory: Memory) -> list[str]:
    return [node_id for (node_id,) in memory.rows("SELECT node_id FROM nodes ORDER BY node_id")]


def test_every_short_id_names_its_node_and_no_shorter_one_would(memory: Memory) -> None:
    cited = {node_id: short_id(memory.connection, node_id) for node_id in node_ids(memory)}
    assert {node_id: resolve(memory.connection, short) for node_id, short in cited.items()} == {n: n for n in cited}
    assert len(set(cited.values())) == len(cited)
    longer = [short for short in cited.values() if len(short) > LEAST_CHARS]
    for short in longer:
        with pytest.raises(AmbiguousCitation):
            resolve(memory.connection, short[:-1])
    assert min(map(len, cited.values())) == LEAST_CHARS
    assert longer


@pytest.mark.parametrize("shape", ["{}", "[{}]", " [{}] ", "ep-{}", "[EP-{}]"])
def test_a_citation_is_taken_with_its_brackets_and_its_kind(memory: Memory, shape: str) -> None:
    node_id = next(node_id for node_id in node_ids(memory) if node_id.startswith("ep-"))
    assert resolve(memory.connection, shape.format(short_id(memory.connection, node_id))) == node_id
    assert resolve(memory.connection, node_id) == node_id


@pytest.mark.parametrize(
    "short", ["", "[]", "zz", "ffffffffffffffffffff", "ep-", "'; DROP TABLE nodes", "ce-%", "1f\0"]
)
def test_what_names_nothing_is_refused_by_name(memory: Memory, short: str) -> None:
    with pytest.raises(UnknownCitation) as refused:
        resolve(memory.connection, short)
    assert isinstance(refused.value, InvalidInput)
    assert refused.value.short == short


def test_what_names_several_nodes_says_which(memory: Memory) -> None:
    first = [node_id for node_id in node_ids(memory) if node_id[3] == "a"]
    with pytest.raises(AmbiguousCitation, match="several nodes") as refused:
        resolve(memory.connection, "a")
    assert set(refused.value.node_ids) <= set(first)
    assert len(refused.value.node_ids) > 1


def test_a_kind_tells_two_nodes_apart_that_begin_alike(memory: Memory) -> None:
    fact = next(node_id for node_id in node_ids(memory) if node_id.startswith("ce-"))
    twin = "ep-" + fact[3:7] + "0" * 16
    message = memory.say("Alone.", session="alone")
    memory.connection.execute("UPDATE nodes SET node_id = ? WHERE event_id = ?", (twin, message))
    assert short_id(memory.connection, fact) != fact[3:7]
    assert resolve(memory.connection, fact[:7]) == fact
    with pytest.raises(AmbiguousCitation):
        resolve(memory.connection, fact[3:7])
