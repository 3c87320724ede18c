"""Which message of a session a turn is, although every request brings the whole conversation once more.

A turn is known by its session, its role, its words, and how many times the same was said before it in the session. So
a resend, a retry or another branch of the conversation names the same messages again, and the same words said twice
are two. How much a frontend has cut off in front is found by laying a request beside what the session last was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import msgspec

from mnemolog.gateway.proxy.conversation import Turn
from mnemolog.schema.events import Role

#: 16 bytes over a turn's role and words; what differs in white space alone is the same.
Digest = bytes


class Placed(msgspec.Struct, frozen=True):
    """A turn with the event id that it is published by, and its number in the conversation, from 0."""

    event_id: str
    turn: Turn
    number: int


class Course(msgspec.Struct, frozen=True):
    """How a session went, as last seen: its turns' digests in order."""

    digests: tuple[Digest, ...] = ()

    def after(self, turns: Sequence[Turn]) -> tuple[Course, int]:
        """The course once a request has brought these turns, and how many turns of it stand before the request's."""
        given = tuple(map(digest_of, turns))
        cut = self._cut(given)
        if self.digests[cut : cut + len(given)] == given:
            # Said before, all of it: an answer is made anew, or an earlier branch is gone back to.
            return self, cut
        return Course(self.digests[:cut] + given), cut

    def answered(self, answer: Turn) -> Course:
        """The course once the last request has been answered."""
        return Course((*self.digests, digest_of(answer)))

    def _cut(self, given: Sequence[Digest]) -> int:
        """Where in the course the first turn stands that is known: where most turns agree from there on."""
        places: dict[Digest, list[int]] = {}
        for at, digest in enumerate(self.digests):
            places.setdefault(digest, []).append(at)
        for first, digest in enumerate(given):
            if digest in places:
                return max(places[digest], key=lambda at: (self._agreeing(at, given, first), -at))
        return len(self.digests)

    def _agreeing(self, at: int, given: Sequence[Digest], first: int) -> int:
        agreeing = 0
        for known, new in zip(islice(self.digests, at, None), islice(given, first, None), strict=False):
            if known != new:
                break
            agreeing += 1
        return agreeing


def digest_of(turn: Turn) -> Digest:
    """The digest of a turn."""
    return hashlib.blake2b(f"{turn.role}\x1f{_plain(turn.text)}".encode(), digest_size=16).digest()


def placed(
    space: str, session: str, turns: Sequence[Turn], course: Course, cut: int, owner: str = ""
) -> tuple[Placed, ...]:
    """The turns of a request with their event ids: equal for equal requests, and for all that continue them.

    `owner` is as in `event_id`.
    """
    cut_off = Counter(course.digests[:cut])
    found = []
    for number, turn in enumerate(turns, cut):
        digest = digest_of(turn)
        cut_off[digest] += 1
        found.append(Placed(event_id(space, session, turn, cut_off[digest], owner), turn, number))
    return tuple(found)


def event_id(space: str, session: str, turn: Turn, occurrence: int, owner: str = "") -> str:
    """The event id of the turn that is so many-th to say this in a session.

    What a client says that speaks for an `owner` alone has ids of its own: it can take nobody else's words by saying
    them first.
    """
    parts = ("turn", space, session, turn.role, _plain(turn.text), str(occurrence), *filter(None, (owner,)))
    return "turn-" + hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def own(
    space: str, session: str, said: Sequence[tuple[Turn, str]], owner: str
) -> tuple[tuple[Digest, ...], frozenset[str]]:
    """Of the turns of a session with their event ids those that an owner's client brought: their digests and ids."""
    counts: Counter[Digest] = Counter()
    digests, ids = [], set()
    for turn, given in said:
        digest = digest_of(turn)
        if given == event_id(space, session, turn, counts[digest] + 1, owner):
            counts[digest] += 1
            digests.append(digest)
            ids.add(given)
    return tuple(digests), frozenset(ids)


def derived_session(turns: Sequence[Turn], speaker: str | None) -> str:
    """A session for a conversation that names none: from its turns up to the first of the user, and who speaks.

    System prompts are left out, since many state the time. Conversations that begin alike are one session.
    """
    end = next((at for at, turn in enumerate(turns, 1) if turn.role == "user"), len(turns))
    opening = [f"{turn.role}\x1e{_plain(turn.text)}" for turn in turns[:end] if turn.role in _TALK]
    said = "\x1f".join((speaker or "", *opening))
    return "chat-" + hashlib.blake2b(said.encode(), digest_size=10).hexdigest()


_TALK: tuple[Role, ...] = ("user", "assistant")


def _plain(text: str) -> str:
    return " ".join(text.split())
