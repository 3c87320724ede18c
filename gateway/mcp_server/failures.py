"""What went wrong, as a model is told it: what it was and what to do, never how the program failed."""

from __future__ import annotations

import logging

import apsw
import msgspec

from mnemolog.gateway.cli.telling import shown
from mnemolog.gateway.http.problems import INTERNAL, Refused, refusal
from mnemolog.schema.errors import DamagedFile, LogUnavailable, MnemologError, SpaceNotFound

log = logging.getLogger("mnemolog.mcp")

#: What helps beside the message.
_WHAT_TO_DO: tuple[tuple[type[Exception], str], ...] = (
    (LogUnavailable, "Nothing was stored. Tell the user; it can be tried again when `mnemolog up` runs."),
    (SpaceNotFound, "Nothing has been remembered in this space yet: store something first."),
    (DamagedFile, "Tell the user to run `mnemolog replay`, which builds the file again from the log."),
    (msgspec.ValidationError, "Correct the arguments and call again."),
)
_FAILED = "mnemolog could not do this; its log says more. Tell the user."


def told(error: Exception, tool: str, *, local: bool) -> str:
    """The message of an error. `local` callers, who run the server themselves, are told where files and servers are.

    What nobody expected is logged with its trace, and says nothing of itself.
    """
    advice = next((text for family, text in _WHAT_TO_DO if isinstance(error, family)), "")
    return shown(" ".join(filter(None, (_message(error, tool, local=local).rstrip("."), advice and f"– {advice}"))))


def _message(error: Exception, tool: str, *, local: bool) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"these arguments cannot be used: {error}"
    if isinstance(error, Refused):
        return error.detail
    if local and isinstance(error, MnemologError | apsw.Error | OSError):
        return str(error)
    found = refusal(error)
    if found.kind is INTERNAL:
        log.error("%s failed", tool, exc_info=error, extra={"tool": tool})
        return _FAILED
    return found.detail or found.kind.title
