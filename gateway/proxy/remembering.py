"""The proxy's way to the memory: never longer than a request may wait for it, and never failing one."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

import apsw
import msgspec

from mnemolog.gateway.memory import Memories, Memory
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.proxy.conversation import Turn
from mnemolog.gateway.proxy.options import Caller, Options
from mnemolog.gateway.proxy.places import Course, Placed, digest_of, own
from mnemolog.gateway.proxy.sessions import Exchange, Session, Sessions
from mnemolog.gateway.proxy.threads import Busy, Circuit, Threads
from mnemolog.producers import Message
from mnemolog.producers.messages import check_id
from mnemolog.projections.turns import turns as turns_of
from mnemolog.schema.errors import DamagedFile, InvalidInput, LogFull, LogUnavailable, MnemologError, SpaceNotFound

log = logging.getLogger("mnemolog.proxy")
T = TypeVar("T")

#: Of a session, as many turns are read from the file.
MOST_TURNS = 20_000
#: A longer question is asked by its beginning and its end, of half as many characters each.
QUESTION_CHARS = 4_000
WARM_UP_S = 10.0
_MOST_CIRCUITS = 1_000
_FAILURES = (MnemologError, apsw.Error, OSError, TimeoutError, Busy)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (Busy, "it has too much to do"),
    (TimeoutError, "it takes too long"),
    (LogFull, "its log is full"),
    (LogUnavailable, "its log cannot be reached"),
    (DamagedFile, "its file is damaged"),
    (apsw.Error, "its file cannot be read"),
)
_FAILED_LATELY = "it has failed several times in a row"


class Recalled(msgspec.Struct, frozen=True):
    """What was recalled for a request: its text and tokens, or why nothing was. `str` of it is the header's value."""

    state: Literal["used", "empty", "unavailable", "off"]
    text: str = ""
    tokens: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.state == "used":
            return f"used {self.tokens} tokens"
        return f"{self.state}; {self.reason}" if self.reason else self.state


class Kept(msgspec.Struct, frozen=True):
    """How many turns were acknowledged, or why they were not. `str` of it is the header's value."""

    count: int = 0
    reason: str = ""

    def __str__(self) -> str:
        return f"unavailable; {self.reason}" if self.reason else str(self.count)


OFF = Recalled("off")
NOTHING_KEPT = Kept()


class Remembering:
    """Recalls for requests, and publishes what is said in them. For one event loop."""

    def __init__(self, memories: Memories, options: Options) -> None:
        self._memories = memories
        self._options = options
        self._sessions = Sessions()
        self._reading = Threads("recalls")
        self._writing = Threads("publishes")
        self._circuits: OrderedDict[tuple[str, str], Circuit] = OrderedDict()
        self._tasks: set[asyncio.Task[Kept]] = set()

    async def exchange(self, who: Caller, turns: Sequence[Turn]) -> Exchange:
        """A request's place in its session, in the one that it continues where it names none.

        What the memory has of a session is read at its first request; where that fails, only that the same was said
        twice in what the frontend has cut off is not known.
        """
        name = who.session or self._sessions.named(who.space, who.speaker, turns, who.owner)
        found = self._sessions.get(who.space, name, who.owner)
        if found is None:
            found = self._sessions.add(await self._session(who.space, name, who.owner))
        return found.begin(turns)

    async def recall(
        self, exchange: Exchange, question: str, speaker: str | None, *, goes_on: bool = False
    ) -> Recalled:
        """What is known about a question of the exchange. Never raises, and takes no longer than the options say.

        Where a model that has called tools `goes_on`, it is what it was before the tools were called.
        """
        session, budget = exchange.session, self._options.budget
        asked = exchange.question()
        message = None if asked is None else asked.event_id
        if goes_on and session.recalled is not None and session.recalled[0] == message:
            return _recalled(*session.recalled[1:])
        query, without = shortened(question), exchange.event_ids

        def ask(memory: Memory) -> Context:
            return memory.context(query, budget=budget, without=without, message=message, asker=speaker)

        try:
            found = await self._asked(session.space, "recall", ask, self._options.recall_s)
        except SpaceNotFound:
            return Recalled("empty")
        except _FAILURES as error:
            return Recalled("unavailable", reason=_reason(error))
        if message is not None:
            session.recalled = (message, found.text, found.tokens)
        return _recalled(found.text, found.tokens)

    def publish(self, exchange: Exchange, turns: Sequence[Placed], who: Caller) -> asyncio.Task[Kept]:
        """Begins to publish turns, once each. The task never raises."""
        task = asyncio.create_task(self._published(exchange.session, turns, who))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def kept(self, task: asyncio.Task[Kept]) -> Kept:
        """What became of turns as far as it is known within the options' time; the task goes on after that."""
        done, _ = await asyncio.wait({task}, timeout=self._options.publish_s)
        return task.result() if done else Kept(reason="it takes too long")

    async def warm_up(self) -> None:
        """Loads what the first recall would wait for. Never raises, and takes no longer than WARM_UP_S."""

        def recall(memory: Memory) -> None:
            memory.place.embedder().embed(["a memory"])
            memory.context("a memory", record=False)

        with suppress(*_FAILURES):
            await self._reading.run(lambda: self._memories.run(self._options.space, recall), WARM_UP_S)

    async def close(self, timeout_s: float) -> None:
        """Waits for what is being published, so many seconds at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        self._reading.close()
        self._writing.close()

    async def _session(self, space: str, name: str, owner: str) -> Session:
        def read(memory: Memory) -> Session:
            with memory.place.reader() as connection:
                said = [(Turn(one.role, one.content), one.event_id) for one in turns_of(connection, name, MOST_TURNS)]
            if owner:
                digests, ids = own(space, name, said, owner)
                return Session(space, name, Course(digests), set(ids), owner)
            return Session(space, name, Course(tuple(digest_of(turn) for turn, _ in said)), {at for _, at in said})

        try:
            return await self._asked(space, "recall", read, self._options.recall_s)
        except _FAILURES:
            return Session(space, name, Course(), set(), owner)

    async def _published(self, session: Session, turns: Sequence[Placed], who: Caller) -> Kept:
        if not turns:
            return Kept()
        messages = [_message(session.name, one, who) for one in turns]

        def send(memory: Memory) -> None:
            memory.place.producer().publish_many(messages)

        try:
            await self._asked(session.space, "publish", send, None)
        except _FAILURES as error:
            log.warning("space %s: %d turn(s) were not published: %s", session.space, len(turns), error)
            return Kept(reason=_reason(error))
        session.published.update(one.event_id for one in turns)
        return Kept(len(turns))

    async def _asked(self, space: str, what: str, action: Callable[[Memory], T], timeout_s: float | None) -> T:
        """What the memory of a space answers. Raises what it raises, TimeoutError, and Busy also where it fails."""
        circuit = self._circuit(space, what)
        if circuit.is_open:
            raise Busy(_FAILED_LATELY)
        threads = self._reading if what == "recall" else self._writing
        try:
            found = await threads.run(lambda: self._memories.run(space, action), timeout_s)
        except (InvalidInput, SpaceNotFound):
            circuit.succeeded()
            raise
        except _FAILURES:
            circuit.failed()
            raise
        circuit.succeeded()
        return found

    def _circuit(self, space: str, what: str) -> Circuit:
        circuit = self._circuits.setdefault((space, what), Circuit())
        self._circuits.move_to_end((space, what))
        if len(self._circuits) > _MOST_CIRCUITS:
            self._circuits.popitem(last=False)
        return circuit


def shortened(question: str) -> str:
    """A question as it is asked: a long one by its beginning and its end."""
    if len(question) <= QUESTION_CHARS:
        return question
    half = QUESTION_CHARS // 2
    return f"{question[:half]}\n{question[-half:]}"


def _recalled(text: str, tokens: int) -> Recalled:
    return Recalled("used", text, tokens) if text else Recalled("empty")


def _message(session: str, one: Placed, who: Caller) -> Message:
    """The message of a turn: all of it that counts is the same each time that it is told.

    `line` orders what is published at once.
    """
    turn = one.turn
    return Message(
        role=turn.role,
        content=turn.text,
        session=session,
        speaker=_speaker(turn, who),
        occurred_at=who.said_at,
        event_id=one.event_id,
        line=one.number,
    )


def _speaker(turn: Turn, who: Caller) -> str | None:
    """Who says a turn: of a user's the participant that it names, if it may be and can be a speaker."""
    if turn.role != "user":
        return None
    try:
        return who.speaker if turn.name is None or who.is_bound else check_id("name", turn.name)
    except InvalidInput:
        return who.speaker


def _reason(error: Exception) -> str:
    """Why there is no memory, in words that tell a client nothing about this machine."""
    if isinstance(error, Busy) and error.args:
        return str(error.args[0])
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it has failed")
