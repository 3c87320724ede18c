"""Settings: one struct, read from the environment and the command line at the entry point only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import check_space, is_space

Durability = Literal["process", "power"]
#: Of what is asked through a door the log keeps the text, or a salted hash, or nothing.
RecallLog = Literal["text", "hash", "off"]

DEFAULT_SPACE = "default"
DEFAULT_LEASE_S = 10.0
DEFAULT_SNAPSHOT_EVENTS = 100_000
DEFAULT_STREAM_EVENTS = 100_000
DEFAULT_STREAM_BYTES = 64 * 1024 * 1024
DEFAULT_TIME_ZONE = "UTC"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are. `redis_url` None means the embedded server of the data folder."""

    data: Path
    space: str = DEFAULT_SPACE
    redis_url: str | None = None
    durability: Durability = "process"
    lease_s: float = DEFAULT_LEASE_S
    recall_log: RecallLog = "text"
    snapshot_events: int = DEFAULT_SNAPSHOT_EVENTS
    stream_events: int = DEFAULT_STREAM_EVENTS
    stream_bytes: int = DEFAULT_STREAM_BYTES
    time_zone: str = DEFAULT_TIME_ZONE

    @property
    def folder(self) -> Path:
        """The folder of the space."""
        return space_folder(self.data, self.space)

    @property
    def file(self) -> Path:
        """The SQLite file of the space."""
        return self.folder / "space.db"

    @property
    def archive(self) -> Path:
        """The folder of the space's archive."""
        return self.folder / "archive"

    def of_space(self, space: str) -> Settings:
        """The same settings for another space. Raises InvalidSpaceName."""
        return msgspec.structs.replace(self, space=check_space(space))


def space_folder(data: Path, space: str) -> Path:
    """Where a space's file and archive are. Raises InvalidSpaceName."""
    return data / "spaces" / check_space(space)


def spaces_in(data: Path) -> list[str]:
    """The names of the spaces that have a folder, sorted."""
    folder = data / "spaces"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and is_space(path.name))


def from_environment(
    environ: Mapping[str, str],
    *,
    data: Path | None = None,
    space: str | None = None,
    redis_url: str | None = None,
    durability: str | None = None,
) -> Settings:
    """Settings from the environment, with what was given on the command line before it.

    Reads MNEMOLOG_DATA (default `~/.mnemolog`), MNEMOLOG_SPACE (default `default`), MNEMOLOG_REDIS_URL,
    MNEMOLOG_DURABILITY (`process` or `power`), MNEMOLOG_LEASE_S (seconds after which a silent writer may be
    replaced, default 10), MNEMOLOG_RECALL_LOG (`text`, `hash` or `off`), MNEMOLOG_SNAPSHOT_EVENTS (after how many
    events the writer makes a snapshot, default 100,000; 0 for never), MNEMOLOG_STREAM_EVENTS and MNEMOLOG_STREAM_BYTES
    (how many entries, and bytes of Redis' memory, of what is archived and folded a stream may keep, default 100,000 and
    64 MiB; 0 for any number) and MNEMOLOG_TIME_ZONE (in which "last week" is meant, default UTC). Raises
    InvalidInput for a value that cannot be used.
    """
    chosen = durability or environ.get("MNEMOLOG_DURABILITY") or "process"
    if chosen not in ("process", "power"):
        raise InvalidInput(f"durability is 'process' or 'power', not {chosen!r}")
    recall_log = environ.get("MNEMOLOG_RECALL_LOG") or "text"
    if recall_log not in get_args(RecallLog):
        raise InvalidInput(f"MNEMOLOG_RECALL_LOG is 'text', 'hash' or 'off', not {recall_log!r}")
    folder = data or Path(environ.get("MNEMOLOG_DATA") or Path.home() / ".mnemolog")
    return Settings(
        data=folder.expanduser().absolute(),
        space=check_space(space or environ.get("MNEMOLOG_SPACE") or DEFAULT_SPACE),
        redis_url=redis_url or environ.get("MNEMOLOG_REDIS_URL") or None,
        durability=cast("Durability", chosen),
        lease_s=_positive(environ, "MNEMOLOG_LEASE_S", DEFAULT_LEASE_S),
        recall_log=cast("RecallLog", recall_log),
        snapshot_events=_count(environ, "MNEMOLOG_SNAPSHOT_EVENTS", DEFAULT_SNAPSHOT_EVENTS),
        stream_events=_count(environ, "MNEMOLOG_STREAM_EVENTS", DEFAULT_STREAM_EVENTS),
        stream_bytes=_count(environ, "MNEMOLOG_STREAM_BYTES", DEFAULT_STREAM_BYTES),
        time_zone=environ.get("MNEMOLOG_TIME_ZONE") or DEFAULT_TIME_ZONE,
    )


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InvalidInput(f"{name} is a number of seconds above 0, not {text!r}")
    return value


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{name} is a whole number, 0 or more, not {text!r}")
    return int(text)
