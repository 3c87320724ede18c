"""What a proxy is told at its start, and who a request says that it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from mnemolog.producers.messages import check_id
from mnemolog.projections.context import DEFAULT_BUDGET
from mnemolog.schema import times
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import Role
from mnemolog.schema.ids import check_space
from mnemolog.schema.settings import DEFAULT_SPACE

#: What the field `user` of a request names.
UserIs = Literal["speaker", "session", "space", "nothing"]

SPACE = "mnemolog-space"
SESSION = "mnemolog-session"
SPEAKER = "mnemolog-speaker"
USE = "mnemolog-use"
AT = "mnemolog-at"
#: Headers with this beginning are for the proxy, and go no further.
OWN = "mnemolog-"

#: Requests that frontends make for themselves, such as for a conversation's title.
ERRANDS = (r"### Task:",)
_ERRAND_CHARS = 200
_USES = {"": (True, True), "recall": (True, False), "publish": (False, True), "off": (False, False)}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a proxy works. Times are in seconds, sizes in bytes; `errands` are regular expressions.

    `recall_s` is how long a request waits for its context, `publish_s` how long for its turns to be acknowledged,
    `upstream_s` for the next bytes of the upstream and `connect_s` for a connection to it. `hosts` are the names by
    which the proxy may be asked for (any if empty) and `origins` those of web pages that may use the memory.
    """

    upstream: str
    space: str = DEFAULT_SPACE
    session: str | None = None
    speaker: str | None = None
    budget: int = DEFAULT_BUDGET
    roles: frozenset[Role] = frozenset({"user", "assistant"})
    user_is: UserIs = "speaker"
    session_header: str | None = None
    allow_space: bool = False
    errands: tuple[str, ...] = ERRANDS
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    recall_s: float = 0.5
    publish_s: float = 0.5
    connect_s: float = 10.0
    upstream_s: float = 600.0
    most_body_bytes: int = 32 * 1024 * 1024


class Caller(msgspec.Struct, frozen=True):
    """Whose conversation a request is of, and whether it is to recall and to be published.

    `said_at` is when its turns were said (UTC milliseconds), None for now. One that `is_bound` speaks for its speaker
    alone, and one with a `role` publishes what that says alone. What one with an `owner` says stands apart from what
    others say in a session of the same name.
    """

    space: str
    session: str | None
    speaker: str | None
    recalls: bool = True
    publishes: bool = True
    said_at: int | None = None
    is_bound: bool = False
    owner: str = ""
    role: Role | None = None


def caller(options: Options, headers: Mapping[str, str], user: str | None, question: str) -> Caller:
    """Whose request it is: by its headers (names in lower case), then its field `user`, then the settings.

    Raises InvalidInput for what no memory can have, and for a space that a client may not choose; InvalidTime.
    """
    named = {options.user_is: user} if user else {}
    asked = _first(headers.get(SPACE), named.get("space"))
    if asked is not None and asked != options.space and not options.allow_space:
        raise InvalidInput("the client may not choose the space")
    session = _first(
        headers.get(SESSION), headers.get(options.session_header or ""), named.get("session"), options.session
    )
    speaker = _first(headers.get(SPEAKER), named.get("speaker"), options.speaker)
    recalls, publishes = _uses(headers)
    is_errand = any(re.match(errand, question[:_ERRAND_CHARS]) for errand in options.errands)
    return Caller(
        space=check_space(_first(asked, options.space) or DEFAULT_SPACE),
        session=None if session is None else check_id("session", session),
        speaker=None if speaker is None else check_id("speaker", speaker),
        recalls=recalls and not is_errand,
        publishes=publishes and not is_errand,
        said_at=times.parse(headers[AT]) if headers.get(AT) else None,
    )


def _uses(headers: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether a request is to recall, and to be published."""
    asked = headers.get(USE, "").strip().lower()
    if asked not in _USES:
        raise InvalidInput("Mnemolog-Use is recall, publish or off")
    return _USES[asked]


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value), None)
