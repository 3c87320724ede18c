"""Decoding: query strings and bodies as the structs of an operation, or a problem that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_origin

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from mnemolog.gateway.http.operation import PositionText, Query
from mnemolog.gateway.http.problems import INVALID, MALFORMED, NOT_JSON, TOO_LARGE, Refused
from mnemolog.gateway.memory.axes import within_log
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position

Struct = TypeVar("Struct", bound=Query)


def query_of(given: QueryParams, struct: type[Struct]) -> Struct:
    """The parameters of a query string. Raises Refused for unknown, repeated and impossible ones."""
    try:
        return msgspec.convert(_values(given, struct), struct, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(INVALID, f"query: {error}") from None


def _values(given: QueryParams, struct: type[Query]) -> dict[str, Any]:
    many = {field.name for field in msgspec.structs.fields(struct) if get_origin(field.type) is tuple}
    values: dict[str, Any] = {}
    for name in given:
        found = given.getlist(name)
        if name not in many and len(found) > 1:
            raise Refused(INVALID, f"query: {name[:100]!r} was given {len(found)} times")
        values[name] = found if name in many else found[0]
    return values


def position_of(text: str) -> Position:
    """The position that a header or a parameter names. Raises Refused for another text."""
    try:
        return within_log(Position.parse(msgspec.convert(text, PositionText)))
    except (msgspec.ValidationError, InvalidInput):
        raise Refused(INVALID, f"{text[:100]!r} is not a position: it looks like 1757000000000-0") from None


class Bodies:
    """Reads the bodies of one type, up to a number of bytes."""

    def __init__(self, struct: type[msgspec.Struct], most_bytes: int) -> None:
        self._decoder = msgspec.json.Decoder(struct)
        self._may_be_empty = not any(field.required for field in msgspec.structs.fields(struct))
        self._most_bytes = most_bytes

    async def of(self, request: Request) -> msgspec.Struct:
        """The body of a request. Raises Refused for one that is too large, no JSON, or not of the type."""
        raw = await self._read(request)
        if not raw and self._may_be_empty:
            raw = b"{}"
        else:
            _check_media_type(request.headers)
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise Refused(INVALID, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(MALFORMED, str(error)) from None

    async def _read(self, request: Request) -> bytes:
        stated = request.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > self._most_bytes:
            raise self._too_large()
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > self._most_bytes:
                raise self._too_large()
        return bytes(raw)

    def _too_large(self) -> Refused:
        # What is left of the body is not read: the connection ends with the answer.
        return Refused(TOO_LARGE, f"a body has at most {self._most_bytes:,} bytes", {"Connection": "close"})


def _check_media_type(headers: Mapping[str, str]) -> None:
    given = headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != "application/json":
        raise Refused(NOT_JSON, f"Content-Type is application/json, not {given[:100]!r}")
