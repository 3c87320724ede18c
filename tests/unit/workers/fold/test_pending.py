"""What somebody asked in talk to have forgotten waits for a person; nothing that an engine reads is done by itself."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from support.folding import ENGINE, START_MS, Memory, days

from mnemolog.projections.integrity import content_hash
from mnemolog.schema.outcomes import CellsExtracted, ForgetWish
from mnemolog.schema.requests import FactsForgotten, JobRequeued, RequestDismissed

ASKED = "Forget that I work at Acme."


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    found.now = START_MS + days(30)
    return found


def wish(event_id: str, **fields: Any) -> ForgetWish:
    return ForgetWish(**{"event_id": event_id, "quote": ASKED, "words": "I work at Acme", "subject": "Ada", **fields})


def answer(memory: Memory, *wishes: ForgetWish) -> None:
    key, generation, _ = memory.due("extract")[0]
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, forget=wishes))


def asked(memory: Memory, event_id: str = "m1", day: float = 9, **fields: Any) -> str:
    """A request in a session of its own, as an engine reads it; gives its id."""
    memory.say(ASKED, at=START_MS + days(day), session=event_id, event_id=event_id)
    memory.close(event_id)
    answer(memory, wish(event_id, **fields))
    return str(memory.get("SELECT max(request_id) FROM pending_requests"))


def states(memory: Memory) -> list[tuple[str, str]]:
    return memory.rows("SELECT words, state FROM pending_requests ORDER BY words")


def refusals(memory: Memory) -> list[str]:
    return [row[0] for row in memory.rows("SELECT reason FROM refusals ORDER BY event_id, item")]


def test_what_is_asked_in_talk_touches_nothing_until_a_person_confirms_it(memory: Memory) -> None:
    fact = memory.state("I work at Acme.", START_MS, "s1")
    request = asked(memory)
    assert states(memory) == [("I work at Acme", "pending")]
    assert memory.get("SELECT retracted FROM cells") is None

    memory.add(FactsForgotten(node_ids=(fact,), request=request))
    assert states(memory) == [("I work at Acme", "confirmed")]
    assert memory.get("SELECT retracted FROM cells") == "forgotten"


def test_a_request_that_was_confirmed_is_hidden_as_what_it_is_about_is(memory: Memory) -> None:
    fact = memory.state("I work at Acme.", START_MS, "s1")
    request = asked(memory)
    memory.say("It rains.", session="s9")
    memory.add(FactsForgotten(node_ids=(fact,), request=request))
    shown = memory.rows("SELECT content FROM nodes WHERE type = 'episodic' AND hidden = 0")
    assert shown == [("It rains.",)]


def test_a_request_that_was_dismissed_does_not_come_back_when_its_message_is_read_again(memory: Memory) -> None:
    request = asked(memory)
    memory.add(RequestDismissed(request=request))
    memory.add(JobRequeued(job_key=memory.get("SELECT job_key FROM jobs WHERE kind = 'extract'")))
    answer(memory, wish("m1"), wish("m1", words="the job at Acme"))
    assert states(memory) == [("I work at Acme", "dismissed")]
    assert refusals(memory) == ["decided_by_a_person", "decided_by_a_person"]


def test_a_request_that_is_read_again_is_the_same_request(memory: Memory) -> None:
    asked(memory)
    memory.add(JobRequeued(job_key=memory.get("SELECT job_key FROM jobs WHERE kind = 'extract'")))
    answer(memory, wish("m1"))
    assert states(memory) == [("I work at Acme", "pending")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quote": "Forget all that you know."}, "not_quoted"),
        ({"event_id": "m-none"}, "unknown_message"),
        ({"event_id": "elsewhere"}, "unknown_message"),
        ({"event_id": "helper"}, "not_said_by_a_person"),
    ],
)
def test_a_request_that_nobody_made_is_refused(memory: Memory, fields: dict[str, str], reason: str) -> None:
    memory.say(ASKED, session="other", event_id="elsewhere")
    memory.say(ASKED, session="s1", event_id="m1")
    memory.say(ASKED, session="s1", event_id="helper", role="assistant", speaker="Bot")
    memory.close("s1")
    answer(memory, wish(**{"event_id": "m1", **fields}))
    assert states(memory) == []
    assert refusals(memory) == [reason]


@pytest.mark.parametrize("again", [False, True], ids=["unknown", "decided"])
def test_only_a_request_that_waits_can_be_dismissed(memory: Memory, again: bool) -> None:
    request = asked(memory)
    if again:
        memory.add(RequestDismissed(request=request))
    memory.add(RequestDismissed(request=request if again else "rq-none"))
    assert memory.rows("SELECT reason FROM dead_letters") == [("no_request",)]


def test_facts_are_not_forgotten_for_a_request_that_nobody_made(memory: Memory) -> None:
    fact = memory.state("I work at Acme.", START_MS, "s1")
    memory.add(FactsForgotten(node_ids=(fact,), request="rq-none"))
    assert memory.rows("SELECT reason FROM dead_letters") == [("no_request",)]
    assert memory.get("SELECT retracted FROM cells") is None


def test_requests_are_the_same_in_every_order_of_import(tmp_path: Path) -> None:
    found = set()
    for number, order in enumerate(permutations(("m1", "m2", "m3"))):
        memory = Memory(tmp_path / f"{number}.db")
        memory.now = START_MS + days(30)
        for name in order:
            memory.now += days(1)
            asked(memory, name, day=float(name[1]))
        memory.add(RequestDismissed(request=memory.get("SELECT min(request_id) FROM pending_requests")))
        found.add(content_hash(memory.connection))
    assert len(found) == 1
