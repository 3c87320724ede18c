"""Multiset hashes of tables: how a row is hashed, and how row hashes add up.

A table's sum is the sum modulo 2**256 of the BLAKE2b hashes of its rows (Bellare and Micciancio, "A New Paradigm
for Collision-Free Hashing", 1997): it does not depend on the order of rows or of changes, so it can be kept as
rows change and compared with a scan.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

BYTES = 32
MODULUS = 1 << (8 * BYTES)

_encode = msgspec.msgpack.Encoder().encode


class Sum(msgspec.Struct, frozen=True):
    """The number of a table's rows and the sum of their hashes."""

    rows: int
    total: int


def row_hash(table: str, values: tuple[Any, ...]) -> int:
    """The hash of a row's values as an integer below MODULUS."""
    return int.from_bytes(blake2b(_encode((table, values)), digest_size=BYTES).digest(), "big")


def sum_of(table: str, rows: Iterable[tuple[Any, ...]]) -> Sum:
    """The checksum of rows."""
    count = total = 0
    for row in rows:
        count += 1
        total += row_hash(table, row)
    return Sum(count, total % MODULUS)


def combined(sums: dict[str, Sum], fold_version: int) -> str:
    """One hash, as 64 hexadecimal digits, over the checksums of several tables."""
    parts = [(name, part.rows, part.total.to_bytes(BYTES, "big")) for name, part in sorted(sums.items())]
    return blake2b(_encode((fold_version, parts)), digest_size=BYTES).hexdigest()
