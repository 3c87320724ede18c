"""Entries of every bad kind among good ones, clocks that are wrong, deliveries that are out of order."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import redis as redis_py
from support import run_cli, start_cli, wait_until
from support.chaos_story import conversation, differences, sessions_of, undisturbed_run, without_a_cap
from support.jobs import Desk
from support.proxy import Proxy
from support.stories import (
    BEGIN_MS,
    append,
    contents,
    created,
    event,
    ingested,
    problems,
    rows,
    said,
    settings_in,
    verified,
)

from mnemolog.producers.messages import payload_of
from mnemolog.schema import keys
from mnemolog.schema.codec import encode
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.events import MAX_EVENT_BYTES, MessagePublished, SessionClosed, SpaceCreated
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, Engine, PairVerdict
from mnemolog.schema.policy import Policy
from mnemolog.schema.requests import FactsForgotten
from mnemolog.schema.settings import Settings
from mnemolog.schema.times import DAY, HOUR, parse

_ENGINE = Engine(name="nobody", model="none", prompt_version="0")
_GOOD = msgspec.json.decode(said("good"))
BAD = {
    "no JSON": b"\xff\xfe not an event",
    "cut": said("cut")[:-9],
    "empty": b"",
    "oversize": b'{"id":"' + b"x" * MAX_EVENT_BYTES + b'"}',
    "nested": b"[" * 100_000,
    "unknown type of this generation": msgspec.json.encode(_GOOD | {"id": "b1", "type": "message_dreamt"}),
    "wrong field": msgspec.json.encode(_GOOD | {"id": "b2", "data": {"session": 7}}),
    "no id": msgspec.json.encode(_GOOD | {"id": ""}),
    "time out of range": msgspec.json.encode(_GOOD | {"id": "b3", "at": 2**62}),
    "id used again": said("m0", "Something else."),
    "second creation": event("b4", SpaceCreated(space="default", salt="00" * 16, policy=Policy())),
    "creation of another space": event("b5", SpaceCreated(space="other", salt="00" * 16, policy=Policy())),
    "facts that are not there": event("b6", FactsForgotten(node_ids=("ce-none",))),
}
#: These are no damage: they say what cannot be, and are refused by the fold without being parked.
IMPOSSIBLE = {
    "outcome of no job": event("i1", CellsExtracted(job_key="0" * 32, generation=1, engine=_ENGINE, cells=())),
    "verdict on nobody": event(
        "i2",
        ConflictsJudged(
            job_key="1" * 32, generation=1, engine=_ENGINE, verdicts=(PairVerdict("ce-a", "ce-b", "supersedes"),)
        ),
    ),
    "dated 2099": said("i3", "Hello from 2099.", occurred_at=parse("2099-12-31T00:00:00Z")),
}


@pytest.fixture
def space(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "data")


def test_bad_entries_are_parked_each_with_its_reason_and_good_ones_between_them_are_folded(
    redis: redis_py.Redis, redis_url: str, space: Settings
) -> None:
    told = [created(), said("m0")]
    for number, body in enumerate([*BAD.values(), *IMPOSSIBLE.values()], 1):
        told += [body, said(f"m{number}")]
    append(redis, told)
    # Not an event at all: another program's fields.
    redis.xadd(keys.stream("default"), {"foo": "bar"})
    with start_cli("--data", space.data, "--redis", redis_url, "ingest") as writer:
        good = {f"m{number}" for number in range(len(BAD) + len(IMPOSSIBLE) + 1)} | {"i3"}
        wait_until(lambda: contents(space) >= good, 20.0, "the good ones")
        wait_until(lambda: len(letters(space)) == len(BAD) + 1, 5.0, "the bad ones")
        assert contents(space) == good
        assert all(reason and detail for _, reason, detail in letters(space))
        positions = [position for position, _, _ in letters(space)]
        for position in positions:
            requeued = run_cli("--data", space.data, "--redis", redis_url, "dead-letters", "requeue", position)
            assert requeued.returncode == 0, requeued.stderr
        append(redis, [said("last")])
        wait_until(lambda: "last" in contents(space), 20.0)
        writer.interrupt()
        assert writer.wait() == 0, writer.output
    assert contents(space) == good | {"last"}
    assert [position for position, _, _ in letters(space)] == positions
    assert problems(space) == ()
    assert verified(space).equal is True
    assert verified(space, batch=1).equal is True


def letters(space: Settings) -> list[tuple[str, str, str]]:
    """What is parked: position, reason, detail."""
    listed = run_cli("--data", space.data, "dead-letters", "list", "--json")
    return [(letter["position"], letter["reason"], letter["detail"]) for letter in json.loads(listed.stdout)]


# ---- clocks --------------------------------------------------------------------------------------------------------


def test_a_server_whose_clock_was_an_hour_ahead_and_is_set_back_skips_no_event(
    redis: redis_py.Redis, space: Settings
) -> None:
    seconds, _ = redis.time()
    ahead = 1_000 * int(seconds) + HOUR
    append(redis, [created(), said("ahead")], ids=[f"{ahead}-0", f"{ahead}-1"])
    ingested(redis, space)
    # With its clock set back Redis goes on counting from the highest id.
    append(redis, [said(f"after-{number}", occurred_at=BEGIN_MS + number) for number in range(20)])
    ingested(redis, space)
    assert contents(space) == {"ahead"} | {f"after-{number}" for number in range(20)}
    told = rows(space.file, "SELECT occurred_at FROM nodes WHERE event_id LIKE 'after-%' ORDER BY seq, occurred_at")
    assert told == [(BEGIN_MS + number,) for number in range(20)]
    assert verified(space).equal is True


def test_two_machines_whose_clocks_are_apart_keep_the_times_that_they_gave(
    redis: redis_py.Redis, space: Settings
) -> None:
    seconds, _ = redis.time()
    now = 1_000 * int(seconds)
    told = []
    for number in range(20):
        clock = now + number + (-HOUR if number % 2 else 40 * DAY)
        payload = MessagePublished(session="both", role="user", content=f"Message {number}.", seq=number)
        told.append((f"c{number:02}", clock, payload))
    append(redis, [created(), *(encode(*one) for one in told)])
    ingested(redis, space)
    times = rows(space.file, "SELECT event_id, occurred_at FROM nodes ORDER BY event_id")
    assert times == [(name, clock) for name, clock, _ in told]
    latest = rows(space.file, "SELECT max(valid_from - recorded_at) FROM nodes")[0][0]
    assert latest <= DAY
    assert verified(space).equal is True


# ---- deliveries ----------------------------------------------------------------------------------------------------


@pytest.fixture
def told(seed: int) -> list[bytes]:
    """A conversation as events: duplicated, out of order within and across sessions, some of it long after the rest."""
    chance = random.Random(seed)
    messages = conversation(200, seed)
    order = sorted(range(len(messages)), key=lambda number: number + chance.choice((0, 3, 40, 400)) * chance.random())
    told = [encode(str(messages[number].event_id), BEGIN_MS, payload_of(messages[number])) for number in order]
    for _ in range(60):
        told.insert(chance.randrange(len(told)), chance.choice(told))
    ends = [
        event(f"closed-{session}", SessionClosed(session=session, occurred_at=messages[-1].occurred_at))
        for session, messages in sessions_of(messages)
    ]
    return [without_a_cap(), *told, *ends]


def test_what_is_delivered_twice_late_and_out_of_order_gives_the_same_memory(
    redis: redis_py.Redis, redis_url: str, told: list[bytes], tmp_path: Path, seed: int
) -> None:
    with undisturbed_run(redis, redis_url, tmp_path / "undisturbed", conversation(200, seed)) as undisturbed:
        file = undisturbed.settings.file
    redis.flushall()
    with closing(Desk(redis, redis_url, tmp_path / "data")) as desk:
        append(redis, told)
        desk.fold()
        desk.finish()
        assert desk.get("SELECT count(*) FROM nodes WHERE type = 'episodic'") == 200
        assert differences(desk.settings.file, file) == []


def test_an_outcome_whose_reply_was_lost_is_sent_again_and_counts_once(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    with closing(Desk(redis, redis_url, tmp_path / "data")) as desk:
        desk.say("I live in Lisbon now.", "I work at Acme.")
        desk.turn()
        with (
            Proxy(redis_url.removeprefix("unix://"), b"XADD", lose=2) as proxy,
            closing(log_client(proxy.url)) as desk.client,
        ):
            desk.work(kinds=("extract",))
        desk.client = redis
        assert proxy.lost == 2
        assert len(desk.logged(CellsExtracted)) == 3
        assert desk.get("SELECT count(*) FROM outcomes") == 1
        desk.finish()
        assert desk.get("SELECT count(*), count(DISTINCT content) FROM nodes WHERE type != 'episodic'") == (2, 2)
        assert desk.get("SELECT count(*) FROM dead_letters") == 0
