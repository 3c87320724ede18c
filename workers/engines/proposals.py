"""Proposals: what a model takes for cells, brought into the form in which the fold takes them, or refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from mnemolog.schema.cells import (
    ANY_VALUE,
    MAX_CAUSES,
    MAX_ENTITIES,
    MAX_EVIDENCE,
    MAX_SENTENCE_CHARS,
    Basis,
    Cell,
    CellType,
    EntityKind,
    Evidence,
    Granularity,
    Mention,
    Modality,
)
from mnemolog.schema.errors import InvalidTime
from mnemolog.schema.ids import MAX_ID_CHARS
from mnemolog.schema.jobs import ExtractWork, JobMessage
from mnemolog.schema.outcomes import ExtractedCell, ForgetWish
from mnemolog.schema.slots import slot_of
from mnemolog.workers.engines import spans
from mnemolog.workers.engines.entities import keyed
from mnemolog.workers.engines.replies import Refusal, refusal
from mnemolog.workers.rules import lexicon, requests
from mnemolog.workers.rules.messages import NAMELESS
from mnemolog.workers.rules.scenes import scene_key, scene_of

_SELF = frozenset({"", "i", "me", "my", "myself", "we", "us", "user", "the user", "speaker", "the speaker", "self"})
_NO_SLOT_CHARS = re.compile(r"[^a-z0-9]+")
_SLOT_CHARS = 80
#: What models call the kinds of entities that are known here by another name; anything else is a concept.
_KINDS: dict[str, EntityKind] = {
    "person": "person",
    "project": "project",
    "organization": "organization",
    "organisation": "organization",
    "company": "organization",
    "place": "place",
    "location": "place",
    "city": "place",
    "country": "place",
    "tool": "tool",
    "software": "tool",
    "technology": "tool",
    "product": "tool",
}


class _Said(msgspec.Struct):
    event_id: str
    quote: str


class _Named(msgspec.Struct):
    name: str
    kind: str = "concept"


class _Wished(msgspec.Struct):
    event_id: str
    quote: str
    what: str


class Proposal(msgspec.Struct, kw_only=True):
    """An item of a model's reply; see prompts/extract for the meaning of its fields. What is left out is not stated."""

    content: str
    cell_type: CellType
    subject: str
    evidence: list[_Said]
    scene: str | None = None
    salience: float | None = None
    slot: str | None = None
    object: str | None = None
    polarity: Literal[1, -1] | None = None
    modality: Modality | None = None
    holds_from: str | None = None
    holds_until: str | None = None
    granularity: Granularity | None = None
    due: str | None = None
    basis: Basis | None = None
    entities: list[_Named] | None = None
    causes: list[int | str] | None = None
    ends: str | None = None
    change: bool | None = None
    addition: bool | None = None
    correction: bool | None = None
    plural: bool | None = None
    scope: str | None = None


class _Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class _Times(msgspec.Struct, frozen=True):
    holds_from: int | None
    holds_until: int | None
    granularity: Granularity | None
    due: int | None


def read_proposals(items: list[Any], work: ExtractWork) -> tuple[tuple[ExtractedCell, ...], tuple[Refusal, ...]]:
    """The cells among the items of a reply, and the items that are none, each with its reason."""
    good: dict[int, ExtractedCell] = {}
    refused: list[Refusal] = []
    for place, item in enumerate(items):
        try:
            good[place] = _cell(msgspec.convert(item, Proposal, strict=False), work)
        except msgspec.ValidationError as error:
            refused.append(refusal("invalid", f"{error}: {item!r}"))
        except _Refused as error:
            refused.append(refusal(error.reason, error))
    cells = [_with_causes(cell, good, refused) for cell in good.values()]
    return tuple(cells), tuple(refused)


def read_wishes(items: list[Any], work: ExtractWork) -> tuple[tuple[ForgetWish, ...], tuple[Refusal, ...]]:
    """What users asked to have forgotten, by the items of a reply, and the items that say none, each with its reason.

    Whether somebody is quoted who asks it is for the fold to check, and a person confirms it.
    """
    said = {message.event_id: message for message in work.messages if message.role == "user" and not message.read}
    good: list[ForgetWish] = []
    refused: list[Refusal] = []
    for item in items:
        try:
            good.append(_wish(msgspec.convert(item, _Wished), said))
        except msgspec.ValidationError as error:
            refused.append(refusal("invalid", f"{error}: {item!r}"))
        except _Refused as error:
            refused.append(refusal(error.reason, error))
    return tuple(good), tuple(refused)


def _wish(wished: _Wished, said: Mapping[str, JobMessage]) -> ForgetWish:
    """What a user asked to have forgotten. Raises _Refused and msgspec.ValidationError."""
    if wished.event_id not in said:
        raise _Refused("unknown_message", f"to forget {wished.what!r}, as asked in {wished.event_id!r}")
    subject = said[wished.event_id].speaker or NAMELESS
    words = requests.forgotten(f"forget {_text(wished.what)}") or _text(wished.what)
    given = ForgetWish(event_id=wished.event_id, quote=_text(wished.quote), words=words, subject=subject)
    return msgspec.convert(msgspec.to_builtins(given), ForgetWish)


def _cell(proposal: Proposal, work: ExtractWork) -> ExtractedCell:
    """The cell of a proposal; its causes are still places in the reply. Raises _Refused and msgspec.ValidationError."""
    _check_counts(proposal)
    evidence, source = _evidence(proposal, work.messages)
    stated_by = source.speaker or (NAMELESS if source.role == "user" else source.role)
    subject = _subject(proposal.subject, stated_by, work)
    basis = _basis(proposal.basis, source, own=subject == stated_by)
    slot = _slot(proposal.slot)
    obj = _normal(proposal.object)
    when = _times(proposal, source)
    scene = scene_key(proposal.scene or "") or scene_of(slot or "", obj, proposal.content, subject, work.scenes)
    cell = Cell(
        content=_text(proposal.content),
        cell_type=proposal.cell_type,
        subject=subject,
        evidence=evidence,
        scene=scene[:MAX_ID_CHARS],
        salience=_salience(proposal.salience, slot, basis),
        slot=slot,
        object=obj,
        polarity=proposal.polarity or 1,
        modality=proposal.modality or "asserted",
        holds_from=when.holds_from,
        holds_until=when.holds_until,
        granularity=when.granularity,
        due=when.due,
        stated_by=stated_by,
        basis=basis,
        entities=_mentions(proposal.entities or ()),
        causes=tuple(proposal.causes or ()),
        ends=_ends(proposal.ends),
        change=bool(proposal.change),
        addition=bool(proposal.addition),
        correction=bool(proposal.correction),
        plural=bool(proposal.plural),
        scope=_text(proposal.scope)[:MAX_SENTENCE_CHARS],
    )
    return keyed(msgspec.convert(msgspec.to_builtins(cell), Cell))


def _check_counts(proposal: Proposal) -> None:
    """Raises _Refused for a cell that holds more than a cell may, before each of its parts is looked at."""
    for what, parts, most in (
        ("quotes", proposal.evidence, MAX_EVIDENCE),
        ("entities", proposal.entities or (), MAX_ENTITIES),
        ("causes", proposal.causes or (), MAX_CAUSES),
    ):
        if len(parts) > most:
            raise _Refused("too_many", f"{proposal.content[:200]!r} has {len(parts)} {what}; the most is {most}")


def _evidence(proposal: Proposal, messages: Sequence[JobMessage]) -> tuple[tuple[Evidence, ...], JobMessage]:
    """The quotes from the window itself, and the message that counts: the newest that a user said, else the newest."""
    window = {message.event_id: message for message in messages}
    for said in proposal.evidence:
        if said.event_id not in window:
            raise _Refused("unknown_message", f"{proposal.content!r} quotes message {said.event_id!r}")
    fresh = [said for said in proposal.evidence if not window[said.event_id].read]
    if not fresh:
        raise _Refused("no_evidence", f"{proposal.content!r} quotes no message of the window")
    quoted = {said.event_id for said in fresh}
    sources = [message for message in messages if message.event_id in quoted]
    users = [message for message in sources if message.role == "user"]
    return tuple(Evidence(said.event_id, _text(said.quote)) for said in fresh), (users or sources)[-1]


def _text(text: str | None) -> str:
    """The text without what the tables cannot hold."""
    return (text or "").replace("\x00", "").strip()


def _subject(name: str, stated_by: str, work: ExtractWork) -> str:
    """Who is meant, spelt as the messages or the known facts spell it."""
    wanted = _text(name).casefold()
    if wanted in _SELF:
        return stated_by
    speakers = [message.speaker for message in work.messages if message.speaker]
    known = [stated_by, *speakers, *(fact.cell.subject for fact in work.facts)]
    return next((other for other in known if other.casefold() == wanted), _text(name))


def _basis(basis: Basis | None, source: JobMessage, *, own: bool) -> Basis:
    """A model may not believe hearsay like a person's own words, nor what nobody asked to remember like a request."""
    if basis == "inferred":
        return basis
    if basis == "requested" and source.role == "user" and requests.asks_to_remember(source.content):
        return basis
    return "first_person" if own else "others"


def _salience(salience: float | None, slot: str | None, basis: Basis) -> float:
    """What somebody asked to have remembered matters most."""
    if basis == "requested":
        return 1.0
    return slot_of(slot).salience if salience is None else salience


def _slot(name: str | None) -> str | None:
    return _NO_SLOT_CHARS.sub("_", _text(name).casefold()).strip("_0123456789")[:_SLOT_CHARS] or None


def _normal(text: str | None) -> str:
    return lexicon.normal(_text(text))


def _ends(text: str | None) -> str | None:
    ended = _text(text)
    return (ANY_VALUE if ended == ANY_VALUE else _normal(ended)) if ended else None


def _times(proposal: Proposal, source: JobMessage) -> _Times:
    found = [
        _span(text, source) if text and text.strip() else None
        for text in (proposal.holds_from, proposal.holds_until, proposal.due)
    ]
    start, end, due = found
    if start and end and end.end <= start.start:
        raise _Refused("bad_time", f"{proposal.content!r} ends before it begins")
    units = [span.granularity for span in found if span]
    if units and proposal.granularity:
        units.append(proposal.granularity)
    return _Times(
        holds_from=start.start if start else None,
        holds_until=end.end if end else None,
        granularity=max(units, key=spans.GRANULARITIES.index, default=None),
        due=due.last if due else None,
    )


def _span(text: str, source: JobMessage) -> spans.Span:
    if text.strip().casefold() == "now":
        return spans.Span(source.occurred_at, source.occurred_at, "instant")
    try:
        return spans.read(text, source.utc_offset_min)
    except (ValueError, OverflowError, InvalidTime):
        raise _Refused("bad_time", f"{text!r} is no date") from None


def _mentions(named: Iterable[_Named]) -> tuple[Mention, ...]:
    return tuple(
        Mention(_text(entity.name), _KINDS.get(entity.kind.strip().casefold(), "concept"))
        for entity in named
        if _text(entity.name) and len(entity.name) <= MAX_ID_CHARS
    )


def _with_causes(item: ExtractedCell, good: dict[int, ExtractedCell], refused: list[Refusal]) -> ExtractedCell:
    """The cell with its causes as places among the cells that stand; causes that were refused are named."""
    places = {place: index for index, place in enumerate(good)}
    causes: list[int | str] = []
    for cause in item.cell.causes:
        place = int(cause) if isinstance(cause, str) and cause.isascii() and cause.isdigit() else cause
        if isinstance(place, str):
            causes.append(_text(place))
        elif place in places:
            causes.append(places[place])
        else:
            refused.append(refusal("unknown_cause", f"{item.cell.content!r} names {cause!r} as its cause"))
    if tuple(causes) == item.cell.causes:
        return item
    return msgspec.structs.replace(item, cell=msgspec.structs.replace(item.cell, causes=tuple(causes)))
