"""Every error that mnemolog raises on purpose: one root, small families; the message is what a user reads."""

from __future__ import annotations

import errno
import os

PROBLEMS_SHOWN = 20


class MnemologError(Exception):
    """The root of all errors raised on purpose. `exit_status` is what the command line ends with."""

    exit_status = 1


# ---- bad input -------------------------------------------------------------------------------------------------


class InvalidInput(MnemologError):
    """What the caller gave cannot be accepted; nothing was written."""

    exit_status = 2


class InvalidSpaceName(InvalidInput):
    """A space name has 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or a digit."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"space name {name!r} is not valid: use 1 to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit"
        )


class InvalidTime(InvalidInput):
    """A time must be ISO 8601 with an offset (or Z), or integer UTC milliseconds."""


class InvalidContent(InvalidInput):
    """Text that cannot be stored: a lone surrogate, a NUL, or more than the stated size."""


class EventIdReused(InvalidInput):
    """The log has an event of this id already, and it says something else; nothing was written."""

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        super().__init__(
            f"the memory has an event {event_id[:100]!r} already, and it says something else: give another id, or none"
        )


class InvalidFile(InvalidInput):
    """A file to import has bad lines (or conversations: `what`); nothing of it was published."""

    def __init__(self, path: str, problems: list[tuple[int, str]], what: str = "line") -> None:
        self.path = path
        self.problems = problems
        shown = "\n".join(f"  {what} {number}: {reason}" for number, reason in problems[:PROBLEMS_SHOWN])
        left = len(problems) - PROBLEMS_SHOWN
        more = f"\n  … and {left} more" if left > 0 else ""
        super().__init__(
            f"{path}: {len(problems)} bad {what}(s); nothing was published (--skip-bad leaves bad {what}s out)\n"
            f"{shown}{more}"
        )


class CannotListen(MnemologError):
    """A server cannot listen at its address: another program does, or the machine does not have it or allow it."""

    def __init__(self, host: str, port: int, reason: OSError) -> None:
        self.host = host
        self.port = port
        # The number of a host's name that nobody knows is below 0, and of another kind.
        why = os.strerror(reason.errno) if reason.errno and reason.errno > 0 else str(reason)
        advice = ": give another port, or 0 for any free one" if reason.errno == errno.EADDRINUSE else ""
        super().__init__(f"cannot listen at {host}, port {port}: {why}{advice}")


# ---- the log ---------------------------------------------------------------------------------------------------


class LogUnavailable(MnemologError):
    """Redis cannot be reached or did not answer; nothing is known to have been published. Try again."""

    exit_status = 3


class LogFull(MnemologError):
    """Redis has no memory or disk left and refuses writes. Of many messages, those of earlier round trips are there."""

    exit_status = 3


class SpoolFull(LogFull):
    """Redis takes no events, and the spool on disk has no room for them either; nothing of them was kept."""


class LogRefused(MnemologError):
    """Redis answered with an error (password, permissions, wrong type of key, read-only replica)."""

    exit_status = 3


class StreamLost(MnemologError):
    """The stream this process published to has vanished from Redis."""

    exit_status = 3


class RedisNotFound(MnemologError):
    """No Redis server program is on this machine."""

    exit_status = 3


class DivergedLog(MnemologError):
    """Stream, archive and file do not tell the same story. `kind` says what happened: trimmed, emptied, replaced."""

    exit_status = 4

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


# ---- decoding --------------------------------------------------------------------------------------------------


class Undecodable(MnemologError):
    """An entry of the log is not an event: `reason` is a stable word, `detail` says more."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class NewerEvent(MnemologError):
    """An event was written by a newer mnemolog; this one stops rather than guess."""

    exit_status = 5

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


# ---- the file --------------------------------------------------------------------------------------------------


class SpaceNotFound(MnemologError):
    """There is no file for this space yet."""

    exit_status = 6


class SpaceHeld(MnemologError):
    """Another live process holds this space."""

    exit_status = 7


class StaleWriter(MnemologError):
    """The writer's epoch is over: another one took the space, or a rebuilt file was swapped in."""

    exit_status = 8


class DamagedFile(MnemologError):
    """The space's file or archive is not what was written."""

    exit_status = 9


class NotInstalled(MnemologError):
    """Something optional is needed and is not installed."""

    exit_status = 3


# ---- engines ---------------------------------------------------------------------------------------------------


class EngineError(MnemologError):
    """An engine could not do its work. `retry_after_s` is what a model's server asked for; `raw` its reply, if any.

    `calls`, `tokens_in` and `tokens_out` are what was spent on it all the same. `brief` is the message without what a
    model or its server said, which may quote what people said: logs have that.
    """

    def __init__(
        self,
        message: str,
        *,
        raw: str = "",
        brief: str = "",
        retry_after_s: float | None = None,
        calls: int = 0,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        self.raw = raw
        self.brief = brief or message
        self.retry_after_s = retry_after_s
        self.calls = calls
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out
        super().__init__(message)
