"""In whose name a tool works: the speaker and the session of this server, and what a token allows."""

from __future__ import annotations

from typing import Literal

import msgspec

from mnemolog.gateway.http import speaking
from mnemolog.gateway.http.problems import NOT_ALLOWED, Refused
from mnemolog.gateway.http.tokens import ANYBODY, Token
from mnemolog.gateway.memory.publishing import Interaction


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls. `speaker` and `session` stand in where a call names none."""

    session: str
    speaker: str | None = None
    token: Token = ANYBODY

    def speaking_as(self, speaker: str | None) -> str | None:
        """Who has something remembered. Raises Refused for one that the token may not speak for."""
        if self.token.is_bound:
            return speaking.stated_by(self.token, speaker)
        return speaker or self.speaker

    def check_event_id(self, event_id: str | None) -> None:
        """Raises Refused for an event id that the token may not take."""
        speaking.check_event_id(self.token, event_id)

    def checked(self, interaction: Interaction) -> Interaction:
        """What may be published. Raises Refused for what the token may not say."""
        return speaking.spoken(self.token, interaction)

    def check_unbound(self) -> None:
        """Raises Refused for a token that speaks for one alone: what changes the facts of all is not for it."""
        speaking.check_unbound(self.token)

    def check_scope(self, scope: Literal["read", "write"]) -> None:
        """Raises Refused for a token without the scope."""
        if not self.token.may(scope):
            raise Refused(NOT_ALLOWED, f"this needs a token of the scope {scope}; this one has {self.token.scope}")
