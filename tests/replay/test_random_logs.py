"""Random logs of all events: what they fold to holds together, and is the same however the log is cut or shuffled.

What verdicts make of facts is reckoned anew here from the cells and the verdicts in force, all of them at once.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from support.folding import START_MS, Memory, days
from support.random_logs import Storyteller, refolded, told

from mnemolog.projections.facts import facts, policy_of
from mnemolog.projections.history import history
from mnemolog.projections.integrity import content_hash, hashes, verify
from mnemolog.schema.archive import Entry
from mnemolog.schema.cells import Mention
from mnemolog.schema.decay import fades_at
from mnemolog.schema.policy import CapPolicy, Policy
from mnemolog.schema.requests import FactsForgotten, VerdictGiven
from mnemolog.schema.times import MAX_MS, MIN_MS

SEEDS = range(10)
EVENTS = 300


def rows(con: apsw.Connection, sql: str, *values: Any) -> list[Any]:
    return con.execute(sql, values).fetchall()


# ---- the oracle --------------------------------------------------------------------------------------------------


class Cell(msgspec.Struct):
    """A cell as it was extracted; `forgotten` is what a person said of it."""

    node_id: str
    start: int
    stated_end: int | None
    said: tuple[int, int, str]
    corrects: bool
    forgotten: bool

    def place(self, kind: str) -> tuple[Any, ...]:
        if kind == "correction":
            return (self.corrects, *self.said, self.node_id)
        if kind in ("fulfilled", "cancelled"):
            return (*self.said, self.node_id)
        return (self.start, *self.said, self.node_id)


class Pair(msgspec.Struct):
    """A verdict in force, its two cells in order."""

    older: Cell
    heir: Cell
    ruling: str
    kind: str


def cells_of(con: apsw.Connection) -> dict[str, Cell]:
    found = rows(
        con,
        "SELECT node_id, start, stated_end, occurred_at, seq, event_id, cell, retracted FROM cells JOIN nodes USING (node_id)",
    )
    return {
        node_id: Cell(
            node_id,
            start,
            end,
            (occurred_at, seq, event_id),
            msgspec.json.decode(cell).get("correction", False),
            retracted == "forgotten",
        )
        for node_id, start, end, occurred_at, seq, event_id, cell, retracted in found
    }


def pairs_of(con: apsw.Connection, cells: dict[str, Cell]) -> list[Pair]:
    found = []
    for low, high, ruling, said in rows(
        con,
        "SELECT low, high, ruling, kind FROM verdicts WHERE state = 'in_force' AND ruling IN ('same', 'supersedes')",
    ):
        kind = said if ruling == "supersedes" else ""
        older, heir = sorted((cells[low], cells[high]), key=lambda cell: cell.place(kind))
        found.append(Pair(older, heir, ruling, kind))
    return found


def reckoned(con: apsw.Connection) -> tuple[dict[str, tuple[Any, ...]], set[tuple[str, str, int]]]:
    """By cell (valid_from, valid_until, heir, retracted, untrue), and the supersedes edges with their beginning."""
    cells = cells_of(con)
    pairs = pairs_of(con, cells)
    wrong: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        if pair.kind == "correction":
            wrong[pair.heir.node_id].add(pair.older.node_id)
    untrue = {older for corrected in wrong.values() for older in corrected}
    begin = {node_id: min(cells[other].start for other in reached(wrong, node_id)) for node_id in cells}
    found, edges = {}, set()
    for node_id, cell in cells.items():
        heirs = [
            pair for pair in pairs if pair.older is cell and (pair.heir.node_id not in untrue or pair.ruling == "same")
        ]
        ends = [] if cell.stated_end is None else [cell.stated_end]
        ends += [max(begin[node_id], begin[pair.heir.node_id]) for pair in heirs]
        heir = min(((begin[pair.heir.node_id], pair.heir.node_id) for pair in heirs), default=(0, None))[1]
        retracted = "forgotten" if cell.forgotten else "corrected" if node_id in untrue else None
        found[node_id] = (begin[node_id], min(ends, default=None), heir, retracted, node_id in untrue)
        edges |= {
            (pair.heir.node_id, node_id, begin[pair.heir.node_id]) for pair in heirs if pair.ruling == "supersedes"
        }
    return found, edges


def reached(wrong: dict[str, set[str]], node_id: str) -> set[str]:
    """A cell, and all that it corrects, and what these correct in turn."""
    seen, waiting = set(), [node_id]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += wrong.get(current, ())
    return seen


# ---- what holds of every file ------------------------------------------------------------------------------------


def assert_sound(con: apsw.Connection) -> None:
    """What must be so after any event."""
    assert_validity(con)
    assert_fading(con)
    assert_windows(con)
    assert_jobs(con)
    assert_scenes(con)
    assert_told(con)


def assert_validity(con: apsw.Connection) -> None:
    stored = {
        node_id: tuple(row)
        for node_id, *row in rows(
            con,
            "SELECT node_id, valid_from, valid_until, heir, retracted, untrue FROM cells JOIN nodes USING (node_id)",
        )
    }
    expected, edges = reckoned(con)
    assert stored == expected
    linked = rows(con, "SELECT source, target, valid_from FROM edges WHERE kind = 'supersedes'")
    assert sorted(linked) == sorted(edges)
    assert con.execute("SELECT count(*) FROM nodes WHERE type != 'episodic'").get == len(stored)


def assert_fading(con: apsw.Connection) -> None:
    decay = policy_of(con).decay
    for confidence, rate, accessed, due, heir, pinned, stored in rows(
        con,
        "SELECT confidence, decay_rate, last_accessed, due, heir, pinned, fades_at FROM cells JOIN nodes USING (node_id)",
    ):
        base = (confidence, rate) if heir is None else (decay.retired_confidence, decay.retired_rate)
        since = max(accessed, due or accessed)
        assert stored == (None if pinned else fades_at(*base, since, decay.floor, decay.exponent))


def assert_windows(con: apsw.Connection) -> None:
    """A message that may make cells waits, or is in exactly one extraction job."""
    covered: Counter[str] = Counter()
    jobs = rows(con, "SELECT DISTINCT job_key, inputs FROM jobs WHERE kind = 'extract'")
    for _, inputs in jobs:
        covered.update(msgspec.json.decode(inputs))
    waiting: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    places: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for node_id, session, extractable, *place in rows(
        con, "SELECT node_id, session, extractable, occurred_at, seq, event_id FROM nodes WHERE type = 'episodic'"
    ):
        places[session].append(tuple(place))
        times = covered.pop(node_id, 0)
        assert times <= extractable
        if extractable and not times:
            waiting[session].append(tuple(place))
    assert not covered
    erased = con.execute("SELECT count(*) FROM events WHERE type = 'entry_erased'").get
    for session, messages, waits, *newest in rows(
        con, "SELECT session, messages, waiting, newest_at, newest_seq, newest_event FROM sessions"
    ):
        said = {event_id for *_, event_id in places[session]}
        places_waiting = [tuple(place) for place in msgspec.json.decode(waits)]
        assert places_waiting == sorted(places_waiting)
        # What was erased counts, and is nobody.
        assert [place for place in places_waiting if place[2] in said] == sorted(waiting[session])
        assert len(places[session]) <= messages <= len(places[session]) + erased
        if newest[2] != "":
            assert tuple(newest) == max(places[session], default=(None, None, None))
        else:
            assert tuple(newest) > max(places[session], default=())


def assert_jobs(con: apsw.Connection) -> None:
    """Of a job the last generation alone is open, and all are about the same."""
    for inputs, newest, opened in rows(
        con,
        "SELECT count(DISTINCT inputs), max(generation), max(iif(state IN ('due', 'failed'), generation, 0)) "
        "FROM jobs GROUP BY job_key HAVING sum(state IN ('due', 'failed')) > 0",
    ):
        assert (inputs, opened) == (1, newest)
    assert con.execute(
        "SELECT max(n) FROM (SELECT sum(state IN ('due', 'failed')) AS n FROM jobs GROUP BY job_key)"
    ).get in (None, 0, 1)


def assert_scenes(con: apsw.Connection) -> None:
    live = dict(
        rows(
            con,
            "SELECT scene, sum(heir IS NULL AND retracted IS NULL) FROM cells JOIN nodes USING (node_id) GROUP BY scene",
        )
    )
    assert dict(rows(con, "SELECT scene, cells FROM scenes")) == live
    # One whose outcome was voided is done again when the scene changes, and not before.
    open_jobs = (
        "SELECT json_extract(inputs, '$[0]') FROM jobs "
        "WHERE kind = 'consolidate' AND (state IN ('due', 'failed') OR reason = 'voided')"
    )
    waiting = {scene for (scene,) in rows(con, open_jobs)}
    for scene, cells, summary, stale in rows(con, "SELECT scene, cells, summary, stale FROM scenes"):
        assert len(summary.split()) < 100
        assert cells > 1 or not stale
        assert scene in waiting or not stale


def assert_told(con: apsw.Connection) -> None:
    """Every fact can be told, with its history."""
    for at in (MIN_MS, START_MS, MAX_MS):
        shown = facts(con, at, everything=True)
        assert len(shown) == con.execute("SELECT count(*) FROM cells").get
    for fact in shown[:10]:
        assert fact.node_id in [link.fact.node_id for link in history(con, fact.node_id, START_MS)]


def problems(con: apsw.Connection) -> list[str]:
    return [problem for problem in verify(con).problems if not problem.startswith("vectors")]


# ---- the tests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_told_the_tables_hold_together(seed: int, tmp_path: Path) -> None:
    teller = Storyteller(tmp_path / "a.db", seed)
    with closing(teller.connection) as con:
        while len(teller.log) < EVENTS:
            before, decided = facts_said(con), decisions(con)
            teller.step()
            if b"outcomes_voided" not in teller.log[-1].body:
                assert before.items() <= facts_said(con).items()
            assert is_outcome(con, teller.log[-1]) <= (decided == decisions(con))
            if len(teller.log) % 20 == 0:
                assert_sound(con)
        assert_sound(con)
        assert problems(con) == []


def facts_said(con: apsw.Connection) -> dict[str, str]:
    """What every fact says: none is ever deleted or altered."""
    return dict(rows(con, "SELECT node_id, cell FROM cells"))


def decisions(con: apsw.Connection) -> list[tuple[Any, ...]]:
    """What persons have decided, which no outcome undoes: verdicts, pins, what was forgotten."""
    return [
        *rows(con, "SELECT * FROM verdicts WHERE judge = 'person' ORDER BY low, high"),
        *rows(con, "SELECT node_id FROM cells WHERE pinned OR retracted = 'forgotten' ORDER BY node_id"),
        *rows(con, "SELECT * FROM tombstones ORDER BY digest"),
        *rows(con, "SELECT * FROM pending_requests WHERE state != 'pending' ORDER BY request_id"),
    ]


def is_outcome(con: apsw.Connection, entry: Entry) -> bool:
    found = con.execute("SELECT 1 FROM outcomes WHERE ms = ? AND seq = ?", entry.position).get
    return found is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_log_folds_to_the_same_in_batches_of_any_size_and_after_a_rollback(seed: int, tmp_path: Path) -> None:
    log = told(tmp_path / "told.db", seed, EVENTS)
    found = set()
    for number, (batch, refuse) in enumerate(((1, None), (3, None), (3, 40), (500, None), (500, 0))):
        with closing(refolded(tmp_path / f"{number}.db", log, batch, refuse=refuse)) as con, con:
            found.add(hashes(con))
    assert len({(one.hash, one.content_hash) for one in found}) == 1


_TOLD = """
import sys, tempfile
from pathlib import Path
from support.random_logs import refolded, told
from mnemolog.projections.integrity import fast_hash
with tempfile.TemporaryDirectory() as folder:
    log = told(Path(folder, "told.db"), 1, 300)
    connection = refolded(Path(folder, "a.db"), log, 500)
    print(fast_hash(connection))
    connection.close()
"""


def test_a_log_folds_to_the_same_whatever_order_sets_have() -> None:
    tests = Path(__file__).parents[1]
    found = {
        subprocess.run(
            [sys.executable, "-c", _TOLD],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tests)},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_story_in_any_order_has_the_same_content(seed: int, tmp_path: Path) -> None:
    story = Story(random.Random(seed))
    found = set()
    for number, order in enumerate(story.orders(5)):
        with closing(story.tell(tmp_path / f"{number}.db", order).connection) as con:
            assert_validity(con)
            found.add(content_hash(con))
    assert len(found) == 1


class Story:
    """Six statements, a verdict on most pairs, and a fact that is forgotten at the end."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._said = [self._statement(number) for number in range(6)]
        self._verdicts = [
            (pair, chance.choice(("same", "supersedes", "supersedes", "compatible")), chance.choice(_KINDS))
            for pair in combinations(range(6), 2)
            if chance.random() < 0.7
        ]
        self._by_person = [(chance.randrange(3), chance.randrange(3, 6)) for _ in range(2)]
        self._forgotten = chance.randrange(6)

    def _statement(self, number: int) -> tuple[float, str, dict[str, Any]]:
        one = self._chance.choice
        day = self._chance.randrange(8)
        begins = START_MS + days(self._chance.randrange(20)) if self._chance.random() < 0.3 else None
        fields = {
            "object": one(("acme", "bolt", "coil")),
            "polarity": one((1, 1, 1, -1)),
            "cell_type": one(("fact", "fact", "task", "decision", "opinion")),
            "basis": one(("first_person", "first_person", "others")),
            "scene": one(("work", "home")),
            "holds_from": begins,
            "holds_until": START_MS + days(25) if self._chance.random() < 0.2 else None,
            "correction": one((False, False, True)),
            "ends": "*",
            "entities": (Mention("Jordan", one(("person", "place", "tool"))),),
        }
        return day, f"Statement number {number}.", fields

    def orders(self, number: int) -> Iterator[list[int]]:
        """Orders in which the statements are told."""
        for _ in range(number):
            yield self._chance.sample(range(6), 6)

    def tell(self, path: Path, order: list[int]) -> Memory:
        memory = Memory(path, Policy(caps=CapPolicy(retire_count=100)))
        memory.now = START_MS + days(100)
        ids: dict[int, str] = {}
        for index in order:
            day, text, fields = self._said[index]
            ids[index] = memory.state(text, START_MS + days(day), f"s{index}", **fields)
            memory.now += days(1)
        shuffled = self._chance.sample(self._verdicts, len(self._verdicts))
        memory.judge(*((ids[a], ids[b], ruling, kind) for (a, b), ruling, kind in shuffled))
        for a, b in self._by_person:
            memory.add(VerdictGiven(first=ids[b], second=ids[a], ruling="supersedes"))
        memory.add(FactsForgotten(node_ids=(ids[self._forgotten],)))
        return memory


_KINDS = ("changed", "changed", "correction", "fulfilled", "")
