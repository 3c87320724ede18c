"""Memories of mem0: what `get_all` returns, saved as JSON, or a list of such objects.

A memory of mem0 is what a model concluded from talk that mem0 does not keep. So it is no message of a person: it
becomes a statement to the memory by mem0, whose cells are believed as what others say (0.6) and supersede nothing that
the person said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mnemolog.producers.importers.opening import each_object
from mnemolog.producers.importers.parts import Bad, Draft, Part, Progress, Skipped
from mnemolog.producers.importers.zones import from_text
from mnemolog.producers.messages import moment
from mnemolog.producers.requests import remembered
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.outcomes import ExtractedCell

SPEAKER = "mem0"
#: Reads the cells of a sentence in the first person: (sentence, memory, event id, subject, UTC ms, offset in minutes).
ReadCells = Callable[[str, str, str, str, int, int], tuple[ExtractedCell, ...]]

_IRREGULAR = {"is": "am", "has": "have", "does": "do", "goes": "go", "was": "was", "studies": "study", "tries": "try"}
_IRREGULAR |= {"teaches": "teach", "watches": "watch", "wishes": "wish", "carries": "carry", "does not": "do not"}
_VERBS = frozenset(
    (
        *(
            "adores",
            "aims",
            "avoids",
            "believes",
            "builds",
            "collects",
            "cooks",
            "dislikes",
            "drinks",
            "drives",
            "eats",
        ),
        *("enjoys", "follows", "hates", "hopes", "intends", "keeps", "knows", "learns", "likes", "listens", "lives"),
        *("loves", "manages", "needs", "owns", "plans", "plays", "practices", "prefers", "reads", "runs", "speaks"),
        *("supports", "takes", "thinks", "travels", "uses", "visits", "wants", "works", "writes"),
    )
)
_PAST = frozenset(
    (
        *("adopted", "bought", "changed", "joined", "left", "lived", "moved", "quit", "started", "studied"),
        *("switched", "visited", "worked"),
    )
)
_NOUNS = re.compile(
    r"(?:name|favou?rite|birthday|job|wife|husband|partner|son|daughter|sister|brother|dog|cat)\b", re.IGNORECASE
)


class _Memory(msgspec.Struct):
    id: str
    memory: str
    user_id: str | None = None
    agent_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    expiration_date: str | None = None


class Mem0Reader:
    """Reads memories. `me` is the subject where an export names none; `zone` is that of times without an offset."""

    what = "record"

    def __init__(self, path: Path, read_cells: ReadCells, *, me: str | None = None, zone: str | None = None) -> None:
        self._path = path
        self._read_cells = read_cells
        self._me = me
        self._zone = zone

    def read(self, progress: Progress) -> Iterator[Part]:
        """The memories; see Reader."""
        return each_object(self._path, progress, lambda found, number: iter([self._memory(found, number)]))

    def _memory(self, found: Any, number: int) -> Part:
        try:
            memory = msgspec.convert(found, _Memory)
            if not memory.memory.strip():
                return Skipped("no text")
            return self._draft(memory, number)
        except msgspec.ValidationError as error:
            return Bad(number, f"it is not one of mem0: {error}")
        except InvalidInput as error:
            return Bad(number, str(error))

    def _draft(self, memory: _Memory, number: int) -> Draft:
        subject = self._me or memory.user_id or memory.agent_id
        if subject is None:
            raise InvalidInput("it has no user_id: say with --me whom it is about")
        stated = memory.updated_at or memory.created_at
        if stated is None:
            raise InvalidInput("it has no created_at")
        at = from_text(stated, self._zone)
        # An update of mem0 keeps the id and changes the words: that is another statement.
        words = hashlib.blake2b(memory.memory.encode("utf-8", "replace"), digest_size=6).hexdigest()
        event_id = f"mem0-{memory.id}-{words}"
        ms, offset = moment(at)
        cells = self._read_cells(first_person(memory.memory, subject), memory.memory, event_id, subject, ms, offset)
        said = remembered(memory.memory, cells, speaker=SPEAKER, occurred_at=at)
        return Draft(number, f"memory {memory.id[:80]}", event_id, said)


def first_person(memory: str, subject: str) -> str:
    """A memory as its subject would say it: "User likes jazz" is "I like jazz"; unchanged in forms not known."""
    text = memory.strip()
    named = re.match(rf"(?:(?:the )?user|{re.escape(subject)})(?P<owner>['’]s)?\s+", text, re.IGNORECASE)
    rest = text[named.end() :] if named else text
    if (named and named["owner"]) or (not named and _NOUNS.match(rest)):
        return f"My {rest[:1].lower()}{rest[1:]}"
    first, _, after = rest.partition(" ")
    verb = _base(first.lower())
    return f"I {verb} {after}".strip() if verb else text


def _base(word: str) -> str | None:
    """The form of a verb that goes with "I"; None for what is no known verb."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _PAST:
        return word
    return word.removesuffix("s") if word in _VERBS else None
