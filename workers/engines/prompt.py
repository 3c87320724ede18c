"""Prompts: what a model is told to do, from files whose names carry their version, with the form of its reply."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

from mnemolog.schema.outcomes import JobKind


class Prompt(msgspec.Struct, frozen=True):
    """Instructions for a kind of job; `schema` is the JSON schema of the reply, `version` stands in the outcome."""

    version: str
    instructions: str
    schema: dict[str, Any]


def load(kind: JobKind, number: int) -> Prompt:
    """The prompt in `prompts/KIND.vNUMBER.md` and its schema beside it."""
    version = f"{kind}.v{number}"
    folder = files(__package__).joinpath("prompts")
    return Prompt(
        version,
        folder.joinpath(f"{version}.md").read_text(encoding="utf-8"),
        msgspec.json.decode(folder.joinpath(f"{version}.json").read_bytes(), type=dict[str, Any]),
    )


EXTRACT = load("extract", 2)
RESOLVE = load("resolve", 1)
CONSOLIDATE = load("consolidate", 1)
