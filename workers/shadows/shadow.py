"""A shadow: a memory, or its last messages, extracted again by another engine into a side file, to be compared.

    shadow/plan.json     what is extracted again, by whom, and the log's position then
    shadow/before.json   what the memory said at that position
    shadow/log/          what was appended to the log in the shadow, so that it goes on after an interruption
    shadow/report.json   once it is done: what is different
    shadow/lock          held by who is at work on it; the other files are side files of that work

The shadow is the fold of the log up to that position without the outcomes that are replaced, and then of its own log:
their jobs requeued, the new outcomes, and what people had decided about facts that came anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.fact_diff import FactDiff
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import position_of
from mnemolog.projections.reasons.decisions import Decision
from mnemolog.projections.spending import Spent
from mnemolog.schema import archive
from mnemolog.schema.archive import ArchiveWriter, Entry
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.controls import ErasureRequested
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import Event, Payload
from mnemolog.schema.ids import EventIds, Position
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding.rebuild import Progress
from mnemolog.workers.voids.trial import Live, folded_without, live, voiding
from mnemolog.workers.writer.batches import Batches

_ids = EventIds()

_ERASED = f"SELECT 1 FROM events WHERE (ms, seq) > (?, ?) AND type = '{ErasureRequested.TYPE}' LIMIT 1"

_ALL = "SELECT ms, seq, job_key FROM outcomes WHERE accepted ORDER BY ms, seq"
_LAST = """
    WITH last AS (
        SELECT node_id FROM nodes WHERE type = 'episodic' AND extractable
        ORDER BY occurred_at DESC, seq DESC, event_id DESC LIMIT ?)
    SELECT o.ms, o.seq, o.job_key FROM outcomes o JOIN jobs j USING (job_key, generation)
    WHERE o.accepted AND o.kind = 'extract'
        AND EXISTS (SELECT 1 FROM json_each(j.inputs) AS input JOIN last ON last.node_id = input.value)
    ORDER BY o.ms, o.seq
"""
_SPENT = """
    SELECT ifnull(sum(calls), 0), ifnull(sum(tokens_in), 0), ifnull(sum(tokens_out), 0), ifnull(sum(cost_usd), 0.0)
    FROM outcomes WHERE (ms, seq) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is extracted again: `voids` are the encoded events that void the outcomes that are replaced.

    `last` None means the whole memory; `spent` is what the replaced outcomes had cost.
    """

    model: str
    prompts: tuple[str, ...]
    last: int | None
    position: str
    job_keys: tuple[str, ...]
    outcomes: int
    spent: Spent
    voids: tuple[str, ...]

    @property
    def at(self) -> Position:
        """The position of the log up to which the shadow knows it."""
        return Position.parse(self.position)

    @property
    def void_events(self) -> list[Event]:
        """The voids, decoded."""
        return [decode(body.encode("utf-8")) for body in self.voids]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a shadow found: the facts that differ, decisions that no longer find their fact, and what either cost."""

    model: str
    prompts: tuple[str, ...]
    last: int | None
    position: str
    jobs: int
    failed: int
    diff: FactDiff
    decisions: tuple[Decision, ...]
    before: Spent
    after: Spent


def folder_of(settings: Settings) -> Path:
    """Where a space's shadow is."""
    return settings.folder / "shadow"


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Keeps other processes away from the shadow. Raises InvalidInput while one is at it."""
    with (folder_of(settings) / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput("another process is at work on the shadow of this space") from None
        yield


def drop(settings: Settings) -> bool:
    """Forgets the shadow; whether there was one. Raises InvalidInput while somebody works on it."""
    if not folder_of(settings).exists():
        return False
    with held(settings):
        shutil.rmtree(folder_of(settings))
    return True


def plan_of(settings: Settings) -> Plan | None:
    """The plan of the shadow that there is."""
    found: Plan | None = _read(folder_of(settings) / "plan.json", Plan)
    return found


def report_of(settings: Settings) -> Report | None:
    """What the shadow found, once it is done."""
    found: Report | None = _read(folder_of(settings) / "report.json", Report)
    return found


def _read(path: Path, type_: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read ({error}): mnemolog shadow drop") from None


def _write(path: Path, value: object) -> None:
    beside = path.with_suffix(".tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(value))
    beside.replace(path)


def planned(settings: Settings, model: str, prompts: tuple[str, ...], last: int | None) -> tuple[Plan, Live]:
    """What would be extracted again, and what the memory says now. Raises SpaceNotFound, InvalidInput for nothing."""
    before = live(settings)
    connection = open_reader(settings.file)
    try:
        with read_transaction(connection):
            if position_of(connection) != before.position:
                raise InvalidInput("the memory is learning just now: try again in a moment")
            rows: list[Any] = connection.execute(*((_ALL, ()) if last is None else (_LAST, (last,)))).fetchall()
            positions = [Position(ms, seq) for ms, seq, _ in rows]
            spent = Spent(*connection.execute(_SPENT, (msgspec.json.encode(positions).decode(),)).get)
    finally:
        connection.close()
    if not rows:
        raise InvalidInput("nothing was extracted yet that could be extracted again")
    voids = voiding(positions, f"replaced by {model}")
    plan = Plan(
        model=model,
        prompts=prompts,
        last=last,
        position=str(before.position),
        job_keys=tuple(dict.fromkeys(key for _, _, key in rows)),
        outcomes=len(rows),
        spent=spent,
        voids=tuple(encode(void.id, void.at, void.payload).decode("utf-8") for void in voids),
    )
    return plan, before


def refuse_if_gone(settings: Settings, plan: Plan) -> None:
    """Raises InvalidInput unless the shadow of this plan is there: what is erased is erased from shadows, too."""
    if not folder_of(settings).exists() or plan_of(settings) != plan:
        raise _gone(settings)


def _gone(settings: Settings) -> InvalidInput:
    return InvalidInput(
        f"the shadow of space {settings.space!r} is gone: something was erased, or it was dropped. Make another"
    )


def _is_erased_since(settings: Settings, position: Position) -> bool:
    with closing(open_reader(settings.file)) as connection:
        return bool(connection.execute(_ERASED, position).get)


def begin(settings: Settings, plan: Plan, before: Live) -> None:
    """Begins a shadow. Raises InvalidInput where something was erased since it was planned."""
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / "before.json", before)
    # Last: with it, the shadow is there.
    _write(folder / "plan.json", plan)
    # Afterwards: what is erased from now on is erased here, too.
    if _is_erased_since(settings, plan.at):
        shutil.rmtree(folder)
        raise _gone(settings)


def before_of(settings: Settings) -> Live:
    """What the memory said when the shadow was begun."""
    found: Live = _read(folder_of(settings) / "before.json", Live)
    return found


def finish(settings: Settings, report: Report) -> None:
    """Keeps what a shadow found. Raises InvalidInput for one that is gone."""
    try:
        _write(folder_of(settings) / "report.json", report)
    except FileNotFoundError:
        raise _gone(settings) from None


def appended(settings: Settings) -> list[Entry]:
    """What the shadow has on its own log, at positions of its own."""
    return list(archive.read(folder_of(settings) / "log"))


class Shadow:
    """A shadow's side file and its log. What is appended is folded at once.

    Raises InvalidInput when it is gone, so that no engine is asked any more about what is erased.
    """

    def __init__(self, settings: Settings, plan: Plan, connection: apsw.Connection) -> None:
        refuse_if_gone(settings, plan)
        self.connection = connection
        self._settings = settings
        self.space = settings.space
        self._batches = Batches(connection)
        self._log = ArchiveWriter(folder_of(settings) / "log")
        self._end = plan.at

    def resume(self, entries: list[Entry]) -> None:
        """Folds what an earlier run appended."""
        for entry in entries:
            self._batches.fold([(entry, decode(entry.body))])
            self._end = entry.position

    def append(self, payload: Payload, event_id: str | None = None) -> None:
        """Appends an event at the next position of the shadow's own, and folds it. Raises InvalidInput."""
        if not (folder_of(self._settings) / "plan.json").exists():
            raise _gone(self._settings)
        self._end = Position(self._end.ms, self._end.seq + 1)
        entry = Entry(self._end, encode(event_id or _ids.mint(), self._end.ms, payload))
        self._log.append([entry])
        self._batches.fold([(entry, decode(entry.body))])

    def close(self) -> None:
        """Closes the log."""
        self._log.close()


@contextmanager
def opened(settings: Settings, plan: Plan, embedder: Embedder, progress: Progress) -> Iterator[Shadow]:
    """The shadow as far as it is. Raises InvalidInput while another process is at work on it."""
    path = folder_of(settings) / "space.db"
    with (
        held(settings),
        folded_without(settings, embedder, path, plan.at, plan.void_events, progress) as connection,
    ):
        shadow = Shadow(settings, plan, connection)
        try:
            shadow.resume(appended(settings))
            yield shadow
        finally:
            shadow.close()
