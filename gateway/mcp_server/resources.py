"""The resources: the facts and the topics of the space, as marked text."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote

import mcp_types as types

from mnemolog.gateway.mcp_server import answers, texts
from mnemolog.gateway.memory.facts import Scene
from mnemolog.gateway.memory.memory import Memory
from mnemolog.schema.errors import SpaceNotFound

SCHEME = "mnemolog://"
#: A resource holds so many facts or topics at most; the tools page through more.
MOST_LISTED = 200
_TEXT = "text/plain"


def listed(memory: Memory) -> list[types.Resource]:
    """The facts, the topics, and each topic by its key, the largest first."""
    base = SCHEME + memory.space
    fixed = [
        types.Resource(
            name="facts",
            title="Facts",
            uri=f"{base}/facts",
            description="The facts that hold now, the newest first.",
            mime_type=_TEXT,
        ),
        types.Resource(
            name="scenes",
            title="Topics",
            uri=f"{base}/scenes",
            description="The topics that facts group under, with their summaries.",
            mime_type=_TEXT,
        ),
    ]
    return fixed + [
        types.Resource(
            name=answers.plain(scene.scene),
            uri=f"{base}/scenes/{quote(scene.scene, safe='')}",
            # No summary: clients tell a model what describes resources as if it were this program's own words.
            description=f"A topic with {scene.cells} facts, and its summary.",
            mime_type=_TEXT,
        )
        for scene in _scenes(memory)
    ]


def templates(space: str) -> list[types.ResourceTemplate]:
    """How the address of a topic is made."""
    return [
        types.ResourceTemplate(
            name="scene",
            title="A topic",
            uri_template=f"{SCHEME}{space}/scenes/{{scene}}",
            description="A topic: its summary and the facts that hold now.",
            mime_type=_TEXT,
        )
    ]


def read(memory: Memory, uri: str) -> types.ReadResourceResult | None:
    """The text of a resource; None for an address that is none of this space's. Raises as Memory does."""
    space, _, path = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or space != memory.space:
        return None
    kind, _, key = path.partition("/")
    told = _readers().get((kind, bool(key)))
    if told is None:
        return None
    text = told(memory, unquote(key))
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text, mime_type=_TEXT)])


def _readers() -> dict[tuple[str, bool], Callable[[Memory, str], str]]:
    return {("facts", False): _facts, ("scenes", False): _topics, ("scenes", True): _topic}


def _facts(memory: Memory, _: str) -> str:
    return texts.of_listed(answers.listed(memory.facts(limit=MOST_LISTED)))


def _topics(memory: Memory, _: str) -> str:
    return texts.of_topics(answers.topic(scene) for scene in _scenes(memory))


def _topic(memory: Memory, key: str) -> str:
    found = memory.scene(key, limit=MOST_LISTED)
    facts = texts.of_listed(answers.Listed(facts=tuple(map(answers.known, found.facts)), next=found.next))
    return f"{texts.of_topics([answers.topic(found)])}\n{facts}"


def _scenes(memory: Memory) -> list[Scene]:
    try:
        return list(memory.scenes(limit=MOST_LISTED).scenes)
    except SpaceNotFound:
        return []
