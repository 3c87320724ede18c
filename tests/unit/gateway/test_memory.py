"""The memory as all doors see it, over a file alone: what it reads, how it pages, what it refuses, what it keeps open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import START_MS, Words, days
from support.folding import Memory as File

from mnemolog.gateway.memory import Memories, Memory, facts, stories, timelines
from mnemolog.gateway.memory import work as open_work
from mnemolog.gateway.memory.objects import as_object, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.publishing import Interaction
from mnemolog.projections import facts as projected_facts
from mnemolog.projections import recalls, sessions, timeline, why, work
from mnemolog.projections import scenes as projected_scenes
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.schema.errors import (
    DamagedFile,
    InvalidContent,
    InvalidInput,
    InvalidSpaceName,
    InvalidTime,
    LogUnavailable,
    SpaceNotFound,
)
from mnemolog.schema.ids import Position
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import MAX_MS, show

SPACE = "home"
THEN = show(START_MS + days(1))
LONG_AFTER = show(START_MS + days(30))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", space=SPACE)


def begun(settings: Settings) -> File:
    settings.folder.mkdir(parents=True)
    file = File(settings.file)
    file.now = START_MS + days(20)
    return file


def tell(file: File, count: int) -> list[str]:
    """Facts told on one day after another, each in a session of its own."""
    return [
        file.state(f"I like the number {number}.", START_MS + days(number), f"day-{number:02}", object=str(number))
        for number in range(count)
    ]


def opened(settings: Settings, embedder: Embedder | None = None) -> Memory:
    return Memory(Place(settings, lambda: embedder or Words()))


@pytest.fixture
def file(settings: Settings) -> Iterator[File]:
    made = begun(settings)
    yield made
    made.connection.close()


@pytest.fixture
def memory(settings: Settings) -> Iterator[Memory]:
    with opened(settings) as made:
        yield made


# ---- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "projection", "more"),
    [
        (facts.Fact, projected_facts.Fact, set()),
        (facts.Scene, projected_scenes.Scene, set()),
        (stories.FactStory, why.FactStory, set()),
        (stories.MessageStory, why.MessageStory, set()),
        (stories.SceneStory, why.SceneStory, set()),
        (stories.Said, why.Said, set()),
        (stories.Judged, why.Judged, set()),
        (stories.Recorded, recalls.Recorded, set()),
        (timelines.Session, sessions.Session, set()),
        (timelines.Message, timeline.Entry, set()),
        (open_work.Work, work.Work, {"space", "position", "lag_events", "redis", "waiting"}),
    ],
)
def test_an_answer_has_all_that_its_projection_found(answer: Any, projection: Any, more: set[str]) -> None:
    assert set(answer.__struct_fields__) == {*projection.__struct_fields__, *more}


def test_times_are_told_in_iso_8601_positions_as_text_and_counts_as_they_are() -> None:
    found = sessions.Session(
        session="s", first_at=START_MS, last_at=MAX_MS + 1, messages=1, waiting=0, speakers=(), closed_at=None
    )
    answer = told(timelines.Session, found)
    assert (answer.first_at, answer.last_at) == ("2026-03-09T00:00:00Z", "9999-12-31T23:59:59.999Z")
    assert as_object({"made_at": Position(5, 1), "at": True}) == {"made_at": "5-1", "at": True}


def test_how_many_facts_are_about_a_name_is_no_time(file: File, memory: Memory) -> None:
    tell(file, 3)
    (ada,) = memory.entities().entities
    assert msgspec.json.decode(msgspec.json.encode(memory.entities()))["entities"][0]["about"] == 3
    assert (ada.name, ada.about, ada.spoken) == ("Ada", 3, 3)


# ---- pages -------------------------------------------------------------------------------------------------------


def test_facts_come_in_pages_the_newest_first_and_each_once(file: File, memory: Memory) -> None:
    node_ids = tell(file, 5)
    seen: list[str] = []
    after = None
    while True:
        page = memory.facts(limit=2, after=after, now=LONG_AFTER)
        seen += [fact.node_id for fact in page.facts]
        if page.next is None:
            break
        after = page.next
    assert seen == node_ids[::-1]


def test_facts_are_those_that_were_live_at_the_time_asked_about(file: File, memory: Memory) -> None:
    tell(file, 5)
    assert [fact.object for fact in memory.facts(as_of=THEN).facts] == ["1", "0"]
    assert [fact.status for fact in memory.facts(as_of=THEN, standing="past").facts] == ["future"] * 3
    assert len(memory.facts(standing="any", as_of=THEN, subject="Ada").facts) == 5
    assert memory.facts(standing="any", as_of=THEN, subject="Ben").facts == ()


def test_sessions_come_in_pages_the_newest_first_with_who_speaks(file: File, memory: Memory) -> None:
    tell(file, 3)
    file.say("Hello.", at=START_MS + days(9), session="last", role="assistant", speaker=None)
    file.say("Hello yourself.", at=START_MS + days(9) + 1, session="last", speaker="Ben")
    first = memory.sessions(limit=2)
    rest = memory.sessions(limit=2, after=first.next)
    assert [one.session for one in (*first.sessions, *rest.sessions)] == ["last", "day-02", "day-01", "day-00"]
    assert rest.next is None
    last = first.sessions[0]
    assert (last.messages, last.waiting, last.speakers, last.closed_at) == (2, 2, ("assistant", "Ben"), None)
    assert first.sessions[1].closed_at is not None


def test_sessions_tell_what_had_been_said_by_the_time_asked_about(file: File, memory: Memory) -> None:
    file.say("One.", at=START_MS, session="s")
    file.say("Two.", at=START_MS + days(3), session="s", speaker="Ben")
    (then,) = memory.sessions(as_of=THEN).sessions
    assert (then.messages, then.last_at, then.speakers) == (1, show(START_MS), ("Ada",))
    assert memory.sessions(as_of=show(START_MS - 1)).sessions == ()


def test_the_timeline_goes_back_and_forth_in_pages_with_the_facts_of_each_message(file: File, memory: Memory) -> None:
    node_ids = tell(file, 5)
    newest = memory.timeline(limit=2, now=LONG_AFTER)
    assert [fact.node_id for message in newest.messages for fact in message.facts] == node_ids[:2:-1]
    earlier = memory.timeline(limit=2, before=newest.next, now=LONG_AFTER)
    assert [message.session for message in earlier.messages] == ["day-02", "day-01"]
    last = memory.timeline(limit=2, before=earlier.next, now=LONG_AFTER)
    assert ([message.session for message in last.messages], last.next) == (["day-00"], None)
    later = memory.timeline(limit=2, after=last.messages[0].node_id, now=LONG_AFTER)
    assert [message.session for message in later.messages] == ["day-02", "day-01"]
    assert later.next == earlier.next


def test_the_timeline_is_of_a_session_and_of_what_had_been_said(file: File, memory: Memory) -> None:
    tell(file, 3)
    (message,) = memory.timeline(session="day-01").messages
    assert (message.content, message.facts[0].object) == ("I like the number 1.", "1")
    assert [one.session for one in memory.timeline(as_of=THEN).messages] == ["day-01", "day-00"]


def test_topics_and_names_come_in_pages(file: File, memory: Memory) -> None:
    for number in range(3):
        file.state(f"Fact {number}.", START_MS, f"s{number}", scene=f"scene {number}", subject=f"Person {number}")
    first = memory.scenes(limit=2)
    assert [one.scene for one in first.scenes] == ["scene 0", "scene 1"]
    assert [one.scene for one in memory.scenes(limit=2, after=first.next).scenes] == ["scene 2"]
    assert memory.scene("scene 2", now=LONG_AFTER).facts[0].content == "Fact 2."
    everybody = memory.entities(limit=10).entities
    page = memory.entities(limit=2)
    assert (*page.entities, *memory.entities(limit=2, after=page.next).entities) == everybody


@pytest.mark.parametrize(
    "ask",
    [
        lambda memory: memory.facts(after="x"),
        lambda memory: memory.facts(after="9" * 30 + ":ce-1"),
        lambda memory: memory.facts(limit=0),
        lambda memory: memory.facts(limit=201),
        lambda memory: memory.facts(standing="dead"),
        lambda memory: memory.sessions(after="nobody"),
        lambda memory: memory.sessions(limit=201),
        lambda memory: memory.timeline(before="ce-1"),
        lambda memory: memory.timeline(limit=10**9),
        lambda memory: memory.scenes(after="nothing"),
        lambda memory: memory.scene("nothing"),
        lambda memory: memory.entities(after="nobody"),
        lambda memory: memory.entity("nobody"),
        lambda memory: memory.history("ce-ffff"),
        lambda memory: memory.why("ce-ffff"),
        lambda memory: memory.why_not(" "),
        lambda memory: memory.changes(START_MS, START_MS - 1),
        lambda memory: memory.recall("x", limit=1001),
        lambda memory: memory.recall("x", types=["fact"]),
        lambda memory: memory.recall("x", time_zone="Nowhere/Never"),
        lambda memory: memory.context("x", budget=1),
        lambda memory: memory.forget(),
        lambda memory: memory.forget(text="a", node_id="ce-1"),
        lambda memory: memory.review(approved=True),
        lambda memory: memory.wait("yesterday", 0),
        lambda memory: memory.work(limit=0),
        lambda memory: memory.remember(" "),
        lambda memory: memory.publish(Interaction(role="user", content="x", session="")),
    ],
)
def test_what_cannot_be_is_refused_by_name(file: File, memory: Memory, ask: Any) -> None:
    tell(file, 1)
    with pytest.raises(InvalidInput):
        ask(memory)


@pytest.mark.parametrize("text", ["yesterday", "2026-03-09T00:00:00", ""])
def test_times_without_an_offset_are_refused(file: File, memory: Memory, text: str) -> None:
    for ask in (memory.facts, memory.scenes, memory.sessions, memory.timeline):
        with pytest.raises(InvalidTime):
            ask(as_of=text)
    with pytest.raises(InvalidTime):
        memory.recall("x", after=text)


def test_an_option_that_there_is_not_is_an_error_of_the_caller(memory: Memory) -> None:
    with pytest.raises(TypeError, match="moon"):
        memory.recall("x", moon=1)  # type: ignore[call-arg]


def test_half_a_character_is_refused_and_the_next_question_is_answered(file: File, memory: Memory) -> None:
    tell(file, 1)
    for ask in (
        lambda: memory.facts(scene="half \ud83d"),
        lambda: memory.timeline(session="half \ud83d"),
        lambda: memory.sessions(after="half \ud83d"),
    ):
        with pytest.raises(InvalidContent):
            ask()
    assert len(memory.facts(now=LONG_AFTER).facts) == 1


# ---- the file ----------------------------------------------------------------------------------------------------


def test_without_a_file_reading_says_so_and_nothing_is_made(settings: Settings, memory: Memory) -> None:
    for ask in (memory.facts, memory.scenes, memory.sessions, memory.timeline, memory.entities, memory.status):
        with pytest.raises(SpaceNotFound):
            ask()
    with pytest.raises(LogUnavailable):
        memory.publish(Interaction(role="user", content="hello", session="s"))
    assert memory.position() == "0-0"
    assert not settings.data.exists()


def test_a_file_that_is_deleted_and_built_again_is_read_anew(settings: Settings, memory: Memory) -> None:
    before = begun(settings)
    tell(before, 3)
    assert len(memory.timeline(now=LONG_AFTER).messages) == 3
    before.connection.close()
    for path in settings.folder.glob("space.db*"):
        path.unlink()
    with pytest.raises(SpaceNotFound):
        memory.timeline()
    settings.folder.rmdir()
    after = begun(settings)
    tell(after, 1)
    assert len(memory.timeline(now=LONG_AFTER).messages) == 1
    after.connection.close()


def test_a_damaged_file_is_named_so(settings: Settings, memory: Memory) -> None:
    settings.folder.mkdir(parents=True)
    settings.file.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(DamagedFile):
        memory.facts()


def test_many_threads_are_answered_over_a_few_connections(settings: Settings, file: File, memory: Memory) -> None:
    tell(file, 3)
    answers: list[int] = []

    def ask() -> None:
        answers.extend(len(memory.facts(now=LONG_AFTER).facts) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [3] * 240


def test_a_memory_that_was_closed_opens_again(file: File, memory: Memory) -> None:
    tell(file, 1)
    memory.facts()
    memory.close()
    assert len(memory.facts(now=LONG_AFTER).facts) == 1


def test_a_position_that_the_file_holds_is_not_waited_for(file: File, memory: Memory) -> None:
    tell(file, 1)
    assert memory.wait(memory.position(), 0)
    assert not memory.wait("9999999999999-0", 60)  # no writer runs


def test_recall_and_context_answer_without_redis_and_leave_no_trace(file: File, memory: Memory) -> None:
    file.state("I keep a spare key at the office.", START_MS, "s")
    found = memory.recall("Where is the spare key?", speakers=["ada"], now=LONG_AFTER)
    assert {one.type for one in found.results} == {"semantic", "episodic"}
    assert memory.recall("spare key", speakers=["Ben"], now=LONG_AFTER).results == ()
    told_in = memory.context("Where is the spare key?", now=LONG_AFTER)
    assert "spare key" in told_in.text
    assert 0 < told_in.tokens <= told_in.budget
    without = memory.context("Where is the spare key?", now=LONG_AFTER, without=["s:I keep a spare key at the office."])
    assert without.messages == ()


# ---- many memories -----------------------------------------------------------------------------------------------


def test_the_memory_that_was_not_used_longest_is_closed_and_never_one_in_use(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, space="a")
    with Memories(settings, ModelSettings(), most_open=2) as memories:
        with memories.using("a") as first, memories.using("b") as second:
            with memories.using("c") as third:
                pass
            with memories.using("c") as again:
                assert again is not third
        for name, memory in (("b", second), ("a", first)):
            with memories.using(name) as kept:
                assert kept is memory
        with memories.using("c"), memories.using("a") as kept:
            assert kept is first
        with memories.using("b") as made:
            assert made is not second


def test_memories_share_an_embedder_and_refuse_names_that_are_none(tmp_path: Path) -> None:
    with Memories(Settings(data=tmp_path), ModelSettings()) as memories:
        with memories.using() as first, memories.using("other") as second:
            assert (first.space, second.space) == ("default", "other")
            assert first.place.embedder() is second.place.embedder()
        for name in ("../x", "a/b", "x" * 65):
            with pytest.raises(InvalidSpaceName):
                memories.run(name, lambda memory: memory.space)
        assert memories.run("other", lambda memory: memory.space) == "other"
        assert memories.spaces() == []
