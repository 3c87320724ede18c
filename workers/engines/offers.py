"""What a model's server offers: learnt from what it refuses, and remembered, so that it is asked in vain only once."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Protocol

import msgspec
import redis

_EXPIRES_S = 86_400


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request that not every server takes. The newest models refuse `max_tokens` and a temperature."""

    structured: bool = True
    temperature: bool = True
    max_tokens: bool = True

    def without(self, complaint: str, *, structured: bool) -> Offers | None:
        """What is left after a refusal of a request, which asked for a structured reply or not; None: nothing less."""
        said = complaint.casefold()
        if self.temperature and "temperature" in said:
            return msgspec.structs.replace(self, temperature=False)
        if self.max_tokens and "max_tokens" in said:
            return msgspec.structs.replace(self, max_tokens=False)
        # Servers name this one in many ways, or not at all.
        if self.structured and structured:
            return msgspec.structs.replace(self, structured=False)
        return None


class OffersMemory(Protocol):
    """Where it is remembered what an endpoint offers for a model."""

    def read(self, base_url: str, model: str) -> Offers:
        """What is known; all of it where nothing is."""
        ...

    def write(self, base_url: str, model: str, offers: Offers) -> None:
        """Remembers what a request was answered with."""
        ...


class ProcessMemory:
    """Remembers as long as it lives."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Offers] = {}

    def read(self, base_url: str, model: str) -> Offers:
        """See OffersMemory."""
        return self._known.get((base_url, model), Offers())

    def write(self, base_url: str, model: str, offers: Offers) -> None:
        """See OffersMemory."""
        self._known[base_url, model] = offers


class RedisMemory:
    """Remembers for a day in Redis: a worker runs each job in a process of its own. Without Redis it knows nothing."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def read(self, base_url: str, model: str) -> Offers:
        """See OffersMemory."""
        try:
            known: Any = self._client.get(_key(base_url, model))
            return msgspec.json.decode(known, type=Offers) if known else Offers()
        except (redis.RedisError, msgspec.DecodeError):
            return Offers()

    def write(self, base_url: str, model: str, offers: Offers) -> None:
        """See OffersMemory."""
        try:
            self._client.set(_key(base_url, model), msgspec.json.encode(offers), ex=_EXPIRES_S)
        except redis.RedisError:
            return


def _key(base_url: str, model: str) -> str:
    # Hashed: an address may hold a password.
    return "mnemolog:model:" + blake2b(f"{base_url}\x1f{model}".encode(), digest_size=16).hexdigest()
