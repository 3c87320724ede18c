"""Answers of the upstream, read as they pass: what an assistant said, once it has said all of it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from mnemolog.gateway.proxy.conversation import Turn, said

#: An answer with more bytes than this is passed on and not read.
MOST_BYTES = 16 * 1024 * 1024
_DATA = b"data:"
_DONE = b"[DONE]"


class Reading(Protocol):
    """Reads the bytes of one answer."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Never raises."""
        ...

    def turn(self) -> Turn | None:
        """What was said, None unless all of it was; for the end of the answer."""
        ...


def reading(content_type: str, content_encoding: str) -> Reading | None:
    """What reads an answer of a type; None for one that is not read."""
    if content_encoding not in ("", "identity"):
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return Streamed()
    return Whole() if kind == "application/json" else None


class Whole:
    """An answer that comes as one document."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """See Reading."""
        self._size += len(chunk)
        if self._size <= MOST_BYTES:
            self._chunks.append(chunk)

    def turn(self) -> Turn | None:
        """See Reading. Of several choices nobody knows which one is gone on with: that comes with the next request."""
        document = _decoded(b"".join(self._chunks)) if self._size <= MOST_BYTES else None
        choices = document.get("choices") if isinstance(document, dict) else None
        if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
            return None
        message = choices[0].get("message")
        return _spoken(message.get("content") or message.get("refusal")) if isinstance(message, dict) else None


class Streamed:
    """An answer that comes as server-sent events (HTML standard, section 9.2.6), each with a piece of it."""

    def __init__(self) -> None:
        self._rest = b""
        self._pieces: list[str] = []
        self._refused: list[str] = []
        self._size = 0
        self._is_one = True
        self._has_ended = False

    def feed(self, chunk: bytes) -> None:
        """See Reading."""
        self._size += len(chunk)
        if self._size > MOST_BYTES:
            self._rest = b""
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line.strip())

    def turn(self) -> Turn | None:
        """See Reading. An answer has ended when its choice says why, or when the stream says that it is done."""
        self._line(self._rest.strip())
        if not self._has_ended or not self._is_one or self._size > MOST_BYTES:
            return None
        return _spoken("".join(self._pieces or self._refused))

    def _line(self, line: bytes) -> None:
        if not line.startswith(_DATA):
            return
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            self._has_ended = True
            return
        document = _decoded(data)
        choices = document.get("choices") if isinstance(document, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> None:
        self._is_one = self._is_one and choice.get("index", 0) == 0
        self._has_ended = self._has_ended or bool(choice.get("finish_reason"))
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        for pieces, field in ((self._pieces, "content"), (self._refused, "refusal")):
            if isinstance(delta.get(field), str):
                pieces.append(delta[field])


def _spoken(content: Any) -> Turn | None:
    """The assistant's turn. What only calls a tool says nothing."""
    text = said(content, "assistant")
    return Turn("assistant", text) if text else None


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
