"""Exports of Claude: `conversations.json`, alone or in the zip.

A conversation lists its messages; where they form a tree, what is imported is the branch that ends in the current
leaf, or else in the last message. There is no public specification: the shapes are those of exports from 2023 to 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mnemolog.producers.importers.opening import each_object
from mnemolog.producers.importers.parts import Bad, Draft, Part, Progress, Skipped
from mnemolog.producers.importers.zones import from_text
from mnemolog.producers.messages import Message, Time
from mnemolog.schema.errors import InvalidTime
from mnemolog.schema.events import Role

ASSISTANT = "Claude"
_ROLES: dict[str, Role] = {"human": "user", "user": "user", "assistant": "assistant"}
_PASSED_OVER = {"thinking": "reasoning of the model", "redacted_thinking": "reasoning of the model"}
_PASSED_OVER |= {"tool_use": "call of a tool", "token_budget": "", "flag": ""}
#: What stands in `text` for a block that the text cannot show.
_UNSUPPORTED = "This block is not supported on your current device yet."


class _Message(msgspec.Struct):
    uuid: str
    sender: str
    text: str | None = None
    content: list[dict[str, Any]] | None = None
    created_at: str | None = None
    parent_message_uuid: str | None = None
    attachments: list[dict[str, Any]] | None = None
    files: list[dict[str, Any]] | None = None


class _Conversation(msgspec.Struct):
    uuid: str
    chat_messages: list[dict[str, Any]]
    name: str | None = None
    created_at: str | None = None
    current_leaf_message_uuid: str | None = None


class _Place(msgspec.Struct, frozen=True):
    """Where a message stands: the number of its conversation and its own, its session, and the title to keep."""

    number: int
    line: int
    session: str
    title: str | None
    created_at: str | None


class ClaudeReader:
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
            yield Bad(number, f"it is not one of Claude: {error}")
            return
        branch = _branch(conversation)
        others = len(conversation.chat_messages) - len(branch)
        yield from (Skipped("on another branch of the conversation") for _ in range(others))
        title = conversation.name
        for line, message in enumerate(branch):
            place = _Place(number, line, f"claude-{conversation.uuid}", title, conversation.created_at)
            for part in self._message(message, place):
                if isinstance(part, Draft):
                    title = None
                yield part

    def _message(self, found: dict[str, Any], place: _Place) -> Iterator[Part]:
        name = f"message {str(found.get('uuid'))[:80]}"
        try:
            message = msgspec.convert(found, _Message)
            at = self._time(message, place)
        except (msgspec.ValidationError, InvalidTime) as error:
            reason = str(error) if isinstance(error, InvalidTime) else f"it is not one of Claude: {error}"
            yield Bad(place.number, f"{name}: {reason}")
            return
        if message.sender not in _ROLES:
            yield Skipped(f"sender {message.sender[:40]!r}")
            return
        blocks = message.content or []
        yield from (Skipped(reason) for block in blocks if (reason := _PASSED_OVER.get(str(block.get("type")), "")))
        told = [*_attachments(message), *_results(blocks)]
        for index, (what, text) in enumerate(told):
            yield self._draft(place, name, f"claude-{message.uuid}-{index}", at, "tool", text, {"from": what})
        text = _text(message, blocks)
        if text:
            details = {"title": place.title, "files": _files(message)}
            metadata = {name: value for name, value in details.items() if value}
            yield self._draft(place, name, f"claude-{message.uuid}", at, _ROLES[message.sender], text, metadata)
        elif not told:
            yield Skipped("no text")

    def _draft(
        self, place: _Place, name: str, event_id: str, at: Time, role: Role, text: str, metadata: dict[str, Any]
    ) -> Draft:
        said = Message(
            role=role,
            content=text,
            session=place.session,
            speaker={"user": self._me, "assistant": ASSISTANT}.get(role),
            occurred_at=at,
            line=place.line,
            metadata=metadata,
            source_type="import",
        )
        return Draft(place.number, name, event_id, said)

    def _time(self, message: _Message, place: _Place) -> Time:
        stated = message.created_at or place.created_at
        if stated is None:
            raise InvalidTime("neither it nor its conversation has a time")
        return from_text(stated, self._zone)


def _branch(conversation: _Conversation) -> list[dict[str, Any]]:
    """The messages of the current branch, in order; all of them where they do not form a tree."""
    messages = conversation.chat_messages
    by_id = {message.get("uuid"): message for message in messages}
    if not any(message.get("parent_message_uuid") in by_id for message in messages):
        return messages
    newest = max(messages, key=lambda message: str(message.get("created_at")))
    at: dict[str, Any] | None = by_id.get(conversation.current_leaf_message_uuid, newest)
    branch: list[dict[str, Any]] = []
    while at is not None and len(branch) < len(messages):
        branch.append(at)
        at = by_id.get(at.get("parent_message_uuid"))
    return branch[::-1]


def _text(message: _Message, blocks: list[dict[str, Any]]) -> str:
    """What was said: the text blocks, or the text alone in exports that have no blocks."""
    said = [str(block.get("text") or "") for block in blocks if block.get("type") == "text"]
    text = "\n".join(filter(None, said)) if any(said) else (message.text or "")
    shown = (line for line in text.splitlines() if line.strip() not in ("```", _UNSUPPORTED))
    text = "\n".join(shown) if _UNSUPPORTED in text else text
    return text.strip() or " ".join("[file]" for _ in message.files or [])


def _attachments(message: _Message) -> Iterator[tuple[str, str]]:
    """Name and text of what was attached: pasted or uploaded, and not what the person said."""
    for one in message.attachments or []:
        text = one.get("extracted_content")
        if isinstance(text, str) and text.strip():
            yield str(one.get("file_name") or "attachment")[:200], text.strip()


def _results(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name and text of what tools returned."""
    for block in blocks:
        if block.get("type") == "tool_result":
            inner = block.get("content")
            pieces = [inner] if isinstance(inner, str) else map(_inner, inner or [])
            text = "\n".join(filter(None, pieces)).strip()
            if text:
                yield str(block.get("name") or "tool")[:200], text


def _inner(block: Any) -> str:
    text = block.get("text") if isinstance(block, dict) else None
    return text if isinstance(text, str) else ""


def _files(message: _Message) -> list[str]:
    attached = [*(message.attachments or []), *(message.files or [])]
    return [str(one.get("file_name"))[:200] for one in attached if one.get("file_name")]
