"""Chats that pass through the proxy: what is recalled for a request, and what of it and its answer is published."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers

from mnemolog.gateway.memory import Memories
from mnemolog.gateway.proxy.conversation import Conversation, Turn, read, with_context
from mnemolog.gateway.proxy.options import Caller, Options, caller
from mnemolog.gateway.proxy.permits import Permits
from mnemolog.gateway.proxy.remembering import NOTHING_KEPT, OFF, Kept, Recalled, Remembering
from mnemolog.gateway.proxy.sessions import Exchange
from mnemolog.schema.errors import InvalidInput

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: A larger body is read in a thread, so that others do not wait for it.
_LARGE_BYTES = 256 * 1024
_REASON_CHARS = 200
_BAD_REQUEST, _TOO_MANY, _SERVER_ERROR = 400, 429, 500


class Chat(msgspec.Struct):
    """One request and its answer. `body` is what goes to the upstream, `kept` what is known of its publishing."""

    body: bytes
    recalled: Recalled
    caller: Caller | None = None
    exchange: Exchange | None = None
    kept: Kept = NOTHING_KEPT

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the client is told about its memory."""
        return [(b"mnemolog-memory", _value(self.recalled)), (b"mnemolog-published", _value(self.kept))]


class Chats:
    """The memory's part in all chats of a proxy."""

    def __init__(self, memories: Memories, options: Options, permits: Permits | None) -> None:
        self._options = options
        self._permits = permits
        self._memory = Remembering(memories, options)

    async def warm_up(self) -> None:
        """Loads what the first chat would wait for."""
        await self._memory.warm_up()

    async def close(self, timeout_s: float) -> None:
        """Waits for what is being published, so many seconds at most."""
        await self._memory.close(timeout_s)

    async def begin(self, headers: Headers, body: bytes) -> Chat:
        """Recalls for a request. Never raises: a chat goes on without a memory."""
        try:
            conversation = await self._read(headers, body)
            who = caller(self._options, headers, conversation.user, conversation.question)
            if self._permits is not None:
                who = self._permits.permitted(who, headers)
        except InvalidInput as error:
            return Chat(body, Recalled("unavailable", reason=str(error)))
        if not (who.recalls or who.publishes):
            return Chat(body, OFF)
        turns = conversation.of_roles(self._options.roles)
        exchange = await self._memory.exchange(who, turns)
        recalled = await self._recalled(conversation, who, exchange)
        told = with_context(conversation, recalled.text) if recalled.text else body
        return Chat(told, recalled, who, exchange)

    async def asked(self, chat: Chat, status: int) -> None:
        """Publishes what the memory does not have yet of a request, once the upstream has answered with a status.

        What it refused, as from somebody without a key, is nobody's memory; what it failed at was said all the same.
        """
        refused = _BAD_REQUEST <= status < _SERVER_ERROR and status != _TOO_MANY
        if chat.exchange is None or chat.caller is None or not chat.caller.publishes or refused:
            return
        turns = [one for one in chat.exchange.unpublished if chat.caller.role in (None, one.turn.role)]
        task = self._memory.publish(chat.exchange, turns, chat.caller)
        chat.kept = await self._memory.kept(task)

    def answered(self, chat: Chat, turn: Turn) -> None:
        """Begins to publish an answer that has come to its end."""
        if chat.exchange is None or chat.caller is None or not chat.caller.publishes:
            return
        if turn.role not in self._options.roles or chat.caller.role not in (None, turn.role):
            return
        place = chat.exchange.answered(turn)
        if place.event_id not in chat.exchange.session.published:
            self._memory.publish(chat.exchange, [place], chat.caller)

    async def _read(self, headers: Headers, body: bytes) -> Conversation:
        """The conversation of a request. Raises InvalidInput for one that the memory has no part in."""
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise InvalidInput("the request is compressed")
        origin = headers.get("origin")
        if origin is not None and origin not in self._options.origins and _host(origin) not in _LOOPBACK:
            raise InvalidInput("the web page's origin may not use the memory (--allow-origin)")
        return await asyncio.to_thread(read, body) if len(body) > _LARGE_BYTES else read(body)

    async def _recalled(self, conversation: Conversation, who: Caller, exchange: Exchange) -> Recalled:
        if not who.recalls:
            return OFF
        if not conversation.question:
            return Recalled("empty")
        return await self._memory.recall(exchange, conversation.question, who.speaker, goes_on=conversation.goes_on)


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def _value(told: Recalled | Kept) -> bytes:
    """The value of a header: ASCII, on one line."""
    line = " ".join(str(told).split())[:_REASON_CHARS]
    return line.encode("ascii", "replace")
