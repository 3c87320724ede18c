"""Requests to a memory: remember, correct, forget, confirm, verdicts. Each is an event; the fold does what it asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnemolog.producers.client import Producer
from mnemolog.producers.messages import Published, Time, check_id, moment
from mnemolog.schema.cells import MAX_SENTENCE_CHARS, Ruling
from mnemolog.schema.codec import check_text
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import Payload
from mnemolog.schema.outcomes import ExtractedCell
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    RequestDismissed,
    VerdictGiven,
    VerdictsReviewed,
)

MAX_TEXT_CHARS = 8 * MAX_SENTENCE_CHARS
#: How many facts one request may forget.
MAX_FORGOTTEN = 1_000

Pair = tuple[str, str]


def checked_text(text: str) -> str:
    """The text of a statement. Raises InvalidInput or InvalidContent for what cannot be stored."""
    check_text("text", text, 4 * MAX_TEXT_CHARS)
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InvalidInput(f"a statement has 1 to {MAX_TEXT_CHARS} characters, not {len(text)}")
    return text


def remembered(
    text: str, cells: Iterable[ExtractedCell], *, speaker: str | None = None, occurred_at: Time | None = None
) -> FactRemembered:
    """The payload that states something: `cells` are what was read in it, and quote the event's own id."""
    at, offset = (None, 0) if occurred_at is None else moment(occurred_at)
    return FactRemembered(
        text=checked_text(text),
        speaker=None if speaker is None else check_id("speaker", speaker),
        occurred_at=at,
        utc_offset_min=offset,
        cells=tuple(cells),
    )


def corrected(
    node_id: str,
    text: str,
    cells: Iterable[ExtractedCell],
    *,
    speaker: str | None = None,
    occurred_at: Time | None = None,
) -> FactCorrected:
    """The payload that states what is true instead of a fact; as `remembered`."""
    stated = remembered(text, cells, speaker=speaker, occurred_at=occurred_at)
    return FactCorrected(
        node_id=node_id,
        text=stated.text,
        speaker=stated.speaker,
        occurred_at=stated.occurred_at,
        utc_offset_min=stated.utc_offset_min,
        cells=stated.cells,
    )


def forgotten(node_ids: Iterable[str], request: str | None = None) -> FactsForgotten:
    """The payload that retires facts, as a `request` in talk asked. Raises InvalidInput for none, or too many."""
    wanted = tuple(dict.fromkeys(node_ids))
    if not 1 <= len(wanted) <= MAX_FORGOTTEN:
        raise InvalidInput(f"a request forgets 1 to {MAX_FORGOTTEN} facts, not {len(wanted)}")
    return FactsForgotten(node_ids=wanted, request=request)


def reviewed(pairs: Iterable[Pair], *, approved: bool) -> VerdictsReviewed:
    """The payload that decides on verdicts that were held. Raises InvalidInput for none."""
    wanted = tuple(pairs)
    if not wanted:
        raise InvalidInput("no verdict was named")
    return VerdictsReviewed(pairs=wanted, approved=approved)


class Requests:
    """Sends requests over a producer. Every method raises as `Producer.publish` does."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def send(self, payload: Payload, event_id: str | None = None) -> Published:
        """Sends any request; again with the same id it is the same request."""
        return self._producer.send(self._producer.event(payload, event_id))

    def remember(
        self,
        text: str,
        cells: Iterable[ExtractedCell],
        event_id: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
    ) -> Published:
        """States something, believed fully. The cells quote `event_id`."""
        return self.send(remembered(text, cells, speaker=speaker, occurred_at=occurred_at), event_id)

    def correct(
        self,
        node_id: str,
        text: str,
        cells: Iterable[ExtractedCell],
        event_id: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
    ) -> Published:
        """Says what is true instead of a fact, which was never true. The cells quote `event_id`."""
        return self.send(corrected(node_id, text, cells, speaker=speaker, occurred_at=occurred_at), event_id)

    def forget(self, node_ids: Iterable[str], request: str | None = None) -> Published:
        """Retires facts and hides what they were taken from; closes the `request` in talk that asked for it."""
        return self.send(forgotten(node_ids, request))

    def dismiss(self, request: str) -> Published:
        """Closes a request that was made in talk, without doing what it asks."""
        return self.send(RequestDismissed(request=request))

    def confirm(self, node_id: str) -> Published:
        """Pins a fact: it does not fade any more."""
        return self.send(FactConfirmed(node_id=node_id))

    def unpin(self, node_id: str) -> Published:
        """Lets a fact fade again."""
        return self.send(FactUnpinned(node_id=node_id))

    def judge(self, first: str, second: str, ruling: Ruling) -> Published:
        """Gives a person's verdict on two facts."""
        return self.send(VerdictGiven(first=first, second=second, ruling=ruling))

    def separate(self, node_id: str, others: Sequence[str]) -> list[Published]:
        """Says that a fact is compatible with others that retire it, so that it is live again."""
        if not others:
            raise InvalidInput(f"nothing retires {node_id}")
        verdicts = [VerdictGiven(first=node_id, second=other, ruling="compatible") for other in others]
        return self._producer.send_many([self._producer.event(verdict) for verdict in verdicts])

    def review(self, pairs: Iterable[Pair], *, approved: bool) -> Published:
        """Brings verdicts that were held into force, or rejects them."""
        return self.send(reviewed(pairs, approved=approved))
