"""Speaking for others: what a token that is bound to a speaker, to sessions or to a role may put on the log."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.http.problems import NOT_ALLOWED, Refused
from mnemolog.gateway.http.tokens import Token
from mnemolog.gateway.memory.publishing import Interaction


def spoken(caller: Token, interaction: Interaction) -> Interaction:
    """What a caller publishes, in the name of the speaker that its token is bound to. Raises Refused for another's."""
    if not caller.is_bound:
        return interaction
    check_session(caller, interaction.session)
    check_event_id(caller, interaction.event_id)
    if caller.role not in (None, interaction.role):
        raise Refused(NOT_ALLOWED, f"this token publishes in the role {caller.role} alone")
    if interaction.source_type != "chat":
        raise Refused(NOT_ALLOWED, "this token publishes what is said in a chat alone")
    return msgspec.structs.replace(interaction, speaker=speaker_of(caller, interaction.speaker))


def speaker_of(caller: Token, speaker: str | None) -> str | None:
    """Who speaks: the speaker that a token is bound to, or the one that is given. Raises Refused for another one."""
    if caller.speaker is None:
        return speaker
    if speaker not in (None, caller.speaker):
        raise Refused(NOT_ALLOWED, "this token speaks as one speaker alone, and that is another one")
    return caller.speaker


def stated_by(caller: Token, speaker: str | None) -> str | None:
    """Who has something remembered: as `speaker_of`, of a bound token its speaker alone, where that one is a user.

    What is remembered stands in no session, and is believed fully. Raises Refused.
    """
    if caller.is_bound and (caller.speaker is None or caller.role not in (None, "user")):
        raise Refused(NOT_ALLOWED, "this token is bound to no speaker that is a user, and has nothing remembered")
    return speaker_of(caller, speaker)


def check_event_id(caller: Token, event_id: str | None) -> None:
    """Raises Refused for an event id that a bound token could take from others: its own begin with its name.

    What is published under an id that is taken is lost for who publishes it next.
    """
    if caller.is_bound and event_id is not None and not event_id.startswith(f"{caller.name}:"):
        raise Refused(NOT_ALLOWED, f"event ids of this token begin with '{caller.name}:'")


def check_session(caller: Token, session: str) -> None:
    """Raises Refused for a session that is not the token's."""
    if caller.session_prefix is not None and not session.startswith(caller.session_prefix):
        raise Refused(NOT_ALLOWED, f"this token is for sessions that begin with {caller.session_prefix!r} alone")


def check_unbound(caller: Token) -> None:
    """Raises Refused for a token that is bound: what changes the facts of all is not for it."""
    if caller.is_bound:
        raise Refused(NOT_ALLOWED, "this token publishes and remembers as one alone, and changes nothing else")
