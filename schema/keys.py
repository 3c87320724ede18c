"""Redis key names, in one place. The braces keep all keys of one space in one slot of a Redis Cluster."""

from __future__ import annotations

from mnemolog.schema.ids import is_space

#: The one field of a stream entry.
BODY_FIELD = b"e"


def stream(space: str) -> str:
    """The stream of a space's events."""
    return f"mnemolog:{{{space}}}:events"


def progress(space: str) -> str:
    """Where the writer says how far it is ('ms-seq'), for importers that must not run too far ahead of it."""
    return f"mnemolog:{{{space}}}:progress"


def space_of(stream_key: bytes) -> str | None:
    """The space whose stream has this key; None for a key that is no space's stream."""
    name = stream_key.decode("utf-8", "replace").removeprefix("mnemolog:{").removesuffix("}:events")
    return name if stream(name).encode("utf-8") == stream_key and is_space(name) else None
