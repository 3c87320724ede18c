"""Context: what a memory knows about a question, packed into a budget of tokens for a prompt.

Whatever stands in it was said by somebody at some time: it is marked as recalled data, every line is dated and
attributed, and nothing in it can end the mark. The same file, question and time give the same text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import apsw
import msgspec
import numpy as np
from numpy.typing import NDArray

from mnemolog.projections.connection import read_transaction
from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.indexes.analysis import terms
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.lines.offers import Found, offers
from mnemolog.projections.lines.packing import LEAST_BUDGET, pack
from mnemolog.projections.lines.rendering import Line, Recorded, Told, assemble
from mnemolog.projections.lines.tokens import count_tokens
from mnemolog.projections.recall import Result, recall
from mnemolog.projections.scenes import Scene, holds, scenes
from mnemolog.projections.search.filters import NO_FILTERS, Filters
from mnemolog.schema.ids import Position, episode_id

__all__ = ["CELL_TYPES", "DEFAULT_BUDGET", "LEAST_BUDGET", "Context", "context"]

DEFAULT_BUDGET = 1_000
CELL_TYPES = ("semantic", "procedural", "opinion")

FACTS = 20
SCENES = 3
#: The first of the messages, whose facts are told even where their own wording has nothing of the question.
LEADING_MESSAGES = 5
#: So many messages are looked for: no more could stand in the budget.
_TOKENS_A_MESSAGE = 16
_MOST_MESSAGES = 100
#: What is told has this share of the weight of the question's terms in or around it, or is this similar to it.
_MIN_COVERAGE = 0.05
_MIN_SIMILARITY = 0.2
#: A fact that answers has as much as this; another is told when most that was said has been.
_STRONG_COVERAGE = 0.3
_STRONG_SIMILARITY = 0.4
_DERIVED = """
SELECT e.source FROM edges e JOIN cells c ON c.node_id = e.source
WHERE e.kind = 'derived_from' AND e.target = ? ORDER BY e.source
"""
_SHOWN = """
SELECT n.hidden = 0 AND (count(c.node_id) = 0 OR count(c.retracted) < count(c.node_id)) FROM nodes n
LEFT JOIN edges e ON e.kind = 'derived_from' AND e.target = n.node_id LEFT JOIN cells c ON c.node_id = e.source
WHERE n.node_id = ? GROUP BY n.node_id
"""


class Context(msgspec.Struct, frozen=True):
    """The text for a prompt, empty when nothing is relevant; its tokens, and which scenes and nodes are told in it.

    `event_ids` are the messages that are told, or that a fact which is told was taken from. `lines` and `now` are what
    the text is rendered from, and `position` how far the file was folded.
    """

    text: str
    tokens: int
    scenes: tuple[str, ...]
    facts: tuple[str, ...]
    messages: tuple[str, ...]
    event_ids: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    now: int = 0
    position: str = "0-0"

    @property
    def recorded(self) -> Recorded:
        """What `render_again` makes the same text from."""
        return Recorded(self.now, self.lines)


def context(
    connection: apsw.Connection,
    query: str,
    *,
    embedder: Embedder,
    now: int,
    budget: int = DEFAULT_BUDGET,
    without: Collection[str] = (),
    filters: Filters = NO_FILTERS,
    asker: str | None = None,
    utc_offset_min: int = 0,
) -> Context:
    """What is known at a time (UTC milliseconds) about a question: live facts, scenes and messages.

    `budget` is in tokens of `projections.tokens`; `without` names messages, by event id, that the reader has already;
    the rest is as in `recall`.
    """
    once = _OnceEmbedded(embedder)
    most = min(budget // _TOKENS_A_MESSAGE, _MOST_MESSAGES)

    def found(limit: int, types: Sequence[str]) -> list[Result]:
        results = recall(
            connection,
            query,
            embedder=once,
            now=now,
            limit=limit,
            types=types,
            filters=filters,
            asker=asker,
            utc_offset_min=utc_offset_min,
        )
        return [result for result in results if _is_relevant(result)]

    hits = found(FACTS, CELL_TYPES)
    heard = [one for one in found(most + len(without), ("episodic",)) if one.event_ids[0] not in without]
    with read_transaction(connection):
        # What was forgotten since then is not told either.
        said = _told_once([one for one in heard if _is_shown(connection, one)])[:most]
        strong, weak = _facts(connection, hits, [] if filters.narrows else said, now)
        offered = offers(connection, query, Found(strong, weak, _scenes(connection, strong, now), said), now, budget)
        told = pack(offered, now, budget)
        cited = {fact.node_id: fact.event_ids for fact in (*strong, *weak)}
        cited |= {message.node_id: message.event_ids for message in said}
        return _packed(connection, told, cited, now)


def _packed(
    connection: apsw.Connection, told: Sequence[Told], cited: Mapping[str, tuple[str, ...]], now: int
) -> Context:
    text = assemble(told, now)
    lines = tuple(one.line for one in told)
    ids = {kind: tuple(line.id for line in lines if line.kind == kind) for kind in ("scene", "fact", "message")}
    return Context(
        text=text,
        tokens=count_tokens(text),
        scenes=ids["scene"],
        facts=ids["fact"],
        messages=ids["message"],
        event_ids=tuple(dict.fromkeys(event for line in lines for event in cited.get(line.id, ()))),
        lines=lines,
        now=now,
        position=str(Position(*connection.execute("SELECT position_ms, position_seq FROM space").get or (0, 0))),
    )


class _OnceEmbedded:
    """An embedder that is asked once for a text, however often it is searched for."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._made: dict[tuple[str, ...], NDArray[np.float32]] = {}

    @property
    def dimension(self) -> int:
        """See Embedder."""
        return self._embedder.dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See Embedder."""
        asked = tuple(texts)
        if asked not in self._made:
            self._made[asked] = self._embedder.embed(texts)
        return self._made[asked]


# ---- what could be told ------------------------------------------------------------------------------------------


def _is_shown(connection: apsw.Connection, message: Result) -> bool:
    """Whether a message is to be told: neither forgotten, nor good for nothing but what was never true."""
    return bool(connection.execute(_SHOWN, (message.node_id,)).get)


def _is_relevant(found: Result) -> bool:
    """Whether a result answers by itself or is tied to one that does, and does not only come after one."""
    scores = found.scores
    tied = max(scores["date"], scores.get("linked", 0.0)) > 0
    return tied or scores["coverage"] >= _MIN_COVERAGE or scores["similarity"] >= _MIN_SIMILARITY


def _is_strong(found: Result) -> bool:
    return found.scores["coverage"] >= _STRONG_COVERAGE or found.scores["similarity"] >= _STRONG_SIMILARITY


def _told_once(said: Iterable[Result]) -> list[Result]:
    """Of messages by the same speaker in the same words the best one."""
    kept: dict[tuple[str | None, str | None, str], Result] = {}
    for one in said:
        kept.setdefault((one.speaker, one.role, " ".join(one.content.casefold().split())), one)
    return list(kept.values())


def _facts(
    connection: apsw.Connection, hits: Sequence[Result], said: Iterable[Result], now: int
) -> tuple[list[Fact], list[Fact]]:
    """The live facts that answer, and those that may say more; none twice.

    The first are hits, and what took the place of what the first messages say; the others are weaker hits, and what
    else was taken from the first messages.
    """
    strong = dict.fromkeys(hit.node_id for hit in hits if _is_strong(hit))
    weak = dict.fromkeys(hit.node_id for hit in hits)
    for message in list(said)[:LEADING_MESSAGES]:
        for (derived,) in connection.execute(_DERIVED, (episode_id(message.event_ids[0]),)).fetchall():
            standing = _standing(connection, str(derived), now)
            (weak if standing == derived else strong)[standing] = None
    live = {fact.node_id: fact for fact in facts(connection, now, node_ids=[*strong, *weak])}
    kept: dict[tuple[str, str], Fact] = {}
    for fact in (live[node_id] for node_id in (*strong, *weak) if node_id in live):
        kept.setdefault((fact.subject, " ".join(terms(fact.content))), fact)
    found = list(kept.values())
    return [fact for fact in found if fact.node_id in strong], [fact for fact in found if fact.node_id not in strong]


def _standing(connection: apsw.Connection, node_id: str, now: int) -> str:
    """The fact that stands at a time in the place of one that was superseded before."""
    following = "SELECT c.heir FROM cells c JOIN nodes n USING (node_id) WHERE c.node_id = ? AND n.valid_until <= ?"
    while (heir := connection.execute(following, (node_id, now)).get) is not None:
        node_id = heir
    return node_id


def _scenes(connection: apsw.Connection, known: Iterable[Fact], now: int) -> list[Scene]:
    """The scenes of the facts, best first; one with a single fact says no more than the fact.

    One that changed after the time asked about is told where its summary is of what was so then.
    """
    there = {one.scene: one for one in scenes(connection) if one.cells > 1 and one.summary}
    wanted = [there[scene] for scene in dict.fromkeys(fact.scene for fact in known) if scene in there]
    return [one for one in wanted if one.updated_at <= now or holds(connection, one.scene, now)][:SCENES]
