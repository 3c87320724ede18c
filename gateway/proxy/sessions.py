"""The sessions that a proxy has seen of late: how they went, and which of their turns are on the log."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from mnemolog.gateway.proxy.conversation import Turn
from mnemolog.gateway.proxy.places import Course, Digest, Placed, derived_session, digest_of, placed

#: As many turns are kept in mind, of all sessions together; the sessions that were quiet longest are let go of first.
MOST_TURNS = 200_000
_Pair = tuple[str, str | None, str, Digest, Digest]


class Session:
    """One session, of an owner that its clients speak for alone if they do. `published` holds the event ids known."""

    def __init__(self, space: str, name: str, course: Course, published: set[str], owner: str = "") -> None:
        self.space = space
        self.name = name
        self.owner = owner
        self.course = course
        self.published = published
        #: The last message that something was recalled for, by event id, and what: a model that calls tools asks on.
        self.recalled: tuple[str, str, int] | None = None

    def __len__(self) -> int:
        return max(len(self.published), len(self.course.digests))

    def begin(self, turns: Sequence[Turn]) -> Exchange:
        """Takes the turns of a request into the course."""
        self.course, cut = self.course.after(turns)
        return Exchange(self, tuple(turns), self.course, cut)


class Exchange:
    """A request of a session and its answer, as turns with their event ids."""

    def __init__(self, session: Session, turns: tuple[Turn, ...], course: Course, cut: int) -> None:
        self.session = session
        self.asked = placed(session.space, session.name, turns, course, cut, session.owner)
        self._turns = turns
        self._course = course
        self._cut = cut

    @property
    def unpublished(self) -> tuple[Placed, ...]:
        """The turns that are not known to be on the log."""
        return tuple(one for one in self.asked if one.event_id not in self.session.published)

    @property
    def event_ids(self) -> frozenset[str]:
        """All messages that the model is shown."""
        return frozenset(one.event_id for one in self.asked)

    def question(self) -> Placed | None:
        """The last message of the user."""
        return next((one for one in reversed(self.asked) if one.turn.role == "user"), None)

    def answered(self, answer: Turn) -> Placed:
        """Takes the answer into the course, unless that has gone on meanwhile, and gives its place."""
        session = self.session
        is_last = len(self._course.digests) == self._cut + len(self._turns)
        if session.course is self._course and is_last:
            session.course = self._course.answered(answer)
        turns = (*self._turns, answer)
        return placed(session.space, session.name, turns, self._course, self._cut, session.owner)[-1]


class Sessions:
    """The sessions in mind, and which of them a conversation without a name is."""

    def __init__(self, most_turns: int = MOST_TURNS) -> None:
        self._most = most_turns
        self._open: OrderedDict[tuple[str, str, str], Session] = OrderedDict()
        self._pairs: OrderedDict[_Pair, str] = OrderedDict()

    def get(self, space: str, name: str, owner: str = "") -> Session | None:
        """A session, None for one that is not in mind."""
        found = self._open.get((space, name, owner))
        if found is not None:
            self._open.move_to_end((space, name, owner))
        return found

    def add(self, session: Session) -> Session:
        """Keeps a session in mind, or gives the one of that name that is."""
        key = (session.space, session.name, session.owner)
        kept = self._open.setdefault(key, session)
        self._open.move_to_end(key)
        self._let_go()
        return kept

    def named(self, space: str, speaker: str | None, turns: Sequence[Turn], owner: str = "") -> str:
        """The session that a conversation without a name is, by how it begins.

        One whose beginning was cut off is the session in mind that most of its pairs of turns stand in.
        """
        derived = derived_session(turns, speaker)
        pairs: list[_Pair] = [(space, speaker, owner, *pair) for pair in pairwise(map(digest_of, turns))]
        if (space, derived, owner) not in self._open:
            known = Counter(self._pairs[pair] for pair in pairs if pair in self._pairs)
            derived = known.most_common(1)[0][0] if known else derived
        for pair in pairs:
            self._pairs[pair] = derived
            self._pairs.move_to_end(pair)
        while len(self._pairs) > self._most:
            self._pairs.popitem(last=False)
        return derived

    def _let_go(self) -> None:
        while len(self._open) > 1 and sum(map(len, self._open.values())) > self._most:
            self._open.popitem(last=False)
