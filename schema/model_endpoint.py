"""How the servers of models are spoken to: one client without hidden retries, and one place for its errors.

Importing this loads `openai`, which takes longer than the rest of a command: only what calls a model imports it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import openai
from openai import OpenAI

from mnemolog.schema.errors import EngineError
from mnemolog.schema.model_settings import ModelSettings

#: Local servers need no key, the client does.
_NO_KEY = "none"
_SAID_CHARS = 300
_RAW_CHARS = 10_000
_STATUSES = {
    401: "refused the key (check OPENAI_API_KEY)",
    403: "refused the key (check OPENAI_API_KEY)",
    404: "does not know the address or the model (check OPENAI_BASE_URL and the model's name)",
    429: "has had too many requests, or the account is used up",
}
_LONGEST_RETRY_AFTER_S = 86_400.0

# They log the address of each request, which may hold a password.
for _transport in ("httpx2", "httpcore2", "httpx", "httpcore"):
    logging.getLogger(_transport).setLevel(logging.WARNING)


def open_client(settings: ModelSettings) -> OpenAI:
    """A client that never retries. Raises EngineError where neither a key nor a server of one's own is given."""
    if not settings.has_endpoint:
        raise EngineError("no model can be called: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own")
    return OpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key or _NO_KEY,
        timeout=settings.timeout_s,
        max_retries=0,
    )


def translate(error: openai.OpenAIError | ValueError, what: str, settings: ModelSettings) -> EngineError:
    """The error of ours that says what a server, or the way to it, refused; `what` as in "extract cells"."""
    reason, said = _reason(error, settings)
    raw = ""
    retry_after_s = None
    if isinstance(error, openai.APIStatusError):
        raw = settings.without_secrets(error.response.text)[:_RAW_CHARS]
        retry_after_s = retry_after(error.response.headers, time.time())
    brief = f"cannot {what}: {reason}"
    return EngineError(f"{brief}: {said}" if said else brief, raw=raw, brief=brief, retry_after_s=retry_after_s)


def _reason(error: openai.OpenAIError | ValueError, settings: ModelSettings) -> tuple[str, str]:
    """What happened, and what the server said to it."""
    where = settings.shown_url
    said = settings.without_secrets(" ".join(str(error).split()))[:_SAID_CHARS]
    if isinstance(error, openai.APITimeoutError):
        return f"{where} did not answer within {settings.timeout_s:g} s", ""
    if isinstance(error, openai.APIConnectionError):
        cause = settings.without_secrets(str(error.__cause__ or error))[:_SAID_CHARS]
        return f"{where} cannot be reached or broke off: {cause}", ""
    if isinstance(error, openai.APIStatusError):
        return f"{where} {_STATUSES.get(error.status_code, f'answered {error.status_code}')}", said
    return f"{where} answered with what is no reply", said


def retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """The seconds that a reply asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110).

    At most a day; None where there is no such header, or nothing readable in it.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name, ""), scale, now_s)
        if seconds is not None:
            return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)
    return None


def _seconds(text: str, scale: float, now_s: float) -> float | None:
    try:
        value = float(text) * scale
    except ValueError:
        try:
            value = parsedate_to_datetime(text).timestamp() - now_s
        except ValueError:
            return None
    return value if math.isfinite(value) else None
