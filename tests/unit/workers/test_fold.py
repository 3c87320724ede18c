"""The fold: what one log becomes, in any batches, in any order, with anything on it."""

from __future__ import annotations

import os
import random
import socket
import time
from itertools import pairwise
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stories import (
    BEGIN_MS,
    SmallEmbedder,
    created,
    event,
    fold_more,
    folded,
    hashes_of,
    log_of,
    messages,
    newer,
    said,
)

from mnemolog.projections.integrity import fast_hash, verify
from mnemolog.schema.archive import Entry
from mnemolog.schema.errors import NewerEvent, StaleWriter
from mnemolog.schema.events import (
    DeadLetterDiscarded,
    DeadLetterRequeued,
    EntryParked,
    GapAccepted,
    PolicySet,
    SessionClosed,
)
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.policy import CapPolicy, Policy
from mnemolog.schema.times import DAY
from mnemolog.workers.writer.batches import Batches
from mnemolog.workers.writer.space_file import create_tables, open_for_writing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "space.db"


def letters(connection: apsw.Connection) -> list[tuple[str | None, str, str]]:
    return connection.execute("SELECT event_id, reason, state FROM dead_letters ORDER BY ms, seq").fetchall()


def requeued(at: Position, event_id: str = "again") -> bytes:
    return event(event_id, DeadLetterRequeued(ms=at.ms, seq=at.seq))


def place(number: int) -> Position:
    """Where the nth entry of `log_of` stands."""
    return Position(BEGIN_MS + number, 0)


#: Everything that can stand on a log today: repeated and reused ids, rubbish, parked, requeued and discarded entries.
def everything() -> list[bytes]:
    story = messages(120)
    return [
        said("too-early"),
        created(),
        *story[:60],
        story[3],
        said("m00004", "Something else under the same id."),
        b"rubbish",
        b"",
        requeued(place(0), "requeue-early"),
        event("closed", SessionClosed(session="s1", occurred_at=BEGIN_MS + 5)),
        event("policy", PolicySet(policy=Policy(caps=CapPolicy(future_ms=1)))),
        newer(),
        event("park", EntryParked(ms=place(68 + 2).ms, seq=0)),
        event("gap", GapAccepted(ms=1, seq=0)),
        event("discard", DeadLetterDiscarded(ms=place(64).ms, seq=0)),
        event("nothing-there", DeadLetterDiscarded(ms=5, seq=5)),
        created(event_id="created-again"),
        *story[60:],
    ]


def whole_log() -> list[Entry]:
    log = log_of(everything())
    stuck = next(entry.position for entry in log if entry.body == newer())
    park = event("park", EntryParked(ms=stuck.ms, seq=stuck.seq))
    return [Entry(e.position, park) if b'"park"' in e.body else e for e in log]


# ---- purity ----------------------------------------------------------------------------------------------------


def test_batches_of_any_size_give_the_same_hash_and_a_file_that_verifies(tmp_path: Path) -> None:
    log = whole_log()
    found = []
    for batch in (1, 7, 1_000):
        connection = folded(tmp_path / f"{batch}.db", log, batch)
        found.append(hashes_of(connection))
        assert fast_hash(connection) == found[-1].hash
        problems = [p for p in verify(connection).problems if not p.startswith("vectors")]
        assert problems == []
        reasons = {reason for _, reason, _ in letters(connection)}
        connection.close()
    assert found[0] == found[1] == found[2]
    assert found[0].position == log[-1].position
    assert reasons == {"no_space", "id_reused", "corrupt", "newer_version", "no_dead_letter", "space_exists"}


def test_the_fold_reads_no_clock_no_randomness_no_environment_and_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = whole_log()
    expected = folded(tmp_path / "expected.db", log)
    connection = open_for_writing(tmp_path / "pure.db")
    batches = Batches(connection)
    batches.create(lambda: create_tables(connection, SmallEmbedder()))

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the fold looked outside of its log")

    with monkeypatch.context() as patch:
        for name in ("time", "time_ns", "monotonic", "localtime", "gmtime", "perf_counter"):
            patch.setattr(time, name, forbidden)
        for name in ("random", "randrange", "choice", "getrandbits", "shuffle"):
            patch.setattr(random, name, forbidden)
        patch.setattr(os, "urandom", forbidden)
        patch.setattr(os, "getpid", forbidden)
        patch.setattr(socket, "gethostname", forbidden)
        patch.setattr(os, "environ", None)
        fold_more(batches, log, 7)
    assert hashes_of(connection) == hashes_of(expected)
    connection.close()
    expected.close()


def test_the_policy_on_the_log_counts_and_not_the_defaults_of_the_code(path: Path) -> None:
    ahead = BEGIN_MS + 30 * DAY
    before = said("before", occurred_at=ahead)
    after = said("after", occurred_at=ahead)
    strict = event("strict", PolicySet(policy=Policy(caps=CapPolicy(future_ms=0))))
    connection = folded(path, log_of([created(), before, strict, after]))
    valid = dict(connection.execute("SELECT event_id, valid_from FROM nodes"))
    assert valid == {"before": place(1).ms + DAY, "after": place(3).ms}
    accessed = dict(connection.execute("SELECT event_id, last_accessed FROM nodes"))
    assert accessed == valid
    connection.close()


def test_a_message_without_a_time_of_its_own_has_its_producers(path: Path) -> None:
    connection = folded(path, log_of([created(), said("plain")], BEGIN_MS + 70))
    row = connection.execute("SELECT occurred_at, recorded_at, seq, last_accessed FROM nodes").get
    assert row == (BEGIN_MS, BEGIN_MS + 71, 0, BEGIN_MS + 71)
    connection.close()


KINDS = st.sampled_from(
    ["message"] * 4
    + ["again", "reused", "rubbish", "requeue", "requeue", "discard", "policy", "closed", "creation", "newer", "gap"]
)


def drawn(kind: str, number: int, target: Position, session: str, other: str) -> bytes:
    """An entry of a kind: `target` is an entry that it may name, `other` an id that may have been used."""
    name = f"e{number}"
    at = BEGIN_MS + target.ms % 9
    return {
        "message": said(name, session=session, occurred_at=at),
        "again": said(other, session=session, occurred_at=at),
        "reused": said(other, "Something else."),
        "rubbish": b'{"id":',
        "requeue": requeued(target, name),
        "discard": event(name, DeadLetterDiscarded(ms=target.ms, seq=0)),
        "policy": event(name, PolicySet(policy=Policy(caps=CapPolicy(future_ms=number)))),
        "closed": event(name, SessionClosed(session=session)),
        "creation": created(event_id=name),
        "newer": newer(name),
        "gap": event(name, GapAccepted(ms=target.ms, seq=0)),
    }[kind]


def any_log(kinds: list[str], chance: random.Random) -> list[Entry]:
    """A log with everything on it at places that were drawn; at times it begins without its creation."""
    bodies = [created()][: chance.randrange(4)]
    for number, kind in enumerate(kinds):
        target, other = place(chance.randrange(len(kinds) + 1)), f"e{chance.randrange(number + 1)}"
        bodies.append(drawn(kind, number, target, chance.choice("ab"), other))
    parked = [number for number, body in enumerate(bodies) if b"dream_dreamt" in body]
    return log_of([*bodies, *(event(f"park{n}", EntryParked(ms=place(n).ms, seq=0)) for n in parked)])


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(KINDS, min_size=1, max_size=25), seed=st.integers(0, 2**32), batch=st.integers(2, 9))
def test_any_log_in_any_batches_gives_the_same_hash_and_adds_up(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], seed: int, batch: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    log = any_log(kinds, random.Random(seed))
    one_by_one = folded(folder / "one.db", log, 1)
    together = folded(folder / "together.db", log, batch)
    assert hashes_of(one_by_one) == hashes_of(together)
    assert hashes_of(together).position == log[-1].position
    assert [p for p in verify(together).problems if not p.startswith("vectors")] == []
    one_by_one.close()
    together.close()


# ---- order -----------------------------------------------------------------------------------------------------

Told = tuple[str, int, int | None, int | None]  # session, minute, the caller's counter, line of a file

STORY = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 3),
        st.none() | st.integers(0, 2),
        st.none() | st.integers(0, 2),
    ),
    min_size=1,
    max_size=12,
)


def told(story: list[Told]) -> list[bytes]:
    return [
        said(f"e{number}", f"words {number}", session, occurred_at=BEGIN_MS + minute * 60_000, seq=seq, line=line)
        for number, (session, minute, seq, line) in enumerate(story)
    ]


def chain(story: list[Told]) -> set[tuple[str, str]]:
    """The temporal edges as the order key gives them: (occurred_at, seq, event_id) within each session."""
    edges: set[tuple[str, str]] = set()
    for session in {told[0] for told in story}:
        keys = sorted(
            (minute, seq if seq is not None else line or 0, f"e{number}")
            for number, (of, minute, seq, line) in enumerate(story)
            if of == session
        )
        edges |= {(episode_id(one[2]), episode_id(other[2])) for one, other in pairwise(keys)}
    return edges


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=STORY, data=st.data())
def test_any_order_on_the_log_gives_the_same_content_and_the_same_edges(
    tmp_path_factory: pytest.TempPathFactory, story: list[Told], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("order")
    bodies = told(story)
    shuffled = data.draw(st.permutations([*bodies, *bodies[:2]]))
    straight = folded(folder / "straight.db", log_of([created(), *bodies]))
    other = folded(folder / "other.db", log_of([created(), *shuffled], BEGIN_MS + 999), batch=3)
    for connection in (straight, other):
        edges = connection.execute("SELECT source, target FROM edges WHERE kind = 'temporal'").fetchall()
        assert set(edges) == chain(story)
        assert len(edges) == len(chain(story))
    assert hashes_of(straight).content_hash == hashes_of(other).content_hash
    assert hashes_of(straight).hash != hashes_of(other).hash
    straight.close()
    other.close()


def test_a_late_message_takes_its_place_in_time(path: Path) -> None:
    bodies = [said(name, occurred_at=BEGIN_MS + at) for name, at in (("one", 1), ("three", 3), ("two", 2), ("zero", 0))]
    connection = folded(path, log_of([created(), *bodies]))
    edges = connection.execute("SELECT source, target, valid_from FROM edges ORDER BY valid_from").fetchall()
    names = {episode_id(name): name for name in ("zero", "one", "two", "three")}
    assert [(names[a], names[b], at - BEGIN_MS) for a, b, at in edges] == [
        ("zero", "one", 1),
        ("one", "two", 2),
        ("two", "three", 3),
    ]
    connection.close()


# ---- duplicates and dead letters ---------------------------------------------------------------------------------


def test_a_repeated_event_changes_nothing_but_the_position(tmp_path: Path) -> None:
    once = folded(tmp_path / "once.db", log_of([created(), said("a"), said("b")]))
    # A producer that tries again stamps its clock anew, and an importer may give another line.
    again = said("a", line=7).replace(str(BEGIN_MS).encode(), str(BEGIN_MS + 4_711).encode())
    assert again != said("a")
    twice = folded(tmp_path / "twice.db", log_of([created(), said("a"), said("b"), again, said("b"), created()]))
    assert letters(twice) == []
    assert hashes_of(once).content_hash == hashes_of(twice).content_hash
    for table in ("events", "nodes", "edges", "sessions"):
        query = f"SELECT * FROM {table} ORDER BY 1"
        assert once.execute(query).fetchall() == twice.execute(query).fetchall()
    once.close()
    twice.close()


@pytest.mark.parametrize(
    "other",
    [
        said("a", "Something else."),
        said("a", session="tuesday"),
        said("a", speaker="Ada"),
        said("a", role="assistant"),
        said("a", occurred_at=1),
        said("a", metadata={"k": 1}),
        event("a", SessionClosed(session="monday")),
    ],
)
def test_an_id_used_again_for_something_else_is_parked_and_the_first_stays(path: Path, other: bytes) -> None:
    connection = folded(path, log_of([created(), said("a"), other, said("b")]))
    assert letters(connection) == [("a", "id_reused", "parked")]
    assert [row[0] for row in connection.execute("SELECT content FROM nodes")] == ["Hello.", "Hello."]
    assert connection.execute("SELECT body FROM dead_letters").get == other
    connection.close()


@pytest.mark.parametrize(
    "early", [said("early"), event("early", SessionClosed(session="s")), event("early", PolicySet(policy=Policy()))]
)
def test_what_comes_before_the_spaces_creation_is_parked_and_folds_when_requeued(path: Path, early: bytes) -> None:
    connection = folded(path, log_of([early, created()]))
    assert letters(connection) == [("early", "no_space", "parked")]
    assert connection.execute("SELECT count(*) FROM events").get == 1
    connection.close()
    path.unlink()
    connection = folded(path, log_of([early, created(), requeued(place(0))]))
    assert letters(connection) == [("early", "no_space", "requeued")]
    assert connection.execute("SELECT ms, seq FROM events WHERE event_id = 'early'").fetchall() == [place(0)]
    connection.close()


def test_what_still_cannot_be_folded_stays_parked_when_requeued(path: Path) -> None:
    log = log_of(
        [created(), said("a"), said("a", "other"), b"rubbish", requeued(place(2), "r2"), requeued(place(3), "r3")]
    )
    connection = folded(path, log)
    assert letters(connection) == [("a", "id_reused", "parked"), (None, "corrupt", "parked")]
    assert connection.execute("SELECT count(*) FROM events WHERE type = 'dead_letter_requeued'").get == 2
    connection.close()


def test_a_requeue_of_what_is_not_parked_is_parked_itself_and_cannot_name_itself(path: Path) -> None:
    itself = requeued(place(1), "itself")
    log = log_of(
        [created(), itself, requeued(place(1), "outer"), requeued(place(3), "loop"), requeued(place(3), "loop-2")]
    )
    connection = folded(path, log)
    assert letters(connection) == [
        ("itself", "no_dead_letter", "parked"),
        ("loop", "no_dead_letter", "parked"),
    ]
    connection.close()


def test_a_letter_that_was_requeued_cannot_be_requeued_or_discarded_again(path: Path) -> None:
    log = log_of(
        [
            said("early"),
            created(),
            requeued(place(0), "first"),
            requeued(place(0), "second"),
            event("third", DeadLetterDiscarded(ms=place(0).ms, seq=0)),
        ]
    )
    connection = folded(path, log)
    assert letters(connection) == [
        ("early", "no_space", "requeued"),
        ("second", "no_dead_letter", "parked"),
        ("third", "no_dead_letter", "parked"),
    ]
    assert connection.execute("SELECT count(*) FROM nodes").get == 1
    connection.close()


def test_a_discarded_letter_stays_readable_and_may_still_be_requeued(path: Path) -> None:
    discard = event("discard", DeadLetterDiscarded(ms=place(0).ms, seq=0))
    connection = folded(path, log_of([said("early"), created(), discard]))
    assert letters(connection) == [("early", "no_space", "discarded")]
    connection.close()
    path.unlink()
    connection = folded(path, log_of([said("early"), created(), discard, requeued(place(0))]))
    assert letters(connection) == [("early", "no_space", "requeued")]
    connection.close()


def test_a_second_creation_is_parked_and_changes_neither_salt_nor_policy(path: Path) -> None:
    log = log_of([created(), created(salt="ab" * 16, event_id="again")])
    connection = folded(path, log)
    assert letters(connection) == [("again", "space_exists", "parked")]
    assert connection.execute("SELECT salt FROM space").get == "5a" * 16
    connection.close()


# ---- poison ----------------------------------------------------------------------------------------------------


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that refuse an episode whose content is 'too hard', as a constraint would."""
    create = create_tables

    def with_trigger(connection: apsw.Connection, *rest: object) -> None:
        create(connection, *rest)  # type: ignore[arg-type]
        connection.execute(
            "CREATE TRIGGER refuse AFTER INSERT ON edges WHEN "
            "(SELECT content FROM nodes WHERE node_id = new.target) = 'too hard' "
            "BEGIN SELECT raise(ABORT, 'no such luck'); END"
        )

    monkeypatch.setattr("support.stories.create_tables", with_trigger)


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_an_entry_that_the_tables_refuse_parks_alone_while_its_batch_goes_on(path: Path, batch: int) -> None:
    bodies = [created(), said("a", occurred_at=1), said("b", "too hard", occurred_at=2), said("c", occurred_at=3)]
    connection = folded(path, log_of(bodies), batch)
    assert letters(connection) == [(None, "refused_by_tables", "parked")]
    assert "no such luck" in connection.execute("SELECT detail FROM dead_letters").get
    assert [row[0] for row in connection.execute("SELECT event_id FROM nodes ORDER BY 1")] == ["a", "c"]
    assert connection.execute("SELECT source, target FROM edges").fetchall() == [(episode_id("a"), episode_id("c"))]
    assert connection.execute("SELECT count(*) FROM fulltext").get == 2
    assert fast_hash(connection) == hashes_of(connection).hash
    connection.close()


DEEP = b"[" * 100_000 + b"]" * 100_000
FOREIGN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"\x00",
    b'{"id":"x"}',
    said("x", metadata={"a": "Z"}).replace(b'"Z"', DEEP),
    said("x", metadata={"a": "Z"}).replace(b'"Z"', b"[" * 500 + b"]" * 500),
    said("x", metadata={"a": "Z"}).replace(b'"Z"', b'"\\ud800"'),
    said("x", metadata={"a": "Z"}).replace(b'"Z"', b"1e999"),
    said("x", metadata={"a": "Z"}).replace(b'"Z"', b"9" * 5_000),
    said("x", "Z").replace(b'"Z"', b'"\\u0000"'),
    said("x").replace(str(BEGIN_MS).encode(), b"9" * 30),
    said("x", occurred_at=1).replace(b'"occurred_at":1', b'"occurred_at":9223372036854775808'),
    said("x").replace(b'"v":1', b'"v":0'),
    said("x").replace(b'"role":"user"', b'"role":"root"'),
    said("").replace(b'"monday"', b'""'),
    said("y" * 201),
    said("x", "a" * (2 * 1024 * 1024 + 1)),
    b"[" * 5_000_000,
    b'{"id":"x","type":"message_published","v":1,"g":1,"at":1,"data":' + DEEP + b"}",
]


@pytest.mark.parametrize("body", FOREIGN, ids=range(len(FOREIGN)))
def test_no_bytes_on_the_stream_stop_the_fold(path: Path, body: bytes) -> None:
    connection = folded(path, log_of([created(), said("before"), body, said("after")]))
    assert [row[0] for row in connection.execute("SELECT event_id FROM nodes")] == ["before", "after"]
    assert [state for _, _, state in letters(connection)] == ["parked"]
    assert connection.execute("SELECT body FROM dead_letters").get == body
    connection.close()


def test_nesting_is_judged_alike_however_deep_the_callers_stack_is(tmp_path: Path) -> None:
    bodies = [
        said(f"d{depth}", metadata={"a": "Z"}).replace(b'"Z"', b"[" * depth + b"]" * depth)
        for depth in range(10, 1_000, 30)
    ]

    def deeper(levels: int, path: Path) -> apsw.Connection:
        return deeper(levels - 1, path) if levels else folded(path, log_of([created(), *bodies]))

    shallow, deep = deeper(0, tmp_path / "shallow.db"), deeper(300, tmp_path / "deep.db")
    assert hashes_of(shallow) == hashes_of(deep)
    shallow.close()
    deep.close()


# ---- newer versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_a_newer_event_ends_the_fold_after_what_stands_before_it(path: Path, batch: int) -> None:
    connection = open_for_writing(path)
    batches = Batches(connection)
    batches.create(lambda: create_tables(connection, SmallEmbedder()))
    log = log_of([created(), said("a"), newer(), said("b")])
    with pytest.raises(NewerEvent, match="dream_dreamt"):
        fold_more(batches, log, batch)
    assert connection.execute("SELECT position_ms FROM space").get == place(1).ms
    assert [row[0] for row in connection.execute("SELECT event_id FROM nodes")] == ["a"]
    connection.close()


@pytest.mark.parametrize(
    "body",
    [
        newer(),
        said("x").replace(b'"v":1', b'"v":2'),
        b'{"g":99,"who":"knows"}',
    ],
)
def test_a_newer_event_is_parked_when_an_operator_said_so_and_the_rest_is_folded(path: Path, body: bytes) -> None:
    park = event("park", EntryParked(ms=place(1).ms, seq=0))
    connection = folded(path, log_of([created(), body, said("b"), park]), batch=2)
    assert letters(connection) == [(None, "newer_version", "parked")]
    assert connection.execute("SELECT event_id FROM nodes").get == "b"
    connection.close()


def test_parking_names_one_entry_only(path: Path) -> None:
    park = event("park", EntryParked(ms=place(1).ms, seq=0))
    with pytest.raises(NewerEvent):
        folded(path, log_of([created(), newer("one"), newer("two"), park]))


# ---- compare and set ---------------------------------------------------------------------------------------------


def test_entries_that_are_folded_already_are_refused_with_nothing_written(path: Path) -> None:
    log = log_of([created(), said("a"), said("b")])
    connection = folded(path, log)
    before = hashes_of(connection)
    with pytest.raises(StaleWriter, match="another writer was here"):
        fold_more(Batches(connection), log[2:])
    assert hashes_of(connection) == before
    connection.close()


def test_a_message_is_findable_by_full_text_in_the_transaction_that_folds_it(path: Path) -> None:
    connection = folded(path, log_of([created(), said("a", "violins in Lisbon")]))
    assert connection.execute("SELECT rowid FROM fulltext WHERE fulltext MATCH '\"lisbon\"'").fetchall() == [(1,)]
    connection.close()


def test_metadata_of_any_key_order_is_one_thing_and_one_row(tmp_path: Path) -> None:
    one = folded(tmp_path / "one.db", log_of([created(), said("a", metadata={"x": 1, "y": {"b": 2, "a": 3}})]))
    other = folded(tmp_path / "other.db", log_of([created(), said("a", metadata={"y": {"a": 3, "b": 2}, "x": 1})]))
    assert hashes_of(one).content_hash == hashes_of(other).content_hash
    query = "SELECT * FROM events"
    assert one.execute(query).fetchall() == other.execute(query).fetchall()
    one.close()
    other.close()
