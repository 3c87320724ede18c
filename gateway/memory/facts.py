"""Facts and topics as doors tell them."""

from __future__ import annotations

from typing import get_args

import apsw
import msgspec

from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.objects import When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reading import transaction
from mnemolog.gateway.memory.scope import bounded
from mnemolog.projections import facts as projected
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.fact_pages import MOST_FACTS, Standing, fact_page
from mnemolog.projections.history import history as history_of
from mnemolog.projections.scene_pages import scene_page
from mnemolog.projections.scenes import scenes as scenes_now
from mnemolog.projections.scenes import scenes_at
from mnemolog.schema.errors import InvalidInput

#: The most facts or topics of a page.
MOST_OF_A_PAGE = 1_000


class UnknownScene(InvalidInput):
    """No topic of this name has live facts at the time asked about."""

    def __init__(self, scene: str) -> None:
        self.scene = scene
        super().__init__(f"there is no topic {scene[:100]!r}")


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What a memory holds for true, or held, as at the time asked about.

    `confidence` is what it was stored with, and `confidence_now` that of the forgetting curve, both from 0 to 1; it is
    not told any more from `fades_at` on unless it is used. `since` is the beginning of the unbroken chain of facts
    that say the same. `status` is `live`, or why it is not: superseded, ended, future, faded, forgotten, corrected.
    `event_ids` are the messages that say it; `held` are facts between which and this one a verdict waits for a person.
    """

    node_id: str
    type: str
    cell_type: str
    content: str
    subject: str
    slot: str | None
    object: str
    polarity: int
    scene: str
    salience: float
    confidence: float
    confidence_now: float
    valid_from: When
    valid_until: When | None
    since: When
    due: When | None
    fades_at: When | None
    superseded_by: str | None
    event_ids: tuple[str, ...]
    stated_by: str | None
    occurred_at: When
    utc_offset_min: int
    pinned: bool
    held: tuple[str, ...]
    access_count: int
    status: str
    note: str


class Facts(msgspec.Struct, frozen=True):
    """A page of facts, the newest first; `next` is the cursor of the page that follows, None at the end."""

    facts: tuple[Fact, ...]
    next: str | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts: those that are live, are not (`past`), or any; of a scene, of a type of cell, about a subject."""

    standing: Standing = "live"
    scene: str | None = None
    cell_type: str | None = None
    subject: str | None = None


class Scene(msgspec.Struct, frozen=True):
    """A topic: how many live facts group under it, and its summary, `stale` where facts changed since it was made."""

    scene: str
    summary: str
    cells: int
    updated_at: When
    stale: bool


class Scenes(msgspec.Struct, frozen=True):
    """A page of topics, the largest first; `next` is the cursor of the page that follows, None at the end."""

    scenes: tuple[Scene, ...]
    next: str | None


class SceneFacts(Scene, frozen=True, kw_only=True):
    """A topic with a page of its live facts, the newest first; `next` is the cursor of the page that follows."""

    facts: tuple[Fact, ...]
    next: str | None


class Quotation(msgspec.Struct, frozen=True):
    """A piece of evidence: the quote, and the message that it stands in."""

    event_id: str
    quote: str
    content: str
    speaker: str | None
    occurred_at: When


class PairVerdict(msgspec.Struct, frozen=True):
    """What was judged of a fact and another one, by whom, and whether it is in force."""

    other: str
    ruling: str
    kind: str
    judge: str
    state: str


class Link(Fact, frozen=True, kw_only=True):
    """One fact of a chain of supersession, with its evidence and its verdicts on others."""

    evidence: tuple[Quotation, ...]
    verdicts: tuple[PairVerdict, ...]


def facts(place: Place, axes: Axes, *, everything: bool = False, scene: str | None = None) -> tuple[Fact, ...]:
    """All facts that are live at the time asked about, or all that are known, in order of time."""
    with transaction(place, axes) as connection:
        found = projected.facts(connection, axes.at, everything=everything, scene=scene)
    return tuple(told(Fact, fact) for fact in found)


def facts_page(place: Place, axes: Axes, wanted: Wanted, limit: int, after: str | None) -> Facts:
    """At most `limit` of the facts that are wanted, behind those that end with the cursor `after`."""
    bounded("limit", limit, MOST_FACTS)
    if wanted.standing not in get_args(Standing):
        raise InvalidInput(f"facts are {', '.join(get_args(Standing))}, not {wanted.standing[:100]!r}")
    with transaction(place, axes) as connection:
        page = fact_page(connection, axes.at, limit=limit, after=after, **msgspec.structs.asdict(wanted))
    return Facts(tuple(told(Fact, fact) for fact in page.facts), page.after)


def fact(place: Place, node: str, at: int) -> Fact:
    """The fact that a node id, or the beginning of one, names. Raises InvalidInput and SpaceNotFound."""
    with place.reader() as connection, read_transaction(connection):
        found = projected.fact(connection, projected.find_fact(connection, node), at)
    if found is None:
        raise InvalidInput(f"there is no fact {node!r}")
    return told(Fact, found)


def scenes(place: Place, axes: Axes) -> tuple[Scene, ...]:
    """The topics that had live facts at the time asked about, the largest first."""
    with transaction(place, axes) as connection:
        found = scenes_now(connection) if _is_present(axes) else scenes_at(connection, axes.at)
    return tuple(told(Scene, scene) for scene in found)


def scenes_page(place: Place, axes: Axes, limit: int, after: str | None) -> Scenes:
    """At most `limit` topics behind the one that `after` names. Raises InvalidInput for one that is not there."""
    bounded("limit", limit, MOST_OF_A_PAGE)
    if not _is_present(axes):
        with transaction(place, axes) as connection:
            then = scene_page(connection, axes.at, limit=limit, after=after)
        return Scenes(tuple(told(Scene, one) for one in then.scenes), then.after)
    found = scenes(place, axes)
    names = [scene.scene for scene in found]
    if after is not None and after not in names:
        raise InvalidInput(f"there is no topic {after[:100]!r} now after which to go on")
    start = 0 if after is None else names.index(after) + 1
    page = found[start : start + limit]
    return Scenes(page, page[-1].scene if start + limit < len(found) else None)


def scene(place: Place, name: str, axes: Axes, limit: int, after: str | None) -> SceneFacts:
    """One topic with at most `limit` of its live facts. Raises UnknownScene."""
    with transaction(place, axes) as connection:
        known = scenes_now(connection) if _is_present(axes) else scene_page(connection, axes.at, scene=name).scenes
    found = next((told(Scene, one) for one in known if one.scene == name), None)
    if found is None:
        raise UnknownScene(name)
    page = facts_page(place, axes, Wanted(scene=name), limit, after)
    return SceneFacts(**msgspec.structs.asdict(found), facts=page.facts, next=page.next)


def _is_present(axes: Axes) -> bool:
    return axes.as_of is None and axes.now is None


def history(place: Place, node: str, axes: Axes) -> tuple[Link, ...]:
    """The chain that a fact stands in, oldest first; empty where it was not known yet. Raises InvalidInput."""
    with transaction(place, axes) as connection:
        node_id = _named(place, connection, node, axes)
        links = [] if node_id is None else history_of(connection, node_id, axes.at, until=axes.as_of)
    return tuple(told(Link, link.fact, evidence=link.evidence, verdicts=link.verdicts) for link in links)


def _named(place: Place, connection: apsw.Connection, node: str, axes: Axes) -> str | None:
    """The fact that an id, or the beginning of one, names; None for one that was not known yet. Raises InvalidInput."""
    try:
        return projected.find_fact(connection, node)
    except InvalidInput:
        if axes.known_at is None:
            raise
        with place.reader() as live:
            found = projected.find_fact(live, node)
    place.notice(f"{found} was not known yet")
    return None
