"""The stream of a space in Redis: reading entries, appending events, and what its bounds are."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import redis

from mnemolog.schema import keys
from mnemolog.schema.archive import Entry
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import LogRefused
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position

RawFields = Mapping[bytes, bytes]

#: Redis weighs so many nodes of a stream, about 100 entries each, and takes the rest to be like them.
MEMORY_SAMPLES = 500

#: KEYS[1] is the stream; ARGV: the id and the bytes of its first entry, and the name of the field.
_BEGIN_AT = """
local later, top = {}, false
if redis.call('EXISTS', KEYS[1]) == 1 then
    later = redis.call('XRANGE', KEYS[1], ARGV[1], '+')
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then top = info[i + 1] end
    end
    redis.call('DEL', KEYS[1])
end
redis.call('XADD', KEYS[1], ARGV[1], ARGV[3], ARGV[2])
for _, entry in ipairs(later) do
    if entry[1] ~= ARGV[1] then redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) end
end
-- Refused where the stream ended before the first entry, which is the top then.
if top then redis.pcall('XSETID', KEYS[1], top) end
return #later
"""


class Bounds(msgspec.Struct, frozen=True):
    """What a stream holds: how many entries, the first one's position, and the highest id ever given out."""

    length: int
    first: Position | None
    top: Position


def body_of(fields: RawFields) -> bytes:
    """The bytes of an entry. An entry that is not ours is kept as a JSON object that no decoder takes for an event."""
    if fields.keys() == {keys.BODY_FIELD}:
        return fields[keys.BODY_FIELD]
    pairs = [[base64.b64encode(part).decode("ascii") for part in pair] for pair in fields.items()]
    return msgspec.json.encode({"foreign": pairs})


def _entries(raw: Sequence[tuple[bytes, RawFields | None]]) -> list[Entry]:
    return [Entry(Position.parse(id_), body_of(fields or {})) for id_, fields in raw]


class Stream:
    """One space's stream, over a client with bytes in and out and without retries of its own.

    Every method raises LogUnavailable, LogFull or LogRefused for what Redis or the way to it does.
    """

    def __init__(self, client: redis.Redis, space: str) -> None:
        self.client = client
        self.space = space
        self.key = keys.stream(space)

    def _do(self, what: str, *command: Any) -> Any:
        try:
            return self.client.execute_command(*command)
        except redis.RedisError as error:
            raise translate(error, f"{what} the stream of space {self.space!r}") from error

    def entry(self, position: Position) -> Entry | None:
        """The entry at a position, or None."""
        found = _entries(self._do("read", "XRANGE", self.key, str(position), str(position)))
        return found[0] if found else None

    def range(self, after: Position, count: int, until: Position | None = None) -> list[Entry]:
        """At most `count` entries after `after`, up to and with `until`."""
        end = str(until) if until else "+"
        return _entries(self._do("read", "XRANGE", self.key, _next(after), end, "COUNT", count))

    def bounds(self) -> Bounds | None:
        """What the stream holds, or None when there is no stream."""
        try:
            info: Any = self.client.xinfo_stream(self.key)
        except redis.ResponseError as error:
            if "no such key" in str(error):
                return None
            raise translate(error, f"inspect the stream of space {self.space!r}") from error
        except redis.RedisError as error:
            raise translate(error, f"inspect the stream of space {self.space!r}") from error
        facts = {_text(key): value for key, value in info.items()}
        first = facts["first-entry"]
        return Bounds(
            length=int(facts["length"]),
            first=Position.parse(first[0]) if first else None,
            top=Position.parse(facts["last-generated-id"]),
        )

    def count_after(self, position: Position, most: int) -> int:
        """How many entries there are after a position, counted up to `most`."""
        counted = 0
        while counted < most:
            page = self._do("count", "XRANGE", self.key, _next(position), "+", "COUNT", min(1000, most - counted))
            if not page:
                break
            counted += len(page)
            position = Position.parse(page[-1][0])
        return counted

    def create(self, body: bytes) -> Position | None:
        """Begins the stream with its first event; None when there is one already. Two creators make one stream."""
        try:
            with self.client.pipeline(transaction=True) as pipe:
                pipe.watch(self.key)
                if pipe.exists(self.key):
                    return None
                pipe.multi()
                pipe.xadd(self.key, {keys.BODY_FIELD: body})
                return Position.parse(pipe.execute()[0])
        except redis.WatchError:
            return None
        except redis.RedisError as error:
            raise translate(error, f"create the stream of space {self.space!r}") from error

    def append(self, body: bytes) -> Position:
        """Adds an entry at the end."""
        return Position.parse(self._do("append to", "XADD", self.key, "*", keys.BODY_FIELD, body))

    def restore(self, entry: Entry) -> None:
        """Puts an entry back at its own position, which must lie above everything the stream ever held."""
        self._do("restore", "XADD", self.key, str(entry.position), keys.BODY_FIELD, entry.body)

    def begin_at(self, first: Entry) -> None:
        """Lets the stream begin with this entry, whatever stood at its position and before it; nothing of that stays.

        What stands after it stays, and so does the highest id ever given out. All of it happens at once: trimming
        would leave an entry's bytes in place while others share its node.
        """
        self._do("rewrite", "EVAL", _BEGIN_AT, 1, self.key, str(first.position), first.body, keys.BODY_FIELD)

    def trim(self, first: Position) -> int:
        """Removes what stands before the entry that is to be the first; gives how many entries that were."""
        return int(self._do("trim", "XTRIM", self.key, "MINID", "=", str(first)))

    def memory_bytes(self) -> int | None:
        """How much of Redis' memory the stream takes, as Redis estimates it; None where it does not say."""
        try:
            found = self._do("measure", "MEMORY", "USAGE", self.key, "SAMPLES", MEMORY_SAMPLES)
        except LogRefused:
            return None
        return None if found is None else int(found)

    def memory_left(self) -> float | None:
        """Which share of its memory Redis has left; None where that is not bounded or it does not say."""
        try:
            found: Any = self._do("inspect the memory behind", "INFO", "memory")
        except LogRefused:
            return None
        most = int(found.get("maxmemory", 0))
        return max(0.0, 1 - int(found["used_memory"]) / most) if most else None


def _text(key: Any) -> str:
    return key.decode("ascii") if isinstance(key, bytes) else str(key)


def _next(position: Position) -> str:
    """The smallest id after a position (XRANGE's own '(' form needs Redis 6.2; this works everywhere)."""
    if position == START:
        return "-"
    ms, seq = position
    return f"{ms}-{seq + 1}" if seq < MAX_STREAM_PART else f"{ms + 1}-0"


def read_many(
    client: redis.Redis, positions: Mapping[str, Position], count: int, block_ms: int
) -> dict[str, list[Entry]]:
    """What stands after the positions of several spaces, at most `count` entries of each; waits when there is nothing.

    Takes {space: position} and gives {space: entries} for the spaces that have some. Raises as Stream does.
    """
    spaces = {keys.stream(space).encode(): space for space in positions}
    try:
        found = client.execute_command(
            "XREAD",
            "COUNT",
            count,
            "BLOCK",
            block_ms,
            "STREAMS",
            *spaces,
            *(str(position) for position in positions.values()),
        )
    except redis.RedisError as error:
        raise translate(error, "read the stream") from error
    return {spaces[bytes(key)]: _entries(entries) for key, entries in found or []}


def spaces_on(client: redis.Redis) -> list[str]:
    """The names of the spaces that have a stream on this Redis, sorted. Raises as Stream does."""
    try:
        found = {keys.space_of(key) for key in client.scan_iter(match=keys.stream("*"), count=1000)}
    except redis.RedisError as error:
        raise translate(error, "look for streams") from error
    return sorted(name for name in found if name is not None)
