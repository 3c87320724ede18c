"""A request to the server, by what it is about: the kind of job, the messages, the pairs, the scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

#: The kinds of requests; what is neither a job nor embeddings is a chat.
KINDS = ("extract", "resolve", "consolidate", "chat", "embeddings")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the server is asked. `about` is the JSON document of the last user message, empty where it is none.

    `text` is that message as it came (of embeddings: all inputs, a line each), `structured` says that a JSON schema
    was asked for.
    """

    kind: str
    text: str
    about: dict[str, Any] = msgspec.field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    structured: bool = False
    prompt_chars: int = 0

    @property
    def space(self) -> str | None:
        """The space that the job is for."""
        return self.about.get("space")

    @property
    def scene(self) -> str | None:
        """The scene to be summed up."""
        return self.about.get("scene")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages to be read, without earlier context."""
        return [message for message in self.about.get("messages", ()) if not message.get("read")]

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """The facts of a resolve or consolidate job, by id."""
        return {fact["id"]: fact for fact in self.about.get("facts", ())}

    @property
    def pairs(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The pairs of facts to be judged, the earlier one first."""
        facts = self.facts
        return [(facts[first], facts[second]) for first, second in self.about.get("pairs", ())]

    @property
    def event_ids(self) -> frozenset[str]:
        """The ids of the messages to be read; of a resolve job, of all that its facts were taken from."""
        if self.kind == "extract":
            return frozenset(message["event_id"] for message in self.messages)
        return frozenset(said for fact in self.facts.values() for said in evidence_of(fact))

    @property
    def identity(self) -> str:
        """The same for requests about the same thing, however they are put."""
        return blake2b(f"{self.kind}\x1f{self.text}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def evidence_of(fact: dict[str, Any]) -> frozenset[str]:
    """The ids of the messages that a fact was taken from."""
    return frozenset(said["event_id"] for said in fact.get("evidence", ()))


def chat_request(body: dict[str, Any]) -> Request:
    """What a chat completion is asked for. Raises KeyError, TypeError or ValueError for another body."""
    messages: Sequence[dict[str, Any]] = body["messages"]
    texts = list(_texts(messages))
    asked = [_content(message) for message in messages if message["role"] == "user"]
    text = asked[-1] if asked else ""
    about = _document(text)
    kind = about.get("kind")
    return Request(
        kind=kind if kind in KINDS[:3] else "chat",
        text=text,
        about=about if kind in KINDS[:3] else {},
        structured=(body.get("response_format") or {}).get("type") == "json_schema",
        prompt_chars=sum(map(len, texts)),
    )


def embeddings_request(body: dict[str, Any]) -> Request:
    """What embeddings are asked for. Raises KeyError, TypeError or ValueError for another body."""
    given = body["input"]
    inputs = (given,) if isinstance(given, str) else msgspec.convert(given, tuple[str, ...])
    return Request(kind="embeddings", text="\n".join(inputs), inputs=inputs, prompt_chars=sum(map(len, inputs)))


def _texts(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    return (_content(message) for message in messages)


def _content(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


def _document(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
