"""Faults: the ways in which a server of models misbehaves, done to an answer that would have been good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

FaultName = Literal[
    "rate_limited",
    "server_error",
    "unauthorized",
    "no_structured_output",
    "slow",
    "cut_off",
    "invalid_json",
    "fenced",
    "wrong_schema",
    "refusal",
    "truncated",
    "empty",
]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3_600)]

REFUSAL = "I'm sorry, but I can't help with that."


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A misbehaviour. `times` is how often for requests about the same thing; None: always.

    `retry_after_s` is sent with every error, `delay_s` is waited before any answer.
    """

    fault: FaultName
    times: int | None = None
    retry_after_s: Seconds | None = None
    delay_s: Seconds = 0.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes over the wire: a model's words, or the status and message of an error.

    `cut` breaks the connection off in the middle; `finish_reason` and `refusal` are those of a chat completion.
    """

    text: str = ""
    status: int = 200
    error: str = ""
    retry_after_s: float | None = None
    delay_s: float = 0.0
    cut: bool = False
    refusal: str | None = None
    finish_reason: str = "stop"


def spoil(text: str, fault: Fault | None) -> Answer:
    """The answer that would have been `text`, with a fault done to it."""
    if fault is None:
        return Answer(text=text)
    spoilt = _SPOILERS[fault.fault](text)
    retry_after_s = fault.retry_after_s if spoilt.status != 200 else None  # noqa: PLR2004
    return msgspec.structs.replace(spoilt, delay_s=fault.delay_s, retry_after_s=retry_after_s)


_SPOILERS: dict[FaultName, Callable[[str], Answer]] = {
    "rate_limited": lambda _: Answer(status=429, error="Rate limit reached"),
    "server_error": lambda _: Answer(status=500, error="The server had an error"),
    "unauthorized": lambda _: Answer(status=401, error="Incorrect API key provided"),
    "no_structured_output": lambda _: Answer(status=400, error="response_format json_schema is not supported"),
    "slow": lambda text: Answer(text=text),
    "cut_off": lambda text: Answer(text=text, cut=True),
    "invalid_json": lambda text: Answer(text=text[: len(text) // 2] + " ..."),
    "fenced": lambda text: Answer(text=f"Here is what I found:\n\n```json\n{text}\n```\n\nAnything else?"),
    "wrong_schema": lambda _: Answer(text='{"result": {"status": "ok", "items": [1, 2, 3]}}'),
    "refusal": lambda _: Answer(refusal=REFUSAL),
    "truncated": lambda text: Answer(text=text[: len(text) // 2], finish_reason="length"),
    "empty": lambda _: Answer(),
}
