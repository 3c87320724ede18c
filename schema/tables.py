"""The tables of a space's file: their definitions, and which of them are the fold's."""

from __future__ import annotations

from importlib import resources

#: Grows whenever the same log would fold to other tables; a file of another version is rebuilt.
FOLD_VERSION = 2

#: The tables that the fold writes, in the order in which they are hashed; `space` holds the position.
FOLD_TABLES = (
    "space",
    "events",
    "sessions",
    "nodes",
    "cells",
    "verdicts",
    "refusals",
    "tombstones",
    "pending_requests",
    "reinforcements",
    "outcomes",
    "edges",
    "scenes",
    "entities",
    "entity_aliases",
    "jobs",
    "dead_letters",
    "recalls",
    "recalled_nodes",
    "erased_events",
)

#: Columns that are local to one file and stand in no hash.
LOCAL_COLUMNS = {"nodes": ("number",)}


def definitions() -> str:
    """The SQL that creates all tables of a new file, indexes for search excepted."""
    return resources.files("mnemolog.schema").joinpath("tables.sql").read_text(encoding="utf-8")
