"""Requests made in talk, read by the rules: which facts they would touch, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.telling import Telling

from mnemolog.projections import pending
from mnemolog.projections.facts import facts
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.matching import Matches
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.requests import FactsForgotten

EMBEDDER = WordLlamaEmbedder()


def touched(telling: Telling) -> list[Matches]:
    con = telling.memory.connection
    waiting = pending.requests(con)
    return [pending.meant(con, one, embedder=EMBEDDER, now=telling.memory.now) for one in waiting]


def contents(matches: Matches) -> list[str]:
    return [fact.content for fact in matches.meant]


@pytest.mark.parametrize(
    "text",
    ["Forget that I like jazz.", "Please forget that I like jazz!", "Can you forget what I said about my liking jazz?"],
)
def test_a_request_in_talk_waits_and_names_the_facts_that_it_would_touch(text: str, tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I like jazz.", 0)
        telling.hear("I like techno too.", 1)
        asked = telling.hear(text, 5)
        telling.work_off()
        (request,) = pending.requests(telling.memory.connection)
        assert (request.subject, request.event_id, request.content, request.state) == ("Ada", asked, text, "pending")
        assert pending.waiting(telling.memory.connection) == 1
        assert [contents(found) for found in touched(telling)] == [["Ada likes jazz."]]
        assert [fact.status for fact in telling.known(at=telling.today)] == ["live", "live"]


def test_a_request_touches_only_what_its_speaker_said_or_what_is_about_them(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I like jazz.", 0, speaker="Ben")
        telling.hear("Forget that I like jazz.", 5)
        telling.work_off()
        assert [contents(found) for found in touched(telling)] == [[]]


def test_what_is_said_after_a_request_is_not_meant_by_it(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("I like jazz.", 0)
        telling.hear("Forget that I like jazz.", 5)
        telling.hear("I like jazz, after all.", 9)
        telling.work_off()
        (found,) = touched(telling)
        telling.memory.add(
            FactsForgotten(
                node_ids=tuple(fact.node_id for fact in found.meant),
                request=pending.requests(telling.memory.connection)[0].request_id,
            )
        )
        live = facts(telling.memory.connection, telling.memory.now)
        assert [fact.content for fact in live] == ["Ada likes jazz."]
        assert pending.waiting(telling.memory.connection) == 0
        assert [one.state for one in pending.requests(telling.memory.connection, everything=True)] == ["confirmed"]


def test_a_request_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        for number in range(3):
            telling.hear("Forget that I like jazz.", number)
        telling.work_off()
        con = telling.memory.connection
        wanted = pending.requests(con)[1]
        assert pending.find_request(con, wanted.request_id) == wanted
        with pytest.raises(InvalidInput, match="several requests begin"):
            pending.find_request(con, "rq-")
        for name in ("rq-none", ""):
            with pytest.raises(InvalidInput, match="no request begins"):
                pending.find_request(con, name)


def test_what_somebody_asks_to_remember_becomes_a_fact_of_salience_one(tmp_path: Path) -> None:
    with Telling(tmp_path / "a.db") as telling:
        telling.hear("Please remember that I'm allergic to peanuts.", 0)
        telling.work_off()
        (fact,) = telling.known(at=telling.today)
        assert (fact.salience, fact.confidence, fact.status) == (1.0, 1.0, "live")
