"""Replies: the JSON in what a model said, with code fences and prose around it if need be, and its items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from mnemolog.schema.cells import Name, Ruling
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.errors import EngineError, InvalidContent, Undecodable
from mnemolog.schema.outcomes import Outcome, PairVerdict
from mnemolog.schema.summaries import bounded
from mnemolog.workers.engines.client import Reply

#: The most verdicts that one reply may hold.
MAX_VERDICTS = 2_000
_DETAIL_CHARS = 500
_SUMMARY_CHARS = 10_000
_KIND_CHARS = 40
#: How many braces are tried as the beginning of a reply.
_MOST_TRIES = 50

_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)\n?\s*```", re.DOTALL)
_NO_WORD = re.compile(r"[^\w]+")
_scan = json.JSONDecoder().raw_decode

#: What models call the kinds that the fold knows by another name.
_KINDS = {"corrected": "correction", "done": "fulfilled", "completed": "fulfilled", "called_off": "cancelled"}

Refusal = tuple[str, str]
AnyOutcome = TypeVar("AnyOutcome", bound=Outcome)


def field(reply: Reply, name: str) -> Any:
    """The field of the JSON object that a reply holds. Raises EngineError, with the reply, where it holds none.

    The reply as a whole is looked at first, then code fences, then what stands between words; the last of them counts.
    """
    anything = False
    for values in (_decoded(reply.text), _fenced(reply.text), _embedded(reply.text)):
        found = [value for value in values if isinstance(value, dict)]
        named = [value[name] for value in found if name in value]
        if named:
            return named[-1]
        anything = anything or bool(found)
    raise reply.error(f"the model's reply has no {name!r}" if anything else "the model's reply is no JSON object")


def items(reply: Reply, name: str, most: int) -> list[Any]:
    """The list in the field `name`. Raises EngineError, with the reply, where there is none, or more than `most`."""
    value = field(reply, name)
    if not isinstance(value, list):
        raise reply.error(f"{name!r} in the model's reply is no list")
    if len(value) > most:
        raise reply.error(f"{name!r} in the model's reply has {len(value)} items; the most is {most}")
    return value


def items_if_any(reply: Reply, name: str, most: int) -> list[Any]:
    """The list in a field that a reply may leave out. Raises EngineError for more than `most` items."""
    try:
        value = field(reply, name)
    except EngineError:
        return []
    return items(reply, name, most) if isinstance(value, list) else []


def checked(outcome: AnyOutcome, reply: Reply) -> AnyOutcome:
    """The outcome, if the log can hold it: what the writer could not read would be parked, and its job wait for ever.

    Raises EngineError, with the reply, for one that is too large, by its size or by what its parts may hold.
    """
    try:
        decode(encode("outcome", 0, outcome))
    except (InvalidContent, Undecodable) as error:
        raise reply.error(f"what the model's reply says cannot be kept ({error})") from None
    return outcome


def _fenced(text: str) -> Iterator[Any]:
    for fenced in _FENCE.finditer(text):
        yield from _decoded(fenced[1])


def _embedded(text: str) -> Iterator[Any]:
    start = -1
    for _ in range(_MOST_TRIES):
        start = text.find("{", start + 1)
        if start < 0:
            return
        try:
            _, end = _scan(text, start)
        except (ValueError, RecursionError):
            continue
        yield from _decoded(text[start:end])
        start = end - 1


def _decoded(text: str) -> Iterator[Any]:
    # msgspec refuses what the log could not hold, such as half of a character.
    try:
        yield msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return


def refusal(reason: str, detail: object) -> Refusal:
    """A refused item: a stable word, and what was wrong in a bounded text."""
    return reason, str(detail).replace("\x00", "")[:_DETAIL_CHARS]


class _ProposedVerdict(msgspec.Struct):
    first: Name
    second: Name
    ruling: Ruling
    kind: str | None = None


def verdicts(proposed: list[Any]) -> tuple[tuple[PairVerdict, ...], tuple[Refusal, ...]]:
    """The verdicts among the items of a reply, whatever they are about, and the items that are none."""
    good: list[PairVerdict] = []
    refused: list[Refusal] = []
    for item in proposed:
        try:
            verdict = msgspec.convert(item, _ProposedVerdict, strict=False)
        except msgspec.ValidationError as error:
            refused.append(refusal("invalid", f"{error}: {item!r}"))
        else:
            good.append(PairVerdict(_plain(verdict.first), _plain(verdict.second), verdict.ruling, _kind(verdict.kind)))
    return tuple(good), tuple(refused)


def _plain(text: str) -> str:
    return text.replace("\x00", "")


def _kind(text: str | None) -> str:
    word = _NO_WORD.sub("_", (text or "").strip().casefold()).strip("_")[:_KIND_CHARS]
    return _KINDS.get(word, word)


def summary(reply: Reply) -> str:
    """The summary in a reply, under 100 words. Raises EngineError, with the reply, where there is none."""
    value = field(reply, "summary")
    text = bounded(value.replace("\x00", ""))[:_SUMMARY_CHARS] if isinstance(value, str) else ""
    if not text:
        raise reply.error("the model's reply has no summary")
    return text
