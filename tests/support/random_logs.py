"""Logs of random events of all kinds, plausible and implausible ones; the same seed tells the same log."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.schema.archive import Entry
from mnemolog.schema.cells import Cell, Evidence, Mention
from mnemolog.schema.codec import encode
from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested, OutcomesVoided, salted
from mnemolog.schema.events import (
    DeadLetterDiscarded,
    DeadLetterRequeued,
    EntryParked,
    GapAccepted,
    MessagePublished,
    Payload,
    PolicySet,
    SessionClosed,
    SpaceCreated,
)
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    Engine,
    EntityKey,
    ExtractedCell,
    ForgetWish,
    JobFailed,
    PairVerdict,
    SceneConsolidated,
)
from mnemolog.schema.policy import CapPolicy, DecayPolicy, Policy, WindowPolicy
from mnemolog.schema.recalls import Answer, AnswerLine, query_hash, text_digest
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    JobRequeued,
    NodesRecalled,
    RequestDismissed,
    SessionIdled,
    VerdictGiven,
    VerdictsReviewed,
)
from mnemolog.schema.times import DAY, HOUR, MAX_MS, MIN_MS, MINUTE
from mnemolog.workers.fold.scenes import seen_hash
from mnemolog.workers.fold.voids import RebuildNeeded, voids_of
from mnemolog.workers.rebuilding.rebuild import remove
from mnemolog.workers.writer.batches import Batches
from mnemolog.workers.writer.space_file import create_tables, open_for_writing
from support.stories import BEGIN_MS, SALT, SmallEmbedder, fold_more

ENGINE = Engine(name="random", model="dice", prompt_version="1", calls=1, tokens_in=7, cost_usd=0.25)

_OBJECTS = ("acme", "bolt", "coil", "berlin", "rust", "python", "", "ÄÖ 东京 ’")
_SLOTS = ("employer", "residence", "likes", "preferred_editor", None)
_SUBJECTS = ("Ada", "Ada", "Ada", "Ada", "Ada", "Ada", "Ben", "o'Brien\u2028", "x" * 200)
_SPEAKERS = ("Ada", "Ada", "Ben", None)
_SCENES = ("career", "home", "career", "«odd» '\" % \x00 scene", "s" * 200)
_NAMES = ("Acme", "ACME", "İstanbul", "a\x1fb", "🧑‍🚀", "; DROP TABLE nodes", "n" * 200)
_KINDS = ("", "changed", "correction", "fulfilled", "cancelled", "repeated", "person")
_RULINGS = ("same", "supersedes", "supersedes", "compatible", "unsure")
_ROLES = ("user", "user", "user", "assistant", "system", "tool")
_CELL_TYPES = ("fact", "fact", "fact", "plan", "preference", "decision", "task", "risk", "procedure", "opinion")
_BASES = ("first_person", "first_person", "others", "inferred", "requested")
_POLICIES = (
    Policy(),
    Policy(window=WindowPolicy(messages=1), caps=CapPolicy(retire_count=0, retire_share=0.0, future_ms=0)),
    Policy(window=WindowPolicy(messages=3, other_session_gap_ms=0), caps=CapPolicy(retire_count=100)),
    Policy(decay=DecayPolicy(rates=dict.fromkeys(_CELL_TYPES, 0.0), floor=0.0)),
    Policy(decay=DecayPolicy(rates=dict.fromkeys(_CELL_TYPES, 1e-300), exponent=0.01, retired_rate=1e-9)),
    Policy(decay=DecayPolicy(rates={}, salience_damping=5.0, floor=1.0)),
)


class Storyteller:
    """Tells a log event by event into a file, so that what it tells can name what is there."""

    def __init__(self, path: Path, seed: int) -> None:
        self.log: list[Entry] = []
        self.connection = open_for_writing(path)
        self._batches = Batches(self.connection)
        self._batches.create(lambda: create_tables(self.connection, SmallEmbedder()))
        self._chance = random.Random(seed)
        self._now = BEGIN_MS
        self._ids: list[str] = []
        self._deeds = self._weighted()
        self.put(SpaceCreated(space="default", salt=SALT, policy=Policy()))

    def _weighted(self) -> list[Callable[[], object]]:
        weights: dict[Callable[[], object], int] = {
            self.say: 22,
            self.say_again: 2,
            self.close: 8,
            self.extract: 18,
            self.judge: 14,
            self.consolidate: 8,
            self.fail: 3,
            self.remember: 3,
            self.correct: 4,
            self.forget: 3,
            self.dismiss: 2,
            self.give_verdict: 3,
            self.review: 3,
            self.requeue_job: 2,
            self.pin: 2,
            self.recall: 3,
            self.set_policy: 1,
            self.repair: 2,
            self.void: 2,
            self.erase: 3,
            self.spoil: 2,
        }
        return [deed for deed, weight in weights.items() for _ in range(weight)]

    # ---- telling -----------------------------------------------------------------------------------------------

    def put(self, payload: Payload, event_id: str | None = None) -> str:
        """Folds an event and gives its id."""
        name = event_id or f"event-{len(self.log)}"
        self._ids.append(name)
        at = self._chance.choice((self._now, self._now - HOUR, MIN_MS, MAX_MS))
        self._append(encode(name, at, payload))
        return name

    def _append(self, body: bytes) -> None:
        self._now += self._chance.choice((0, 0, 1, MINUTE, HOUR, DAY))
        entry = Entry(Position(self._now, len(self.log)), body)
        self.log.append(entry)
        try:
            fold_more(self._batches, [entry])
        except RebuildNeeded:
            self._rebuild()

    def _rebuild(self) -> None:
        """What a writer does at a void: folds the log without what is voided, and swaps the file in."""
        path = Path(self.connection.db_filename("main")).with_suffix(".side")
        with closing(refolded(path, self.log, 500)) as side, self.connection.backup("main", side, "main") as backup:
            backup.step(-1)
        remove(path)

    def step(self) -> None:
        """Tells one more event; an outcome, mostly, only where a job is due."""
        deed = self._chance.choice(self._deeds)
        kinds = {self.extract: "extract", self.judge: "resolve", self.consolidate: "consolidate"}
        if deed in kinds and self._often(0.9) and not self._due(kinds[deed]):
            deed = self._one((self.say, self.say, self.close))
        deed()

    def _due(self, kind: str) -> bool:
        return bool(self._rows("SELECT 1 FROM jobs WHERE kind = ? AND state = 'due' LIMIT 1", kind))

    # ---- chance ------------------------------------------------------------------------------------------------

    def _one(self, values: Sequence[Any], otherwise: Any = None) -> Any:
        return self._chance.choice(values) if values else otherwise

    def _often(self, share: float) -> bool:
        return self._chance.random() < share

    def _time(self) -> int:
        """A time near the beginning, mostly; some are equal, late, ahead or at the ends of all time."""
        if self._often(0.07):
            return self._one((MIN_MS, MAX_MS, self._now + 2 * DAY, self._now + 9_000 * DAY, -1, 0))
        return BEGIN_MS + self._chance.randrange(12) * DAY // 3

    def _maybe_time(self, share: float) -> int | None:
        return self._time() if self._often(share) else None

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self.connection.execute(sql, values).fetchall()

    def _facts(self) -> list[str]:
        return [node_id for (node_id,) in self._rows("SELECT node_id FROM cells ORDER BY node_id")]

    def _fact(self) -> str:
        return str(self._one(self._facts(), "ce-none")) if self._often(0.97) else self._one(("ce-none", "ep-none"))

    def _job(self, kind: str) -> tuple[str, int, list[str]]:
        """Mostly a due job of the kind; else any job, or none."""
        condition = "kind = ? AND state = 'due'" if self._often(0.85) else "kind = ? OR 1"
        found = self._rows(
            f"SELECT job_key, generation, inputs FROM jobs WHERE {condition} ORDER BY position_ms, position_seq, job_key",
            kind,
        )
        key, generation, inputs = self._one(found, ("0" * 32, 1, "[]"))
        return key, generation, msgspec.json.decode(inputs)

    # ---- interactions ------------------------------------------------------------------------------------------

    def say(self) -> None:
        self.put(self._message(), self._one(self._ids) if self._often(0.03) else None)

    def _message(self) -> MessagePublished:
        place = self._one(_OBJECTS)
        return MessagePublished(
            session=f"s{self._chance.randrange(4)}",
            role=self._one(_ROLES),
            content=self._one(
                (f"I work at {place} now.", f"Back to “{place}” after all.", "👍", "", f"{place}\n" * 40)
            ),
            speaker=self._one(_SPEAKERS),
            occurred_at=self._maybe_time(0.9),
            seq=self._one((None, 0, 1, 2**62)),
            source_type=self._one(("chat", "chat", "chat", "import", "recall")),
        )

    def say_again(self) -> None:
        self._append(self._one(self.log).body)

    def close(self) -> None:
        session = f"s{self._chance.randrange(5)}"
        last = self._rows("SELECT last_event FROM sessions WHERE session = ? AND last_event IS NOT NULL", session)
        if last and self._often(0.4):
            self.put(SessionIdled(session=session, last_event=last[0][0] if self._often(0.7) else "m-none"))
        else:
            self.put(SessionClosed(session=session, occurred_at=self._maybe_time(0.5)))

    # ---- outcomes ----------------------------------------------------------------------------------------------

    def extract(self) -> None:
        key, generation, inputs = self._job("extract")
        cells = tuple(self._extracted(inputs) for _ in range(self._one((0, 1, 2, 3, 5))))
        self.put(
            CellsExtracted(
                job_key=key,
                generation=generation,
                engine=ENGINE,
                cells=cells,
                forget=(self._wish(inputs),) if self._often(0.2) else (),
                refused=(("bad", "item"),) if self._often(0.1) else (),
            )
        )

    def _extracted(self, inputs: Sequence[str]) -> ExtractedCell:
        said = self._said(inputs)
        evidence = tuple(self._evidence(said) for _ in range(self._one((1, 1, 1, 2))))
        return self._keyed(self._cell(evidence))

    def _said(self, inputs: Sequence[str]) -> list[tuple[str, str]]:
        return self._rows(
            "SELECT event_id, content FROM nodes WHERE type = 'episodic' AND node_id IN (SELECT value FROM json_each(?))"
            " ORDER BY node_id",
            msgspec.json.encode(list(inputs)).decode(),
        )

    def _wish(self, inputs: Sequence[str]) -> ForgetWish:
        said = self._evidence(self._said(inputs))
        return ForgetWish(
            event_id=said.event_id,
            quote=said.quote,
            words=self._one(("I work at Acme", "my «trip»", "\x00")),
            subject=self._one(_SUBJECTS),
        )

    def _keyed(self, cell: Cell) -> ExtractedCell:
        keys = tuple(EntityKey(entity.name.casefold()[:200], entity.name, entity.kind) for entity in cell.entities)
        return ExtractedCell(cell=cell, entities=keys)

    def _evidence(self, said: Sequence[tuple[str, str]]) -> Evidence:
        event_id, content = self._one(said, ("m-none", "nothing at all"))
        if self._often(0.03):
            event_id = self._one(self._ids)
        if self._often(0.03) or not content:
            return Evidence(event_id, "something that nobody said")
        return Evidence(event_id, content if self._often(0.8) else content[1:9] or content)

    def _cell(self, evidence: tuple[Evidence, ...], **fields: Any) -> Cell:
        names = [self._one(_NAMES) for _ in range(self._one((0, 0, 1, 3)))]
        given: dict[str, Any] = {
            "content": self._one(
                (
                    f"Fact {self._chance.randrange(99)}.",
                    f"Fact {self._chance.randrange(99)}.",
                    "\x00",
                    "w " * 400,
                    "Ada works at Acme.",
                )
            ),
            "cell_type": self._one(_CELL_TYPES),
            "subject": self._one(_SUBJECTS),
            "scene": self._one(_SCENES),
            "salience": self._one((0.0, 0.5, 1.0)),
            "slot": self._one(_SLOTS),
            "object": self._one(_OBJECTS),
            "polarity": self._one((1, 1, 1, -1)),
            "modality": self._one(("asserted", "asserted", "planned")),
            "holds_from": self._maybe_time(0.2),
            "holds_until": self._maybe_time(0.15),
            "due": self._maybe_time(0.1),
            "basis": self._one(_BASES),
            "entities": tuple(Mention(name, self._one(("person", "organization", "place"))) for name in names),
            "causes": tuple(self._one((0, 1, -1, 99, 2**70, self._fact())) for _ in range(self._one((0, 0, 1, 2)))),
            "ends": self._one((None, None, "*", "acme")),
            "correction": self._often(0.3),
            **fields,
        }
        return Cell(evidence=evidence, **given)

    def judge(self) -> None:
        key, generation, inputs = self._job("resolve")
        new = [node_id for node_id in inputs if node_id.startswith("ce-")]
        facts = self._facts()
        verdicts = []
        for _ in range(self._one((0, 1, 3, 3, 20))):
            pair = (self._one(new or facts, "ce-none"), self._fact() if self._often(0.95) else self._episode())
            verdicts.append(PairVerdict(*pair, self._one(_RULINGS), self._one(_KINDS)))
        self.put(ConflictsJudged(job_key=key, generation=generation, engine=ENGINE, verdicts=tuple(verdicts)))

    def _episode(self) -> str:
        found = self._rows("SELECT node_id FROM nodes WHERE type = 'episodic' ORDER BY node_id")
        return str(self._one(found, ("ep-none",))[0])

    def consolidate(self) -> None:
        key, generation, inputs = self._job("consolidate")
        scene = inputs[0] if inputs and self._often(0.9) else self._one(_SCENES)
        live = [
            node_id
            for (node_id,) in self._rows(
                "SELECT node_id FROM nodes JOIN cells USING (node_id) "
                "WHERE scene = ? AND heir IS NULL AND retracted IS NULL ORDER BY node_id",
                scene,
            )
        ]
        seen = seen_hash(live) if self._often(0.8) else "old"
        cited = tuple(live) if self._often(0.8) else (*live[:1], self._fact())
        self.put(
            SceneConsolidated(
                job_key=key,
                generation=generation,
                engine=ENGINE,
                scene=scene[:200],
                summary=self._one(("All is well.", "word " * 900, "字" * 900, " ")),
                cells=cited,
                seen=seen,
            )
        )

    def fail(self) -> None:
        key, generation, _ = self._job(self._one(("extract", "resolve", "consolidate")))
        self.put(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="no answer", attempts=3))

    # ---- requests ----------------------------------------------------------------------------------------------

    def remember(self) -> None:
        name, text, cells = self._stated()
        self.put(FactRemembered(text=text, speaker="Ada", occurred_at=self._maybe_time(0.3), cells=cells), name)

    def _stated(self, **fields: Any) -> tuple[str, str, tuple[ExtractedCell, ...]]:
        name, text = f"request-{len(self.log)}", f"My locker is {self._one(_OBJECTS)}."
        quoted = Evidence(name, text if self._often(0.9) else "other words")
        if self._often(0.05):
            quoted = Evidence(self._one(self._ids), text)
        stated = [self._cell((quoted,), basis="requested", **fields) for _ in range(self._one((0, 1, 1, 1, 2)))]
        return name, text, tuple(self._keyed(cell) for cell in stated)

    def correct(self) -> None:
        name, text, cells = self._stated(correction=self._often(0.9))
        wrong = self._fact()
        self.put(
            FactCorrected(text=text, speaker="Ada", occurred_at=self._maybe_time(0.3), cells=cells, node_id=wrong), name
        )

    def forget(self) -> None:
        facts = tuple(self._fact() for _ in range(self._one((1, 1, 2))))
        self.put(FactsForgotten(node_ids=facts, request=self._request() if self._often(0.4) else None))

    def dismiss(self) -> None:
        self.put(RequestDismissed(request=self._request()))

    def _request(self) -> str:
        asked = self._rows("SELECT request_id FROM pending_requests ORDER BY request_id")
        return str(self._one(asked, ("rq-none",))[0])

    def give_verdict(self) -> None:
        self.put(VerdictGiven(first=self._fact(), second=self._fact(), ruling=self._one(_RULINGS)))

    def review(self) -> None:
        held = self._rows("SELECT high, low FROM verdicts WHERE state = 'held' ORDER BY low, high")
        pairs = [tuple(self._one(held, ("ce-a", "ce-b"))) for _ in range(self._one((1, 2)))]
        self.put(VerdictsReviewed(pairs=tuple(pairs), approved=self._often(0.5)))

    def requeue_job(self) -> None:
        self.put(JobRequeued(job_key=self._job("extract")[0]))

    def pin(self) -> None:
        self.put(self._one((FactConfirmed, FactUnpinned))(node_id=self._fact()))

    def recall(self) -> None:
        recalls = [(self._time(), (self._fact(), self._fact(), self._episode())) for _ in range(self._one((1, 3)))]
        answers = tuple(self._answer() for _ in range(self._one((0, 1, 2))))
        self.put(NodesRecalled(recalls=tuple(recalls), answers=answers))

    def _answer(self) -> Answer:
        query = self._one(_OBJECTS)
        lines = (AnswerLine("fact", self._fact(), (0, 7)), AnswerLine("message", self._episode()))
        return Answer(
            at=self._time(),
            about=self._time(),
            kind=self._one(("recall", "context")),
            query=query,
            query_chars=len(query),
            query_hash=query_hash(SALT, query),
            message=self._one((None, None, *self._ids[-3:])),
            ms=self._now,
            seq=self._one((0, 7)),
            options=self._one(({}, {"budget": 500, "speakers": ("Ada", "o'Brien\u2028")})),
            lines=lines[: self._one((0, 1, 2))],
            digest=text_digest(SALT, query),
            reinforces=self._often(0.5),
        )

    # ---- controls ----------------------------------------------------------------------------------------------

    def set_policy(self) -> None:
        self.put(PolicySet(policy=self._one(_POLICIES)))

    def repair(self) -> None:
        parked = self._rows("SELECT ms, seq FROM dead_letters ORDER BY ms, seq")
        ms, seq = self._one(parked, (1, 1))
        kind = self._one((DeadLetterRequeued, DeadLetterRequeued, DeadLetterDiscarded, EntryParked, GapAccepted))
        self.put(kind(ms=ms, seq=seq))

    def void(self) -> None:
        """Voids outcomes and earlier voids, mostly; else anything that stands on the log, or does not."""
        types = "('cells_extracted', 'conflicts_judged', 'scene_consolidated', 'job_failed', 'outcomes_voided')"
        found = self._rows(f"SELECT ms, seq FROM events WHERE type IN {types} ORDER BY ms, seq")
        if self._often(0.1) or not found:
            found = [*(entry.position for entry in self.log), (self._now + DAY, 0)]
        voided = tuple(tuple(self._one(found)) for _ in range(self._one((1, 1, 3))))
        self.put(OutcomesVoided(positions=voided, reason=self._one(("", "wrong"))))

    def erase(self) -> None:
        """What is left of entries that were erased, mostly; else that they may come again, or an erasure carried out."""
        name = salted(SALT, "event", self._one(self._ids))
        if self._often(0.2):
            self.put(ErasureLifted(events=(name,)))
            return
        if self._often(0.2):
            self.put(ErasureRequested(what=self._one(("speaker", "session", "event", "space")), done=True))
            return
        stub = EntryErased(
            kind=self._one(("message_published", "message_published", "session_closed", "cells_extracted", "unknown")),
            event=name if self._often(0.8) else None,
            session=self._one((f"s{self._chance.randrange(4)}", f"s{self._chance.randrange(4)}", "5a" * 16, None)),
            occurred_at=self._maybe_time(0.8),
            counter=self._one((0, 1, 2**62)),
            waits=self._often(0.7),
            decided=((name, self._time()),) if self._often(0.3) else (),
            hidden=(self._episode(), "ep-none") if self._often(0.3) else (),
            forgotten=(self._fact(),) if self._often(0.3) else (),
        )
        self.put(stub)

    def spoil(self) -> None:
        known = self._one(self.log).body
        self._append(self._one((b"rubbish", known[: len(known) // 2], known.replace(b'"v":1', b'"v":0'), b"")))


def told(path: Path, seed: int, length: int) -> list[Entry]:
    """The log of a seed."""
    teller = Storyteller(path, seed)
    with closing(teller.connection):
        while len(teller.log) < length:
            teller.step()
        return teller.log


def refolded(path: Path, log: Sequence[Entry], batch: int, *, refuse: int | None = None) -> apsw.Connection:
    """A new file with the log folded in batches; one batch's commit is refused, so that it is rolled back first."""
    connection = open_for_writing(path)
    whole = count()
    number: list[int] = []
    batches = Batches(
        connection,
        before=lambda entries: number.append(next(whole) if len(entries) > 1 else -1),
        voids=voids_of(lambda: log),
    )
    batches.create(lambda: create_tables(connection, SmallEmbedder()))
    connection.set_commit_hook(lambda: number[-1] == refuse)
    fold_more(batches, log, batch)
    connection.set_commit_hook(None)
    return connection
