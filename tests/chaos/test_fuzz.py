"""Random and mutated events, lines, names and queries: no crash, no hang, no partial write.

`make chaos` tries 100,000; what is tried is drawn from a seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from support.folding import Memory, Words
from support.mutants import HOSTILE, mutants
from support.random_logs import Storyteller, refolded
from support.stories import BEGIN_MS, SmallEmbedder, fold_more, hashes_of

from mnemolog.producers.importer import parse_line
from mnemolog.producers.messages import Message, payload_of
from mnemolog.projections.context import context
from mnemolog.projections.integrity import verify
from mnemolog.projections.recall import recall
from mnemolog.schema import archive
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import InvalidSpaceName, MnemologError, NewerEvent, Undecodable
from mnemolog.schema.ids import Position, check_space
from mnemolog.schema.settings import Settings
from mnemolog.workers.writer.batches import Batches
from mnemolog.workers.writer.space_file import create_tables, open_for_writing

GOLDEN = Path(__file__).parents[1] / "replay" / "golden"
#: Far more than anything here takes, on a machine that is busy.
HANGS = timedelta(seconds=20)
_ID = re.compile(rb'"id": ?"[^"]*"')


def tried(strategy: st.SearchStrategy[Any], count: int, seed: int, attempt: Callable[[Any], object]) -> int:
    """Lets hypothesis try so many examples; gives their number."""
    numbers: list[int] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=HANGS,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(example: Any) -> None:
        attempt(example)
        numbers.append(1)

    one()
    return len(numbers)


def sound_events(path: Path, seed: int) -> list[bytes]:
    """An event of every type and version, and a log of random ones; not voids, each of which builds the file again."""
    teller = Storyteller(path, seed)
    with closing(teller.connection):
        for _ in range(150):
            teller.step()
    golden = [file.read_bytes().strip() for file in sorted(GOLDEN.glob("*.json"))]
    return [body for body in (*(entry.body for entry in teller.log), *golden) if b'"outcomes_voided"' not in body]


#: So many mutants go into a log of their own.
A_LOG = 2_500


@pytest.mark.timeout(3_000)
def test_no_event_stops_the_fold_or_leaves_half_of_itself(
    tmp_path: Path, seed: int, examples: int, figures: list[str]
) -> None:
    wanted = examples * 6 // 10
    told = [0, 0, 0]
    for number in range(-(-wanted // A_LOG)):
        folder = tmp_path / str(number)
        folder.mkdir()
        counts = folded_among_sound_ones(folder, seed + number, min(A_LOG, wanted - number * A_LOG))
        told = [before + more for before, more in zip(told, counts, strict=True)]
    figures.append(f"fuzz {seed}: {told[0]} events, with sound ones {told[1]} folded, {told[2]} parked")


def folded_among_sound_ones(folder: Path, seed: int, count: int) -> tuple[int, int, int]:
    """Folds mutants right before or after what they were made from, in batches of any size, twice, and compares."""
    sound = sound_events(folder / "sound.db", seed)
    taken: list[tuple[float, bytes]] = []

    def attempt(mutant: tuple[int, bytes]) -> None:
        number, body = mutant
        # Mostly under an id of its own, or it would be parked for that alone.
        body = body if len(taken) % 5 == 0 else _ID.sub(b'"id":"x%d"' % len(taken), body, count=1)
        if foldable(body):
            taken.append((number + (0.5 if len(taken) % 2 else -0.5), body))

    number = tried(numbered(sound), count, seed, attempt)
    chance = random.Random(seed)
    first, *others = enumerate(sound)
    bodies = [first[1], *(body for _, body in sorted([*others, *taken], key=lambda one: one[0]))]
    log = [Entry(Position(BEGIN_MS + number, 0), body) for number, body in enumerate(bodies)]
    with closing(open_for_writing(folder / "live.db")) as live:
        batches = Batches(live)
        batches.create(lambda: create_tables(live, SmallEmbedder()))
        start = 0
        while start < len(log):
            end = start + chance.choice((1, 7, 100, 500))
            fold_more(batches, log[start:end], batch=500)
            start = end
        assert verify(live).problems == ()
        folded, parked = live.execute("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters)").get
        with closing(refolded(folder / "again.db", log, 333, refuse=2)) as again:
            assert hashes_of(again) == hashes_of(live)
    return number, folded, parked


def numbered(sound: list[bytes]) -> st.SearchStrategy[tuple[int, bytes]]:
    """Mutants with the number of what they were made from, and bytes made from nothing."""
    changed = st.integers(0, len(sound) - 1).flatmap(
        lambda number: mutants(sound[number : number + 1]).map(lambda body: (number, body))
    )
    return st.one_of(changed, changed, changed, st.tuples(st.just(1), st.binary(max_size=300)))


def foldable(body: bytes) -> bool:
    """Whether a fold takes this body, if only to park it: no newer event, at which it stops, and no void."""
    try:
        return decode(body).type != "outcomes_voided"
    except Undecodable:
        return True
    except NewerEvent:
        return False


@pytest.mark.timeout(1_000)
def test_no_line_of_a_file_or_an_archive_does_more_than_be_refused(
    seed: int, examples: int, figures: list[str]
) -> None:
    sound = [
        b'{"session":"s1","role":"user","content":"Hello.","at":"2026-03-09T10:00:00Z","id":"m1","speaker":"Ada"}',
        b'{"session":"s1","role":"tool","content":"It rains.","at":1773050400000,"seq":4,"metadata":{"a":[1,{}]}}',
    ]
    entries = [archive.encode_line(Entry(Position(BEGIN_MS, number), body)) for number, body in enumerate(sound)]

    def attempt(line: bytes) -> None:
        for read in (lambda: parse_line(line, 1, BEGIN_MS), lambda: archive.decode_line(line, "line 1")):
            try:
                read()
            except MnemologError:
                continue

    count = tried(mutants([*sound, *entries]) | st.binary(max_size=200), examples * 15 // 100, seed, attempt)
    figures.append(f"fuzz {seed}: {count} lines")


@pytest.mark.timeout(1_000)
def test_no_name_leads_out_of_the_data_folder_or_into_the_log_unchecked(
    tmp_path: Path, seed: int, examples: int, figures: list[str]
) -> None:
    def attempt(name: str) -> None:
        try:
            folder = Settings(data=tmp_path, space=check_space(name)).folder
        except InvalidSpaceName:
            pass
        else:
            assert folder.resolve().is_relative_to(tmp_path.resolve())
            assert folder.resolve() != tmp_path.resolve()
        try:
            payload = payload_of(Message(role="user", content=name, session=name, speaker=name))
        except MnemologError:
            return
        assert payload.content == name

    count = tried(HOSTILE, examples * 15 // 100, seed, attempt)
    figures.append(f"fuzz {seed}: {count} names")


@pytest.mark.timeout(2_000)
def test_no_question_fails(tmp_path: Path, seed: int, examples: int, figures: list[str]) -> None:
    embedder = Words()
    memory = Memory(tmp_path / "asked.db")
    with closing(memory.connection):
        for number, text in enumerate(("I drink tea.", "今天下雨", "C++ AND 'Rust' \"x\"", "I moved to Berlin.", "👍")):
            memory.state(text, memory.now + number * 60_000, f"s{number}")

        def attempt(query: str) -> None:
            recall(memory.connection, query, embedder=embedder, now=memory.now)
            if len(query) % 4 == 0:
                context(memory.connection, query, embedder=embedder, now=memory.now, budget=200)

        count = tried(HOSTILE, examples // 10, seed, attempt)
        assert verify(memory.connection).problems == ()
    figures.append(f"fuzz {seed}: {count} queries")
