"""Prompts: what a model is told to do, from files whose names carry their version, with the form of its reply."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from mnemolog.schema.errors import InvalidInput
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


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is told for each kind of job."""

    extract: Prompt = EXTRACT
    resolve: Prompt = RESOLVE
    consolidate: Prompt = CONSOLIDATE

    @property
    def versions(self) -> tuple[str, str, str]:
        """Their versions."""
        return self.extract.version, self.resolve.version, self.consolidate.version


def prompts_in(folder: Path) -> Prompts:
    """The prompts with those of a folder in their place (KIND.NAME.md, one of a kind); the form of a reply stays.

    Raises InvalidInput for a folder that holds none, or several of a kind.
    """
    found = {kind: _given(folder, kind, prompt) for kind, prompt in msgspec.structs.asdict(Prompts()).items()}
    prompts = Prompts(**found)
    if prompts == Prompts():
        raise InvalidInput(f"{folder} holds no prompt: they are named like extract.mine.md")
    return prompts


def _given(folder: Path, kind: str, usual: Prompt) -> Prompt:
    given = sorted(folder.glob(f"{kind}.*.md"))
    if len(given) > 1:
        raise InvalidInput(f"{folder} holds {len(given)} prompts for {kind}: {', '.join(file.name for file in given)}")
    try:
        return Prompt(given[0].stem, given[0].read_text(encoding="utf-8"), usual.schema) if given else usual
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{given[0]} cannot be read: {error}") from None
