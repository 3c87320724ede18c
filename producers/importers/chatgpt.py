"""Exports of ChatGPT: `conversations.json`, alone or in the zip, whole or in numbered pieces.

A conversation is a tree of messages; what is imported is the branch that was on the screen, from its root to
`current_node`. There is no public specification: the shapes are those of exports from 2023 to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mnemolog.producers.importers.opening import each_object
from mnemolog.producers.importers.parts import Bad, Draft, Part, Progress, Skipped
from mnemolog.producers.importers.zones import from_seconds
from mnemolog.producers.messages import Message, Time
from mnemolog.schema.errors import InvalidTime
from mnemolog.schema.events import Role

ASSISTANT = "ChatGPT"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
#: Marks around references in answers, from the private use area.
_REFERENCE = re.compile("\ue200[^\ue200\ue201]*\ue201|[\ue200-\ue206]")
_THINKING = ("thoughts", "reasoning_recap")
_INSTRUCTIONS = ("user_editable_context", "model_editable_context")
_ATTACHED = {
    "image_asset_pointer": "[image]",
    "audio_asset_pointer": "[audio]",
    "real_time_user_audio_video_asset_pointer": "[audio]",
    "video_container_asset_pointer": "[video]",
}


class _Author(msgspec.Struct):
    role: str
    name: str | None = None


class _Message(msgspec.Struct):
    id: str
    author: _Author
    content: dict[str, Any] | None = None
    create_time: float | None = None
    recipient: str | None = None
    metadata: dict[str, Any] | None = None


class _Node(msgspec.Struct):
    message: dict[str, Any] | None = None
    parent: str | None = None


class _Conversation(msgspec.Struct):
    mapping: dict[str, _Node]
    title: str | None = None
    id: str | None = None
    conversation_id: str | None = None
    current_node: str | None = None
    create_time: float | None = None


class ChatGptReader:
    """Reads an export. `me` is the speaker of what the user said; `zone` the time zone that "last week" is meant in."""

    what = "conversation"

    def __init__(self, path: Path, *, me: str | None = None, zone: str | None = None) -> None:
        self._path = path
        self._me = me
        self._zone = zone

    def read(self, progress: Progress) -> Iterator[Part]:
        """The messages of all conversations; see Reader."""
        return each_object(self._path, progress, self._conversation)

    def _conversation(self, found: Any, number: int) -> Iterator[Part]:
        try:
            conversation = msgspec.convert(found, _Conversation)
        except msgspec.ValidationError as error:
            yield Bad(number, f"it is not one of ChatGPT: {error}")
            return
        key = conversation.conversation_id or conversation.id
        if not key:
            yield Bad(number, "it has no id")
            return
        branch, others = _branch(conversation)
        yield from (Skipped("on another branch of the conversation") for _ in range(others))
        before, title = conversation.create_time, conversation.title
        for line, message in enumerate(branch):
            for part in self._message(message, number, line, f"chatgpt-{key}", before, title):
                if isinstance(part, Draft):
                    title = None
                yield part
            before = _seconds(message) or before

    def _message(
        self, found: dict[str, Any], number: int, line: int, session: str, before: float | None, title: str | None
    ) -> Iterator[Part]:
        """What one message says. Without a time of its own it has that of the one `before` it."""
        place = f"message {str(found.get('id'))[:80]}"
        try:
            message = msgspec.convert(found, _Message)
        except msgspec.ValidationError as error:
            yield Bad(number, f"{place}: it is not one of ChatGPT: {error}")
            return
        text, reason = _text(message)
        if reason:
            yield Skipped(reason)
            return
        try:
            at = self._time(message, before)
        except InvalidTime as error:
            yield Bad(number, f"{place}: {error}")
            return
        role = _ROLES[message.author.role]
        details = {"title": title, "model": (message.metadata or {}).get("model_slug"), "files": _files(message)}
        said = Message(
            role=role,
            content=text,
            session=session,
            speaker={"user": self._me, "assistant": ASSISTANT}.get(role, message.author.name),
            occurred_at=at,
            line=line,
            metadata={name: value for name, value in details.items() if value},
            source_type="import",
        )
        yield Draft(number, place, f"chatgpt-{message.id}", said)

    def _time(self, message: _Message, before: float | None) -> Time:
        seconds = message.create_time or before
        if seconds is None:
            raise InvalidTime("neither it nor its conversation has a time")
        return from_seconds(seconds, self._zone)


def _branch(conversation: _Conversation) -> tuple[list[dict[str, Any]], int]:
    """The messages from the root to the current node, and how many stand elsewhere."""
    mapping = conversation.mapping
    node_id = conversation.current_node if conversation.current_node in mapping else _newest(mapping)
    branch: list[dict[str, Any]] = []
    seen: set[str] = set()
    while node_id is not None and node_id in mapping and node_id not in seen:
        seen.add(node_id)
        node = mapping[node_id]
        if node.message is not None:
            branch.append(node.message)
        node_id = node.parent
    elsewhere = sum(node.message is not None for key, node in mapping.items() if key not in seen)
    return branch[::-1], elsewhere


def _newest(mapping: dict[str, _Node]) -> str | None:
    """The node without children whose message is the newest: where an export does not say which is current."""
    parents = {node.parent for node in mapping.values()}
    leaves = [key for key in mapping if key not in parents]
    return max(leaves, key=lambda key: (_seconds(mapping[key].message), key), default=None)


def _seconds(message: dict[str, Any] | None) -> float:
    stated = (message or {}).get("create_time")
    return float(stated) if isinstance(stated, int | float) else 0.0


def _text(message: _Message) -> tuple[str, str]:
    """(text, "") of a message, or ("", the reason why it is passed over)."""
    content = message.content or {}
    kind = content.get("content_type")
    if message.author.role not in _ROLES:
        return "", f"role {message.author.role[:40]!r}"
    if (message.metadata or {}).get("is_visually_hidden_from_conversation") and message.author.role != "tool":
        return "", "hidden in the conversation"
    if kind in _THINKING:
        return "", "reasoning of the model"
    if kind in _INSTRUCTIONS:
        return "", "custom instructions"
    if message.author.role == "assistant" and message.recipient not in (None, "all"):
        return "", "call of a tool"
    text = _REFERENCE.sub("", _words(content)).strip()
    return (text, "") if text else ("", "no text")


def _words(content: dict[str, Any]) -> str:
    parts = content.get("parts")
    if isinstance(parts, list):
        return "\n".join(filter(None, map(_part, parts)))
    said = next((content[name] for name in ("text", "result", "content") if isinstance(content.get(name), str)), "")
    title = content.get("title")
    return f"{title}\n{said}" if isinstance(title, str) and title and said else said


def _part(part: Any) -> str:
    """The words of a part: text, what was said aloud, or the kind of what is attached."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else _ATTACHED.get(str(part.get("content_type")), "")


def _files(message: _Message) -> list[str]:
    attached = (message.metadata or {}).get("attachments")
    if not isinstance(attached, list):
        return []
    return [str(one.get("name"))[:200] for one in attached if isinstance(one, dict) and one.get("name")]
