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


def queue(kind: str) -> str:
    """The name of the RQ queue for one kind of job, for all spaces."""
    return f"mnemolog-{kind}"


def claim(space: str, job: str) -> str:
    """Says for a short time that a worker is at a job, or was."""
    return f"mnemolog:{{{space}}}:claim:{job}"


def troubles(space: str) -> str:
    """A hash of what the last attempts at open jobs failed with, by job."""
    return f"mnemolog:{{{space}}}:troubles"


def awaited(space: str) -> str:
    """Says for some seconds that somebody waits until all work of a space is done, also what else could wait."""
    return f"mnemolog:{{{space}}}:awaited"


def home(space: str) -> str:
    """Which machine is home to a space: the claim to it, without an expiry."""
    return f"mnemolog:{{{space}}}:home"


def machines() -> str:
    """A hash of the names of the machines that ran a writer for all spaces, by their ids."""
    return "mnemolog:machines"


def space_of(stream_key: bytes) -> str | None:
    """The space whose stream has this key; None for a key that is no space's stream."""
    name = stream_key.decode("utf-8", "replace").removeprefix("mnemolog:{").removesuffix("}:events")
    return name if stream(name).encode("utf-8") == stream_key and is_space(name) else None
