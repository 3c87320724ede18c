"""What a door can put on the log of a space."""

from __future__ import annotations

from collections.abc import Sequence

from mnemolog.gateway.folding import TIMEOUT_S, Folded
from mnemolog.gateway.memory import decisions, forgetting, publishing, requests
from mnemolog.gateway.memory.axes import Time
from mnemolog.gateway.memory.decisions import Confirmed
from mnemolog.gateway.memory.forgetting import Forgetting
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.publishing import Interaction, Published
from mnemolog.gateway.memory.requests import Manner, Statement
from mnemolog.schema.errors import InvalidInput


class Telling:
    """The half of a Memory that puts events on the log, and waits for the writer where that is wished.

    A request waits until it is folded, if a writer runs, for `wait_s` seconds at most; 0 is not to wait. With an
    `event_id` it is asked once, however often it is called.
    """

    place: Place

    def publish(self, interaction: Interaction) -> Published:
        """Publishes one interaction; returns when the log has acknowledged it, once for each event id.

        Raises EventIdReused where the memory knows the event id with another content.
        """
        return publishing.publish(self.place, interaction)

    def publish_many(self, interactions: Sequence[Interaction]) -> tuple[Published, ...]:
        """Publishes interactions in order, in a few round trips. All are checked before the first is sent."""
        return publishing.publish_many(self.place, interactions)

    def close_session(self, session: str, *, occurred_at: Time | None = None, event_id: str | None = None) -> Published:
        """Says that a session is over; what is said in it later is remembered all the same."""
        return publishing.close_session(self.place, session, occurred_at=occurred_at, event_id=event_id)

    def remember(
        self,
        text: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Folded:
        """Has something remembered as it is said: believed fully, without a model; at least as a note.

        It waits for the writer, if one runs, for `wait_s` seconds at most. With an `event_id` it is asked once, however
        often it is called.
        """
        statement = Statement(text=text, speaker=speaker, occurred_at=occurred_at)
        return requests.remember(self.place, statement, Manner(event_id=event_id, wait_s=wait_s))

    def correct(
        self,
        node: str,
        text: str,
        *,
        speaker: str | None = None,
        occurred_at: Time | None = None,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Folded:
        """Says what is true instead of a fact that never was: a sentence, or the right value alone. As `remember`."""
        statement = Statement(text=text, speaker=speaker, occurred_at=occurred_at)
        return requests.correct(self.place, node, statement, Manner(event_id=event_id, wait_s=wait_s))[0]

    def confirm(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Pins a fact: it does not fade any more. What is said later still supersedes it."""
        return requests.confirm(self.place, node, Manner(event_id=event_id, wait_s=wait_s))[0]

    def unpin(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Takes a confirmation back: the fact fades again unless it is recalled."""
        return requests.unpin(self.place, node, Manner(event_id=event_id, wait_s=wait_s))[0]

    def unsupersede(self, node: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Says that a fact still holds beside those that took its place; no engine changes that."""
        return requests.unsupersede(self.place, node, Manner(event_id=event_id, wait_s=wait_s)).folded

    def forget(
        self,
        *,
        text: str | None = None,
        node_id: str | None = None,
        preview: bool = True,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Forgetting:
        """Retires the live facts that a text surely means, or a fact by its id, and hides what they were taken from.

        A preview says what would be touched, and touches nothing. What was forgotten comes back with a later statement
        only. Raises InvalidInput unless either a text or an id is given.
        """
        if (text is None) == (node_id is None):
            raise InvalidInput("give either the text of what is to be forgotten, or the id of a fact")
        manner = Manner(event_id=event_id, wait_s=wait_s)
        if not preview and (before := forgetting.forgotten_before(self.place, node_id, manner)) is not None:
            return before
        planned = forgetting.plan(self.place, node_id or text or "", by_id=node_id is not None)
        return forgetting.outcome(planned, None if preview else forgetting.forget(self.place, planned, manner))

    def review(
        self,
        *nodes: str,
        approved: bool,
        everything: bool = False,
        event_id: str | None = None,
        wait_s: float = TIMEOUT_S,
    ) -> Folded:
        """Brings the held verdicts about all of some facts into force, or rejects them; or of all verdicts."""
        if bool(nodes) == everything:
            raise InvalidInput("name the facts whose verdicts are meant, or say that all are")
        return decisions.review(self.place, nodes, Manner(event_id=event_id, wait_s=wait_s), approved=approved)[0]

    def confirm_request(
        self, request_id: str, *, preview: bool = True, event_id: str | None = None, wait_s: float = TIMEOUT_S
    ) -> Confirmed:
        """Forgets what a request that was made in talk means, and hides its message; a preview touches nothing."""
        request, planned = decisions.plan_of_request(self.place, request_id)
        manner = Manner(event_id=event_id, wait_s=wait_s)
        done = None if preview else forgetting.forget(self.place, planned, manner, request.request_id)
        return decisions.confirmed(request, planned, done)

    def dismiss_request(self, request_id: str, *, event_id: str | None = None, wait_s: float = TIMEOUT_S) -> Folded:
        """Closes a request that was made in talk without forgetting anything."""
        return decisions.dismiss(self.place, request_id, Manner(event_id=event_id, wait_s=wait_s))[0]
