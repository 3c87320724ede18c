"""A space in which everything that can keep something out of an answer has happened: each reason is told as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import apsw
import msgspec
import pytest
import redis as redis_py
from support.folding import Words
from support.jobs import Desk, Hired
from support.stories import BEGIN_MS

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.indexes import vectors
from mnemolog.projections.reasons.reasons import REASONS, Finding, Surroundings
from mnemolog.projections.reasons.standing import Question, answer, standing
from mnemolog.projections.reasons.wording import matches
from mnemolog.projections.search.filters import Filters
from mnemolog.projections.status import waiting
from mnemolog.projections.why import FactStory, MessageStory, why
from mnemolog.projections.why_not import why_not
from mnemolog.schema import log, troubles
from mnemolog.schema.cells import Cell, Evidence
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.events import MessagePublished, SessionClosed
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, Engine, ExtractedCell, JobFailed, PairVerdict
from mnemolog.schema.requests import FactCorrected, FactsForgotten
from mnemolog.schema.times import DAY

SCRIPT = Engine(name="script", model="hand", prompt_version="7", calls=1, tokens_in=120, tokens_out=30, cost_usd=0.01)
DUTCH = "Ik woon in Utrecht en fiets graag."


def fact(said: str, content: str | None = None, **fields: Any) -> tuple[str, dict[str, Any]]:
    """What the scripted engine takes from a message: one cell, which quotes all of it unless told otherwise."""
    return said, {"content": content or said, **fields}


#: What the engine takes from each message; from others nothing.
CELLS = dict(
    [
        fact("I play the violin.", "Ada plays the violin."),
        fact("I prefer Python.", "Ada prefers Python.", slot="preferred_programming_language", object="python"),
        fact("I write Rust now.", "Ada prefers Rust.", slot="preferred_programming_language", object="rust"),
        fact("My dog is called Rex.", "Ada has a dog called Rex.", slot="pet", object="rex"),
        fact("Rex is my dog.", "Ada's dog is Rex.", slot="pet", object="rex"),
        fact("I stay in Lisbon this week.", "Ada stays in Lisbon.", slot="location", holds_until=BEGIN_MS + 5 * DAY),
        fact("I start at Globex in a year.", "Ada works at Globex.", slot="employer", holds_from=BEGIN_MS + 400 * DAY),
        fact("I must water the tomatoes.", "Ada must water the tomatoes.", cell_type="task", salience=0.0),
        fact("I am allergic to peanuts.", "Ada is allergic to peanuts.", slot="allergy", object="peanut"),
        fact("I live in Munich.", "Ada lives in Munich.", slot="residence", object="munich"),
        fact("I collect postcards.", "Ada collects postcards.", slot="hobby", object="postcards"),
        fact("My locker is number nine.", "Ada's locker is number nine.", quote="My locker is number ten."),
        *(
            fact(f"I keep {animal}.", f"Cleo keeps {animal}.", subject="Cleo", slot="pet", object=animal)
            for animal in ("hens", "geese", "ducks", "goats", "sheep")
        ),
        fact("I keep no animals now.", "Cleo keeps no animals.", subject="Cleo", slot="pet", ends="*", polarity=-1),
    ]
)
#: What is judged of two facts, by their contents.
VERDICTS = {
    ("Ada prefers Python.", "Ada prefers Rust."): ("supersedes", "changed"),
    ("Ada has a dog called Rex.", "Ada's dog is Rex."): ("same", "repeated"),
    **{
        (f"Cleo keeps {animal}.", "Cleo keeps no animals."): ("supersedes", "ended")
        for animal in ("hens", "geese", "ducks", "goats", "sheep")
    },
}


def extract(work: Any) -> CellsExtracted:
    read = [message for message in work.messages if not message.read]
    cells = [_cell(message, dict(CELLS[message.content])) for message in read if message.content in CELLS]
    unknown = sum(message.content == DUTCH for message in read)
    return CellsExtracted(
        job_key=work.job_key,
        generation=work.generation,
        engine=SCRIPT,
        raw=f"read {[message.content for message in read]}",
        cells=tuple(ExtractedCell(cell=cell) for cell in cells),
        unknown_language=unknown,
    )


def _cell(message: Any, fields: dict[str, Any]) -> Cell:
    quote = fields.pop("quote", message.content)
    defaults = {"cell_type": "fact", "subject": "Ada", "scene": "life", "stated_by": message.speaker}
    return Cell(evidence=(Evidence(message.event_id, quote),), **{**defaults, **fields})


def resolve(work: Any) -> ConflictsJudged:
    contents = {one.id: one.cell.content for one in work.cells}
    judged = []
    for first, second in work.pairs:
        for older, newer in ((first, second), (second, first)):
            if (contents[older], contents[newer]) in VERDICTS:
                judged.append(PairVerdict(older, newer, *VERDICTS[contents[older], contents[newer]]))
    return ConflictsJudged(job_key=work.job_key, generation=work.generation, engine=SCRIPT, verdicts=tuple(judged))


class Scripted:
    """The space, and what is asked about it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._sessions = 0
        self._told()
        self._asked_for()
        self._waiting()

    def say(self, *contents: str, speaker: str = "Ada") -> None:
        """Each message in a session of its own, a day after the one before."""
        for content in contents:
            self._sessions += 1
            at = BEGIN_MS + self._sessions * DAY // 24
            self.desk.say(content, session=f"day{self._sessions}", speaker=speaker, at=at)

    def _told(self) -> None:
        desk = self.desk
        animals = [content for content in CELLS if content.startswith("I keep")]
        self.say(*(content for content in CELLS if content not in animals))
        self.say(*animals, speaker="Cleo")
        self.say("Good morning to you all.", DUTCH, *(f"The weather report number {n} says rain." for n in range(15)))
        desk.put(
            MessagePublished(
                session="tools", role="tool", content="The oven reports 200 degrees.", occurred_at=BEGIN_MS
            )
        )
        desk.fold()
        self._work()
        self._index()

    def _work(self) -> None:
        """Lets engines read and judge all; summaries may come later."""
        engine = Hired(extract=extract, resolve=resolve)
        for _ in range(20):
            if {kind for _, _, kind in self.desk.jobs("due")} <= {"consolidate"}:
                return
            self.desk.turn()
            self.desk.fold()
            self.desk.work(engine)
        raise AssertionError("there is always another job")

    def _asked_for(self) -> None:
        desk = self.desk
        desk.put(FactsForgotten(node_ids=(self.node("Ada is allergic to peanuts."),)), "forget-peanuts")
        right = Cell(
            content="Ada lives in Berlin.",
            cell_type="fact",
            subject="Ada",
            scene="life",
            slot="residence",
            object="berlin",
            evidence=(Evidence("fix-residence", "I live in Berlin."),),
        )
        wrong = self.node("Ada lives in Munich.")
        stated = (ExtractedCell(cell=right),)
        desk.put(FactCorrected(node_id=wrong, text="I live in Berlin.", cells=stated), "fix-residence")
        desk.put(MessagePublished(session="x", role="user", content="I collect stamps."), "day1-0")
        desk.fold()
        self._index()
        place = desk.get(
            "SELECT o.ms, o.seq FROM outcomes o JOIN cells c USING (job_key) JOIN nodes n USING (node_id) "
            "WHERE n.content = 'Ada collects postcards.'"
        )
        desk.put(OutcomesVoided(positions=(tuple(place),), reason="a bad model"), "void-postcards")
        desk.fold()

    def _waiting(self) -> None:
        desk = self.desk
        self.say("My tent is green.", "My boat is blue.", "My kite is red.")
        tent, boat, kite = (
            self._job(content) for content in ("My tent is green.", "My boat is blue.", "My kite is red.")
        )
        failed = JobFailed(job_key=tent[0], generation=tent[1], engine=SCRIPT, reason="no such model", attempts=3)
        desk.put(failed)
        trouble = troubles.Trouble(attempt=1, at=BEGIN_MS, error="the budget of today is used up", waits=True)
        troubles.tell(desk.client, "default", troubles.job_name(*boat), trouble)
        assert kite
        desk.put(MessagePublished(session="open", role="user", speaker="Ada", content="My lamp is yellow."))
        desk.fold()
        desk.put(MessagePublished(session="later", role="user", content="My scarf is purple."), "scarf")
        desk.put(SessionClosed(session="later"))

    def _job(self, content: str) -> tuple[str, int]:
        key, generation = self.desk.get(
            "SELECT j.job_key, j.generation FROM jobs j, json_each(j.inputs) i JOIN nodes n ON n.node_id = i.value "
            "WHERE n.content = ? AND j.kind = 'extract'",
            content,
        )
        return key, generation

    def _index(self) -> None:
        """Makes the vectors that are missing."""
        connection, embedder = self.desk.writer.connection, self.desk.writer.embedder
        with self.desk.writer.transaction():
            rows = vectors.missing(connection, 1_000)
            numbers, texts = [number for number, _ in rows], [text for _, text in rows]
            vectors.store(connection, embedder.name, numbers, texts, embedder.embed(texts))

    def node(self, content: str) -> str:
        """The id of the node with this content."""
        return str(self.desk.get("SELECT node_id FROM nodes WHERE content = ?", content))

    @property
    def reader(self) -> apsw.Connection:
        return open_reader(self.desk.settings.file)

    def why_not(self, text: str, question: Question | None = None, at: int = BEGIN_MS + 60 * DAY) -> list[Finding]:
        desk = self.desk
        with closing(self.reader) as connection:
            pending = list(log.read(desk.settings.archive, desk.writer.stream, desk.writer.position))
            beside = Surroundings(archive=desk.settings.archive, pending=pending, waiting=waiting(desk.writer.stream))
            asked = None if question is None else answer(connection, question, Words())
            with read_transaction(connection):
                return why_not(connection, text, now=at, beside=beside, asked=asked)


@pytest.fixture(scope="module")
def space(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with redis_py.Redis.from_url(redis_url) as client:
        client.flushall()
        desk = Desk(client, redis_url, tmp_path_factory.mktemp("why") / "data")
        yield Scripted(desk)
        desk.close()


AT = BEGIN_MS + 60 * DAY
#: When what nobody asked about has faded.
YEARS_LATER = BEGIN_MS + 1_500 * DAY


def question(query: str, **options: Any) -> Question:
    return Question(query=query, now=AT, **options)


VIOLIN = "Ada plays the violin."
#: For each reason what is missing, the question that it is missing from, and when it is asked.
MISSING: dict[str, tuple[Any, ...]] = {
    "in_answer": (VIOLIN, question("Who plays the violin?")),
    "remembered": (VIOLIN,),
    "never_published": ("I own a submarine.",),
    "parked": ("I collect stamps.",),
    "not_folded": ("My scarf is purple.",),
    "waits_for_window": ("My lamp is yellow.",),
    "waits_for_job": ("My kite is red.",),
    "waits_for_budget": ("My boat is blue.",),
    "job_failed": ("My tent is green.",),
    "not_extractable": ("The oven reports 200 degrees.",),
    "unknown_language": (DUTCH,),
    "nothing_found": ("Good morning to you all.",),
    "refused": ("My locker is number nine.",),
    "held": ("Cleo keeps hens.",),
    "same_as": ("My dog is called Rex.",),
    "superseded": ("I prefer Python.",),
    "ended": ("Ada stays in Lisbon.",),
    "not_yet": ("Ada works at Globex.",),
    "faded": ("Ada must water the tomatoes.", None, YEARS_LATER),
    "forgotten": ("I am allergic to peanuts.",),
    "corrected": ("Ada lives in Munich.",),
    "voided": ("Ada collects postcards.",),
    "filtered_out": (VIOLIN, question("Who plays the violin?", types=("opinion",))),
    "no_vector": ("My lamp is yellow.", question("What do we know of rain?")),
    "out_ranked": ("The weather report number 7 says rain.", question("What does the weather report say?", limit=3)),
    "not_relevant": (VIOLIN, question("What does the oven report?")),
}


def test_every_reason_is_tried() -> None:
    # What was erased is nowhere else either: where it stands for what was never published, test_erasing tries it.
    assert list(MISSING) == [reason for reason in REASONS if reason != "erased"]


@pytest.mark.parametrize("reason", MISSING)
def test_what_is_missing_has_its_reason(space: Scripted, reason: str) -> None:
    found = space.why_not(*MISSING[reason])
    assert found[0].reason == reason
    assert found[0].detail


def evidence(space: Scripted, reason: str) -> dict[str, Any]:
    return space.why_not(*MISSING[reason])[0].evidence


def test_reasons_are_shown_with_what_decides_them(space: Scripted) -> None:
    rust, rex = space.node("Ada prefers Rust."), space.node("Ada's dog is Rex.")
    assert evidence(space, "superseded")["by"] == rust
    assert evidence(space, "same_as")["node_id"] == rex
    assert evidence(space, "corrected")["by"] == space.node("Ada lives in Berlin.")
    assert evidence(space, "corrected")["event_id"] == "fix-residence"
    assert evidence(space, "forgotten")["event_id"] == "forget-peanuts"
    assert evidence(space, "ended")["changed_at"] == BEGIN_MS + 5 * DAY
    assert evidence(space, "held")["others"] == [space.node("Cleo keeps no animals.")]
    assert evidence(space, "parked")["reason"] == "id_reused"
    assert evidence(space, "not_folded")["lag_events"] == 2
    assert evidence(space, "refused")["refusals"][0]["reason"] == "not_quoted"
    assert evidence(space, "nothing_found")["engine"] == "script"
    assert evidence(space, "in_answer")["rank"] in {1, 2}


def test_what_has_too_little_to_do_with_a_question_says_how_little(space: Scripted) -> None:
    found = space.why_not(*MISSING["not_relevant"])[0]
    assert found.evidence == {"shared": []}
    assert "by words alone" in found.detail
    embedder = space.desk.writer.embedder
    with closing(space.reader) as connection:
        asked = answer(connection, question("What does the oven report?"), embedder)
        with read_transaction(connection):
            (said,) = matches(connection, VIOLIN)
            told = standing(connection, msgspec.structs.replace(asked, ranked={}, unfiltered={}, given=()), said)
    own = embedder.embed([VIOLIN])[0] @ embedder.embed(["What does the oven report?"])[0]
    assert told.evidence["similarity"] == pytest.approx(own, abs=1e-3)


def test_what_waits_says_for_what(space: Scripted) -> None:
    assert "no such model" in space.why_not("My tent is green.")[0].detail
    assert space.why_not("My boat is blue.")[0].detail == "the budget of today is used up"
    assert space.why_not("My lamp is yellow.")[0].evidence == {"session": "open"}


def test_what_was_called_off_says_by_whom_and_why(space: Scripted) -> None:
    message = space.why_not("I collect postcards.")[0]
    assert message.reason == "voided"
    assert (message.evidence["event_id"], message.evidence["why"]) == ("void-postcards", "a bad model")


def test_what_is_out_ranked_says_by_what_and_in_which_arm(space: Scripted) -> None:
    found = evidence(space, "out_ranked")
    assert found["rank"] > found["limit"] == len(found["by"]) == 3
    assert found["lost_in"] in found["arms"]
    assert found["last"]["node_id"] == found["by"][-1]
    assert found["score"] <= found["last"]["score"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"types": ("opinion",)}, ["types"]),
        ({"filters": Filters(speakers=("Cleo",), sessions=("day1",))}, ["speakers"]),
        ({"filters": Filters(before=BEGIN_MS - DAY)}, ["before"]),
        ({"filters": Filters(scenes=("garden",)), "types": ("procedural",)}, ["types", "scenes"]),
    ],
)
def test_what_is_filtered_out_says_by_which_options(space: Scripted, options: dict[str, Any], names: list[str]) -> None:
    found = space.why_not(VIOLIN, question("Who plays the violin?", **options))[0]
    assert (found.reason, found.evidence["by"]) == ("filtered_out", names)


def test_a_fact_that_was_told_again_and_then_replaced_is_superseded(space: Scripted) -> None:
    """What says the same is not the reason when it is itself not told any more."""
    found = space.why_not("My dog is called Rex.", None, YEARS_LATER)[0]
    assert (found.reason, found.evidence["same_as"]) == ("faded", space.node("Ada's dog is Rex."))


def test_a_text_is_found_in_any_case_in_part_and_by_its_words(space: Scripted) -> None:
    how = {text: space.why_not(text)[0].match for text in ("i PREFER python.", "prefer  Python", "Python, prefer I")}
    assert list(how.values()) == ["exact", "part", "words"]
    assert {space.why_not(text)[0].reason for text in how} == {"superseded"}


def test_what_was_never_published_names_what_is_near_to_it(space: Scripted) -> None:
    never, *near = space.why_not("I prefer Cobol and Fortran")
    assert (never.reason, never.match) == ("never_published", None)
    assert {finding.match for finding in near} == {"near"}
    assert "Ada prefers Rust." in {finding.content for finding in near}


@pytest.mark.parametrize("text", ['"AND" OR NEAR(', "👍", "\x1b[2J", "的", "x" * 20_000, "the of and"])
def test_any_text_may_be_asked_about(space: Scripted, text: str) -> None:
    assert space.why_not(text)[0].reason == "never_published"


# ---- why ---------------------------------------------------------------------------------------------------------


def story(space: Scripted, content: str) -> FactStory | MessageStory:
    with closing(space.reader) as connection, read_transaction(connection):
        return why(connection, space.node(content), AT, space.desk.settings.archive)


def test_a_fact_goes_back_to_its_message_its_engine_and_the_reply(space: Scripted) -> None:
    found = story(space, "Ada prefers Python.")
    assert isinstance(found, FactStory)
    assert [said.quote for said in found.said] == ["I prefer Python."]
    assert found.extraction is not None
    assert found.extraction.raw == "read ['I prefer Python.']"
    outcome = found.extraction.outcome
    told = (outcome.engine, outcome.model, outcome.prompt_version, outcome.tokens_in, outcome.cost_usd)
    assert told == ("script", "hand", "7", 120, 0.01)
    assert found.superseded_by == (space.node("Ada prefers Rust."),)
    (verdict,) = found.verdicts
    assert (verdict.ruling, verdict.kind, verdict.judge, verdict.state) == (
        *("supersedes", "changed", "engine", "in_force"),
    )


def test_what_people_asked_is_told_of_each_fact(space: Scripted) -> None:
    asked = {
        content: [decision.kind for decision in told.requests]
        for content in ("Ada is allergic to peanuts.", "Ada lives in Munich.", "Ada lives in Berlin.", VIOLIN)
        if isinstance(told := story(space, content), FactStory)
    }
    assert list(asked.values()) == [["forgotten"], ["corrected"], ["corrected"], []]


@pytest.mark.parametrize(
    ("content", "state"),
    [
        ("My lamp is yellow.", "open"),
        ("My kite is red.", "due"),
        ("My tent is green.", "failed"),
        ("I prefer Python.", "done"),
        ("I collect postcards.", "void"),
        ("The oven reports 200 degrees.", "not_extractable"),
    ],
)
def test_a_message_tells_where_it_is_on_its_way(space: Scripted, content: str, state: str) -> None:
    found = story(space, content)
    assert isinstance(found, MessageStory)
    assert found.window.state == state
