"""What a door can ask of a space."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Unpack

from mnemolog.gateway.memory import (
    changes,
    contexts,
    decisions,
    entities,
    facts,
    reasons,
    searching,
    standing,
    stories,
    timelines,
    work,
)
from mnemolog.gateway.memory.axes import Time, Times, axes_of, moment_of, now_ms, time_of
from mnemolog.gateway.memory.changes import Digest
from mnemolog.gateway.memory.contexts import Context
from mnemolog.gateway.memory.decisions import TalkRequest
from mnemolog.gateway.memory.entities import Entities, EntityStory
from mnemolog.gateway.memory.facts import Facts, Link, SceneFacts, Scenes, Wanted
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reasons import WhyNot
from mnemolog.gateway.memory.scope import Narrowing, scope_of
from mnemolog.gateway.memory.searching import DEFAULT_LIMIT, Recall
from mnemolog.gateway.memory.standing import Status
from mnemolog.gateway.memory.stories import Story
from mnemolog.gateway.memory.timelines import Sessions, Timeline
from mnemolog.gateway.memory.work import Work
from mnemolog.projections.context import DEFAULT_BUDGET
from mnemolog.projections.fact_pages import Standing
from mnemolog.projections.recall import MIN_SCORE
from mnemolog.projections.timeline import Span
from mnemolog.projections.verdicts import PairOfFacts
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position

#: As long a page is unless another length is asked for.
PAGE = 100


class Asking:
    """The half of a Memory that answers.

    `times` say which time a question is about: `now` as at another time, `as_of` what was true at a time, `known_at`
    what the memory had learned at a time or position. Of a list `after` is the `next` of the page before.
    """

    place: Place

    def recall(
        self,
        query: str,
        *,
        limit: int = DEFAULT_LIMIT,
        types: Sequence[str] | None = None,
        min_score: float = MIN_SCORE,
        fallback: bool = False,
        record: bool = True,
        **narrowing: Unpack[Narrowing],
    ) -> Recall:
        """Searches the memory, the best first; any text is a query, and nothing relevant is an answer.

        `types` are of episodic, semantic, procedural and opinion. The answer is empty unless the best has `min_score`.
        With `fallback` the most salient live nodes stand in for an empty answer. The facts among the first ten results
        are reinforced unless `record` is False or another time than now is asked about. `narrowing` says what the
        search is limited to, who asks, and of which time.
        """
        wish = searching.Wish(
            scope=scope_of(narrowing),
            limit=limit,
            types=None if types is None else tuple(types),
            min_score=min_score,
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
        standing: Standing = "live",
        scene: str | None = None,
        cell_type: str | None = None,
        subject: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
        **times: Unpack[Times],
    ) -> Facts:
        """A page of the facts that are live, are not (`past`), or any, the newest first, 1 to 200 of them.

        `after` is the `next` of the page before. A page may be short, and another one follow on it all the same.
        """
        wanted = Wanted(standing=standing, scene=scene, cell_type=cell_type, subject=subject)
        return facts.facts_page(self.place, axes_of(times), wanted, limit, after)

    def scenes(self, *, limit: int = PAGE, after: str | None = None, **times: Unpack[Times]) -> Scenes:
        """A page of the topics that have live facts, the largest first; `after` is the `next` of the page before."""
        return facts.scenes_page(self.place, axes_of(times), limit, after)

    def history(self, node: str, **times: Unpack[Times]) -> tuple[Link, ...]:
        """How a fact came about and what became of it: the chain that it stands in, oldest first, with its evidence."""
        return facts.history(self.place, node, axes_of(times))

    def scene(self, scene: str, *, limit: int = PAGE, after: str | None = None, **times: Unpack[Times]) -> SceneFacts:
        """One topic with a page of its live facts, the newest first. Raises InvalidInput for one that is not there."""
        return facts.scene(self.place, scene, axes_of(times), limit, after)

    def entities(self, *, limit: int = PAGE, after: str | None = None) -> Entities:
        """A page of everybody and everything that has a name, most told of first."""
        return entities.entities_page(self.place, limit, after)

    def entity(self, name: str, *, everything: bool = False, limit: int = 20, **times: Unpack[Times]) -> EntityStory:
        """All that is known of somebody or something by any of its names, with so many moments of its timeline.

        With `everything` also facts that are not live. Raises UnknownName, which has names that look like it.
        """
        return entities.entity(self.place, name, axes_of(times), everything=everything, limit=limit)

    def sessions(self, *, limit: int = PAGE, after: str | None = None, **times: Unpack[Times]) -> Sessions:
        """A page of the conversations, the newest first."""
        return timelines.sessions(self.place, axes_of(times), limit, after)

    def timeline(
        self,
        *,
        session: str | None = None,
        before: str | None = None,
        after: str | None = None,
        everything: bool = False,
        limit: int = PAGE,
        **times: Unpack[Times],
    ) -> Timeline:
        """A page of messages of a session, or of all, the newest first, with the facts that were taken from them.

        `before` and `after` are node ids: the messages that come before one in time, or next after it; `next` is the
        `before` of the page that follows. With `everything` also messages that are hidden.
        """
        span = Span(session=session, before=before, after=after, everything=everything)
        return timelines.timeline(self.place, axes_of(times), span, limit)

    def why(self, node: str, *, now: Time | None = None, full: bool = False) -> Story:
        """Where a fact, a message or a topic comes from, what was decided about it, and which answers told it.

        `node` is an id, the beginning of one, a short id as a context cites it, or the key of a topic. Engines' replies
        are cut unless all is asked for in `full`. Raises UnknownCitation and AmbiguousCitation.
        """
        at = time_of(now)
        found = stories.story(self.place, node, now_ms() if at is None else at)
        return found if full else stories.shortened(found)

    def why_not(
        self,
        text: str,
        *,
        query: str | None = None,
        limit: int = DEFAULT_LIMIT,
        types: Sequence[str] | None = None,
        **narrowing: Unpack[Narrowing],
    ) -> WhyNot:
        """Why a text is not remembered, or not in the answer to a query with the same options as for `recall`."""
        wish = reasons.Wish(
            scope=scope_of(narrowing),
            query=query or "",
            limit=limit,
            types=None if types is None else tuple(types),
        )
        return reasons.why_not(self.place, text, wish)

    def changes(
        self, since: Time | Position, until: Time | Position | None = None, *, everything: bool = False
    ) -> Digest:
        """What the memory learned, replaced, let fade, was told to forget, and could not do, between two moments.

        A moment is a time or a position, `until` now unless given. With `everything` also the words of what was
        forgotten since.
        """
        first = moment_of(since)
        if first is None:
            raise InvalidInput("give the time or the position from which on changes are wanted")
        return changes.changes(self.place, first, moment_of(until), everything=everything)

    def verdicts(self, *, everything: bool = False) -> tuple[PairOfFacts, ...]:
        """The verdicts that wait for a person, or all there are."""
        return decisions.verdicts(self.place, everything=everything)

    def requests(self, *, everything: bool = False) -> tuple[TalkRequest, ...]:
        """What somebody asked in talk to have forgotten, and waits for a person; or all there was."""
        return tuple(one.answer() for one in decisions.requests(self.place, everything=everything))

    def status(self) -> Status:
        """How far the space is, what it holds, who writes it, and what an acknowledged event survives."""
        return standing.status(self.place)

    def work(self, *, limit: int = PAGE) -> Work:
        """What is due, failed, waits for a person or could not be folded: counts, and the first of each."""
        return work.work(self.place, limit)
