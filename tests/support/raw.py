"""A search of the raw bytes of files and of Redis for words that should not be there any more."""

from __future__ import annotations

import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis as redis_py

#: How packed bytes begin, and zlib's name for the form. RQ packs at the default level, whose second byte is 9c.
_PACKED = ((b"\x1f\x8b", 31), (b"\x78\x9c", 15))
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_NOT_OURS = ("redis.conf", "redis.log")


def found_in(folders: Iterable[Path], client: redis_py.Redis, words: Sequence[str]) -> list[str]:
    """Where one of the words stands, in whatever form it is kept: plain, packed, or as JSON escapes it."""
    wanted = [form for word in words for form in _forms(word)]
    places = [*_files(folders), *_keys(client)]
    return [name for name, data in places if any(form in part for part in _unpacked(data) for form in wanted)]


def _forms(word: str) -> set[bytes]:
    escaped = json.dumps(word)[1:-1]
    upper = re.sub(r"\\u(....)", lambda found: "\\u" + found[1].upper(), escaped)
    texts = {word, word.casefold(), escaped, upper}
    # JSON in a text of JSON.
    texts |= {text.replace("\\", "\\\\") for text in texts}
    return {text.encode() for text in texts} | {word.encode("utf-16-le")}


def _files(folders: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in _NOT_OURS:
                yield str(path), path.read_bytes()


def _keys(client: redis_py.Redis) -> Iterator[tuple[str, bytes]]:
    keys: list[bytes] = list(client.scan_iter(count=1000))
    for key in sorted(keys):
        yield f"key {key!r}", key + (client.dump(key) or b"") + _value(client, key)
    yield "slow log", repr(client.slowlog_get(128)).encode()


def _value(client: redis_py.Redis, key: bytes) -> bytes:
    """The value as it is read: a dump may be compressed."""
    kind: Any = client.type(key)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1),
        b"stream": client.xrange,
    }
    found = readers[kind](key) if kind in readers else b""
    parts = found.items() if isinstance(found, dict) else [(found, b"")]
    return b"\n".join(_plain(one) for pair in parts for one in pair)


def _plain(value: Any) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()


def _unpacked(data: bytes, depth: int = 2) -> Iterator[bytes]:
    """The bytes, and what is packed in them: by gzip or zlib, as base64, or one in the other."""
    yield data
    if not depth:
        return
    for inner in (*_decompressed(data), *_from_base64(data)):
        yield from _unpacked(inner, depth - 1)


def _decompressed(data: bytes) -> Iterator[bytes]:
    for mark, form in _PACKED:
        start = data.find(mark)
        while start >= 0:
            # What follows a packed part, and a part that is cut short, does not matter.
            with suppress(zlib.error):
                yield zlib.decompressobj(form).decompress(data[start:])
            start = data.find(mark, start + 1)


def _from_base64(data: bytes) -> Iterator[bytes]:
    for run in _BASE64.findall(data):
        yield binascii.a2b_base64(run[: len(run) // 4 * 4])
