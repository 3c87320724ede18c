"""Memory: one space with all that a door can ask of it or tell it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Self, Unpack

from mnemolog.gateway.folding import TIMEOUT_S, Folded
from mnemolog.gateway.memory import contexts, facts, forgetting, publishing, requests, searching
from mnemolog.gateway.memory.axes import Time, Times, axes_of
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.memory.facts import Facts, Link, Scenes
from mnemolog.gateway.memory.forgetting import Forgetting
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.publishing import Interaction, Published
from mnemolog.gateway.memory.requests import Manner, Statement
from mnemolog.gateway.memory.scope import Narrowing, scope_of
from mnemolog.gateway.memory.searching import DEFAULT_LIMIT, Recall
from mnemolog.projections.context import DEFAULT_BUDGET
from mnemolog.projections.fact_pages import Wanted
from mnemolog.projections.integrity import position_of
from mnemolog.projections.progress import POLL_S, writer_position
from mnemolog.schema.errors import InvalidInput, LogUnavailable, SpaceNotFound
from mnemolog.schema.ids import START, Position

#: As long a page is unless another length is asked for.
PAGE = 100


class Memory:
    """One space, for any number of threads at once. Everything blocks: an async door calls it from a thread.

    Answers are frozen structs that encode to the JSON which the command of the same name prints with --json. Times
    that are asked about are UTC milliseconds or ISO 8601 with an offset; those in answers are ISO 8601 in UTC. Every
    method raises the errors of `mnemolog.schema.errors`: InvalidInput for what cannot be, SpaceNotFound where nothing
    has been folded yet, LogUnavailable and its like for what Redis does.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def space(self) -> str:
        """The name of the space."""
        return self.place.settings.space

    # ---- what is put on the log ----------------------------------------------------------------------------------

    def publish(self, interaction: Interaction) -> Published:
        """Publishes one interaction; returns when the log has acknowledged it, once for each event id.

        Raises EventIdReused where the memory knows the event id with another content.
        """
        return publishing.publish(self.place, interaction)

    def publish_many(self, interactions: Sequence[Interaction]) -> tuple[Published, ...]:
        """Publishes interactions in order, in a few round trips. All are checked before the first is sent."""
        return publishing.publish_many(self.place, interactions)

    def close_session(self, session: str, *, occurred_at: Time | None = None, event_id: str | None = None) -> Published:
        """Says that a session is over; what is said in it later is remembered all the same."""
        return publishing.close_session(self.place, session, occurred_at=occurred_at, event_id=event_id)

    def remember(
        self,
        text: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Folded:
        """Has something remembered as it is said: believed fully, without a model; at least as a note.

        It waits for the writer, if one runs, for `wait_s` seconds at most. With an `event_id` it is asked once, however
        often it is called.
        """
        statement = Statement(text=text, speaker=speaker, occurred_at=occurred_at)
        return requests.remember(self.place, statement, Manner(event_id=event_id, wait_s=wait_s))

    def correct(
        self,
        node: str,
        text: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Folded:
        """Says what is true instead of a fact that never was: a sentence, or the right value alone. As `remember`."""
        statement = Statement(text=text, speaker=speaker, occurred_at=occurred_at)
        return requests.correct(self.place, node, statement, Manner(event_id=event_id, wait_s=wait_s))[0]

    def confirm(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Pins a fact: it does not fade any more. What is said later still supersedes it."""
        return requests.confirm(self.place, node, Manner(event_id=event_id, wait_s=wait_s))[0]

    def unpin(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Takes a confirmation back: the fact fades again unless it is recalled."""
        return requests.unpin(self.place, node, Manner(event_id=event_id, wait_s=wait_s))[0]

    def unsupersede(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Says that a fact still holds beside those that took its place; no engine changes that."""
        return requests.unsupersede(self.place, node, Manner(event_id=event_id, wait_s=wait_s)).folded

    def forget(
        self,
        *,
        text: str | None = None,
        node_id: str | None = None,
        preview: bool = True,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Forgetting:
        """Retires the live facts that a text surely means, or a fact by its id, and hides what they were taken from.

        A preview says what would be touched, and touches nothing. What was forgotten comes back with a later statement
        only. Raises InvalidInput unless either a text or an id is given.
        """
        if (text is None) == (node_id is None):
            raise InvalidInput("give either the text of what is to be forgotten, or the id of a fact")
        manner = Manner(event_id=event_id, wait_s=wait_s)
        if not preview and (before := forgetting.forgotten_before(self.place, node_id, manner)) is not None:
            return before
        planned = forgetting.plan(self.place, node_id or text or "", by_id=node_id is not None)
        return forgetting.outcome(planned, None if preview else forgetting.forget(self.place, planned, manner))

    # ---- how far the file is -------------------------------------------------------------------------------------

    def position(self) -> str:
        """How far the log is folded into the file; 0-0 where there is no file yet."""
        return str(self._position())

    def wait(self, position: str, timeout_s: float) -> bool:
        """Whether the file holds a position of the log: at once, or within so many seconds where a writer runs."""
        wanted = Position.parse(position)
        until = time.monotonic() + timeout_s
        while self._position() < wanted:
            if time.monotonic() >= until or not self._is_written():
                return False
            time.sleep(POLL_S)
        return True

    def _position(self) -> Position:
        try:
            with self.place.reader() as connection:
                return position_of(connection)
        except SpaceNotFound:
            return START

    def _is_written(self) -> bool:
        """Whether a writer runs, as far as Redis tells."""
        try:
            stream = self.place.stream()
            return stream is not None and writer_position(stream) is not None
        except LogUnavailable:
            return True

    # ---- what is asked -------------------------------------------------------------------------------------------

    def recall(
        self,
        query: str,
        *,
        limit: int = DEFAULT_LIMIT,
        types: Sequence[str] | None = None,
        fallback: bool = False,
        record: bool = True,
        **narrowing: Unpack[Narrowing],
    ) -> Recall:
        """Searches the memory, the best first; any text is a query, and nothing relevant is an answer.

        `types` are of episodic, semantic, procedural and opinion. With `fallback` the most salient live nodes stand in
        for an empty answer. The facts among the first ten results are reinforced unless `record` is False or another
        time than now is asked about. `narrowing` says what the search is limited to, who asks, and of which time.
        """
        wish = searching.Wish(
            scope=scope_of(narrowing),
            limit=limit,
            types=None if types is None else tuple(types),
            fallback=fallback,
            record=record,
        )
        with searching.searched(self.place, wish) as search:
            return search.run(query)

    def context(
        self,
        query: str,
        *,
        budget: int = DEFAULT_BUDGET,
        without: Collection[str] = (),
        message: str | None = None,
        record: bool = True,
        **narrowing: Unpack[Narrowing],
    ) -> Context:
        """What is known about a question, packed into a budget of tokens for a user's message of a prompt.

        `without` are the event ids of messages that the reader has before it anyway, `message` the event id of the
        message that the question was, if it was published. The facts in it are reinforced, as in `recall`.
        """
        wish = contexts.Wish(scope=scope_of(narrowing), budget=budget, without=without, message=message, record=record)
        return contexts.context(self.place, query, wish)

    def facts(
        self,
        *,
        everything: bool = False,
        scene: str | None = None,
        subject: str | None = None,
        newest_first: bool = False,
        limit: int = PAGE,
        after: str | None = None,
        **times: Unpack[Times],
    ) -> Facts:
        """A page of the facts that are live, or of all that are known, in order of time or the newest first.

        `after` is the `next` of the page before.
        """
        wanted = Wanted(everything=everything, scene=scene, subject=subject, newest_first=newest_first)
        return facts.facts_page(self.place, axes_of(times), wanted, limit, after)

    def scenes(self, *, limit: int = PAGE, after: str | None = None, **times: Unpack[Times]) -> Scenes:
        """A page of the topics that have live facts, the largest first; `after` is the `next` of the page before."""
        return facts.scenes_page(self.place, axes_of(times), limit, after)

    def history(self, node: str, **times: Unpack[Times]) -> tuple[Link, ...]:
        """How a fact came about and what became of it: the chain that it stands in, oldest first, with its evidence."""
        return facts.history(self.place, node, axes_of(times))

    def close(self) -> None:
        """Closes what is open; sends what waits, for a second at most. It opens again when it is used."""
        self.place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
