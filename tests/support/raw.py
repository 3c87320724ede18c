"""A search of the raw bytes of files and of Redis for words that should not be there any more."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis as redis_py

_NOT_OURS = ("redis.conf", "redis.log")


def found_in(folders: Iterable[Path], client: redis_py.Redis, words: Sequence[str]) -> list[str]:
    """Where one of the words stands, in whatever form it is kept: plain, packed, or as JSON escapes it."""
    wanted = [form for word in words for form in _forms(word)]
    places = [*_files(folders), *_keys(client)]
    return [name for name, data in places if any(form in part for part in _unpacked(data) for form in wanted)]


def _forms(word: str) -> set[bytes]:
    return {word.encode(), word.casefold().encode(), word.encode("utf-16-le")}


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


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes, and what is packed in them."""
    yield data
    for mark, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"\x78\x9c", lambda packed: zlib.decompressobj().decompress(packed)),
    ):
        start = data.find(mark)
        while start >= 0:
            try:
                yield (
                    unpack(data[start:]) if unpack is gzip.decompress else zlib.decompressobj().decompress(data[start:])
                )
            except (OSError, EOFError, zlib.error):
                pass
            start = data.find(mark, start + 1)
