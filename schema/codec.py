"""Events to bytes and back. Decoding has two steps, so that "newer than me" and "corrupt" are told apart.

First the envelope `{"id", "type", "v", "g", "at", "data"}` (`v` the payload's version, `g` the generation of the
schema that wrote it), then the payload by type and version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from mnemolog.schema.errors import InvalidContent, NewerEvent, Undecodable
from mnemolog.schema.events import (
    MAX_CONTENT_BYTES,
    MAX_EVENT_BYTES,
    MAX_METADATA_BYTES,
    MAX_NESTING,
    SCHEMA_GENERATION,
    Event,
    Id,
    MessagePublished,
    Payload,
    TimeMs,
)
from mnemolog.schema.ids import MAX_ID_CHARS, EventId
from mnemolog.schema.registry import PAYLOADS
from mnemolog.schema.upcasters import UPCASTERS, Upcaster, upcast

Version = Annotated[int, msgspec.Meta(ge=1)]


class _Envelope(msgspec.Struct, frozen=True):
    id: Id
    type: str
    v: Version
    g: Version
    at: TimeMs
    data: msgspec.Raw


class _Peek(msgspec.Struct, frozen=True):
    """The one field that every generation keeps."""

    g: int = 0


_envelope = msgspec.json.Decoder(_Envelope)
_peek = msgspec.json.Decoder(_Peek)
_payloads: dict[str, msgspec.json.Decoder[Payload]] = {
    name: msgspec.json.Decoder(struct) for name, struct in PAYLOADS.items()
}
_json = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="sorted")

#: Metadata stands in the payload, which stands in the envelope.
_EVENT_NESTING = MAX_NESTING + 2
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def encode(event_id: str, at: int, payload: Payload) -> bytes:
    """The bytes of an event: compact JSON without line breaks. Raises InvalidContent for what JSON cannot hold."""
    try:
        data = _json.encode(payload)
        return _json.encode(
            {
                "id": event_id,
                "type": payload.TYPE,
                "v": payload.VERSION,
                "g": SCHEMA_GENERATION,
                "at": at,
                "data": msgspec.Raw(data),
            }
        )
    except UnicodeEncodeError as error:
        raise InvalidContent(f"the text has a lone surrogate (half of a character) at {error.start}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidContent(f"the event cannot be written as JSON: {error}") from None


def digest(payload: Payload) -> bytes:
    """16 bytes over what the caller gave: equal for a repeated event, different for a reused id."""
    return hashlib.blake2b(given_bytes(payload), digest_size=16).digest()


def given_bytes(payload: Payload) -> bytes:
    """What the caller gave, in one canonical form."""
    return _canonical.encode((payload.TYPE, payload.given()))


def check_text(what: str, text: str, max_bytes: int) -> None:
    """Refuses text that the tables cannot hold. Raises InvalidContent for NUL, lone surrogates and over-long text."""
    if not isinstance(text, str):
        raise InvalidContent(f"{what} is text, not {type(text).__name__}")
    try:
        size = len(text) if text.isascii() else len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidContent(f"{what} has a lone surrogate (half of a character) at {error.start}") from None
    if "\x00" in text:
        raise InvalidContent(f"{what} has a NUL character at {text.index(chr(0))}")
    if size > max_bytes:
        raise InvalidContent(f"{what} has {size:,} bytes; the most is {max_bytes:,}")


def check_nesting(json: bytes, most: int) -> None:
    """Refuses JSON whose arrays and objects are nested deeper than `most`. Raises InvalidContent.

    A decoder gives up where its stack ends, which is elsewhere in each process; what an entry is must not depend on it.
    """
    if json.count(b"[") + json.count(b"{") <= most:
        return
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(json):
        mark = json[token.start()]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > most:
            raise InvalidContent(f"arrays and objects are nested more than {most} deep")


def check_payload(payload: Payload) -> None:
    """What the struct's types cannot say: sizes in bytes, NUL and surrogates. Raises InvalidContent."""
    if isinstance(payload, MessagePublished):
        check_text("content", payload.content, MAX_CONTENT_BYTES)
        if payload.metadata:
            _check_metadata(payload.metadata)
    for name in ("session", "speaker", "space"):
        value = getattr(payload, name, None)
        if value is not None:
            check_text(name, value, 4 * MAX_ID_CHARS)


def _check_metadata(metadata: dict[str, Any]) -> None:
    try:
        encoded = _json.encode(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidContent(f"metadata cannot be written as JSON: {error}") from None
    if len(encoded) > MAX_METADATA_BYTES:
        raise InvalidContent(f"metadata has {len(encoded):,} bytes as JSON; the most is {MAX_METADATA_BYTES:,}")
    check_nesting(encoded, MAX_NESTING)
    if _NUL.search(encoded):
        raise InvalidContent("metadata has a NUL character")


def decode(body: bytes, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS) -> Event:
    """The event that an entry holds.

    Raises Undecodable for what can never be folded (`reason` one of corrupt, too_large, too_deep, unknown_type,
    unknown_version, invalid_payload), and NewerEvent for what a newer mnemolog wrote.
    """
    if len(body) > MAX_EVENT_BYTES:
        raise Undecodable("too_large", f"{len(body):,} bytes; the most is {MAX_EVENT_BYTES:,}")
    try:
        check_nesting(body, _EVENT_NESTING)
    except InvalidContent as error:
        raise Undecodable("too_deep", str(error)) from None
    envelope = _decode_envelope(body)
    struct = PAYLOADS.get(envelope.type)
    if struct is None:
        if envelope.g > SCHEMA_GENERATION:
            raise NewerEvent(f"an event of type {envelope.type!r}, which this version does not know")
        raise Undecodable("unknown_type", repr(envelope.type[:100]))
    if envelope.v > struct.VERSION:
        raise NewerEvent(f"{envelope.type} version {envelope.v}; this version knows up to {struct.VERSION}")
    payload = _decode_payload(envelope, struct, upcasters)
    return Event(EventId(envelope.id), envelope.type, envelope.at, payload, digest(payload))


def _decode_envelope(body: bytes) -> _Envelope:
    try:
        envelope = _envelope.decode(body)
        check_text("id", envelope.id, 4 * MAX_ID_CHARS)
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidContent) as error:
        if _generation(body) > SCHEMA_GENERATION:
            raise NewerEvent("an event whose envelope this version cannot read") from None
        raise Undecodable("corrupt", str(error)) from None
    return envelope


def _generation(body: bytes) -> int:
    try:
        return _peek.decode(body).g
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


def _decode_payload(
    envelope: _Envelope, struct: type[Payload], upcasters: Mapping[tuple[str, int], Upcaster]
) -> Payload:
    try:
        if envelope.v == struct.VERSION:
            payload = _payloads[envelope.type].decode(envelope.data)
        else:
            older = msgspec.json.decode(envelope.data, type=dict[str, Any])
            newest = upcast(envelope.type, envelope.v, struct.VERSION, older, upcasters)
            payload = msgspec.convert(newest, struct)
        check_payload(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidContent) as error:
        raise Undecodable("invalid_payload", str(error)) from None
    return payload
