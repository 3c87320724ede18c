"""Entities as doors tell them: who and what has a name, and all that is known of one."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.facts import MOST_OF_A_PAGE, Fact
from mnemolog.gateway.memory.objects import When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.reading import transaction
from mnemolog.gateway.memory.scope import bounded
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.entities import Related
from mnemolog.projections.entities import entity as entity_of
from mnemolog.projections.indexes.analysis import clean
from mnemolog.projections.names import Named, names
from mnemolog.schema.errors import InvalidInput

MOST_MOMENTS = 1_000


class Older(msgspec.Struct, frozen=True):
    """A fact whose place another one took, and from when until when it held."""

    node_id: str
    content: str
    valid_from: When
    valid_until: When | None


class Succession(msgspec.Struct, frozen=True):
    """A fact that took the place of another one, and from when on."""

    node_id: str
    content: str
    since: When
    replaced: Older


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that names the entity: a message, or a fact with its status."""

    at: When
    kind: str
    node_id: str
    content: str
    speaker: str | None
    status: str


class EntityStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an entity at a time.

    `about` are the facts of which it is the subject and `mentions` the others that name it, live ones unless all were
    asked for; `first_at` and `last_at` tell when it spoke; `timeline` holds the newest moments, oldest first.
    """

    profile: Named
    first_at: When | None
    last_at: When | None
    about: tuple[Fact, ...]
    mentions: tuple[Fact, ...]
    changed: tuple[Succession, ...]
    timeline: tuple[Moment, ...]
    related: tuple[Related, ...]


class Entities(msgspec.Struct, frozen=True):
    """A page of names, most told of first; `next` is the cursor of the page that follows, None at the end."""

    entities: tuple[Named, ...]
    next: str | None


def entity(place: Place, name: str, axes: Axes, *, everything: bool = False, limit: int = 20) -> EntityStory:
    """All that is known of what goes by a name, with `limit` moments of its timeline. Raises UnknownName."""
    bounded("limit", limit, MOST_MOMENTS)
    with transaction(place, axes) as connection:
        found = entity_of(connection, clean(name), axes.at, everything=everything, limit=limit)
    return told(EntityStory, found)


def entities(place: Place) -> tuple[Named, ...]:
    """Everybody and everything that has a name, most told of first."""
    with place.reader() as connection, read_transaction(connection):
        return tuple(names(connection))


def entities_page(place: Place, limit: int, after: str | None) -> Entities:
    """At most `limit` names behind the one that `after` is. Raises InvalidInput for one that is not there."""
    bounded("limit", limit, MOST_OF_A_PAGE)
    found = entities(place)
    known = [one.name for one in found]
    if after is not None and after not in known:
        raise InvalidInput(f"there is no name {after[:100]!r} after which to go on")
    start = 0 if after is None else known.index(after) + 1
    page = found[start : start + limit]
    return Entities(page, page[-1].name if start + limit < len(found) else None)
