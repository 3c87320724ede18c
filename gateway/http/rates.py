"""Rates: how many requests a caller may send, and how many wrong tokens an address."""

from __future__ import annotations

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.http.problems import TOO_MANY, Refused


class Rates:
    """Counts in this process's memory, by sliding windows. Keys are names of tokens and addresses."""

    def __init__(self, options: HttpOptions) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerSecond(options.requests_per_s)
        self._wrong = RateLimitItemPerMinute(options.wrong_tokens_per_min)

    def request(self, caller: str) -> None:
        """Counts a request. Raises Refused for one too many."""
        if not self._limiter.hit(self._requests, "request", caller):
            raise _too_many(self._requests)

    def wrong_token(self, address: str) -> None:
        """Counts a wrong token. Raises Refused for one too many of an address."""
        if not self._limiter.hit(self._wrong, "wrong", address):
            raise _too_many(self._wrong)


def _too_many(item: RateLimitItem) -> Refused:
    return Refused(
        TOO_MANY, f"at most {item.amount} a {item.GRANULARITY.name}", {"Retry-After": str(item.get_expiry())}
    )
