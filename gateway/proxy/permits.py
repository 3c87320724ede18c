"""What a token lets a client of the proxy do: the same tokens as those of the HTTP door, in a header of their own.

The header Authorization is the upstream's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mnemolog.gateway.http.tokens import Token, TokenFile
from mnemolog.gateway.proxy.options import Caller
from mnemolog.schema.errors import InvalidInput

log = logging.getLogger("mnemolog.proxy")

TOKEN = "mnemolog-token"  # noqa: S105 (a header's name)


class Permits:
    """Asks each request for a token of the data folder."""

    def __init__(self, data: Path) -> None:
        self._tokens = TokenFile(data)

    def permitted(self, who: Caller, headers: Mapping[str, str]) -> Caller:
        """What the request's token leaves of what it asks for. Raises InvalidInput without one for its space."""
        try:
            token = self._tokens.of_secret(headers.get(TOKEN, ""), time.time_ns() // 1_000_000)
        except InvalidInput as error:
            # What is wrong with the file is for who runs the proxy, not for who asks it.
            log.error("%s", error)  # noqa: TRY400 (the message says all)
            token = None
        return bounded(who, token)


def bounded(who: Caller, token: Token | None) -> Caller:
    """What a token leaves of what a request asks for. Raises InvalidInput where that is nothing.

    A token of another space is told what no token at all is told: nobody learns which spaces there are.
    """
    if token is None or not token.sees(who.space):
        raise InvalidInput("there is no token of this memory in Mnemolog-Token")
    if token.session_prefix is not None and not (who.session or "").startswith(token.session_prefix):
        raise InvalidInput("the token is for other sessions (Mnemolog-Session)")
    return msgspec.structs.replace(
        who,
        recalls=who.recalls and token.may("read"),
        publishes=who.publishes and token.may("write"),
        speaker=token.speaker or who.speaker,
        is_bound=token.speaker is not None,
        # A client that may not say what it likes must not change which messages others' turns are.
        owner=(token.speaker or token.name) if token.is_bound or not token.may("write") else "",
        role=token.role,
    )
