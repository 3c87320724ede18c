"""Conversations as chat frontends send them: what was said in a request, and the request with what was recalled in it.

Nothing is decoded that need not be: all that is not the last user message's content goes on byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import msgspec

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.events import MAX_CONTENT_BYTES, Role
from mnemolog.schema.recalled import without_recalled

#: The names that the wire has for the roles of the log.
_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
# Reasoning that a server writes before the answer, and that frontends leave out when they send it back.
_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_Fields = dict[str, msgspec.Raw]
_fields = msgspec.json.Decoder(_Fields)
_messages = msgspec.json.Decoder(list[msgspec.Raw])


class Turn(msgspec.Struct, frozen=True):
    """What was said: the text as it is published, and the `name` of a participant, if the message states one."""

    role: Role
    text: str
    name: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """What a request says. `turns` are those with words in them, in order; `question` is the last user message's text.

    `asked_at` is that message's place in the request, None without one; `user` is the field of that name.
    """

    turns: tuple[Turn, ...]
    question: str
    asked_at: int | None
    user: str | None
    fields: Mapping[str, msgspec.Raw]
    messages: tuple[msgspec.Raw, ...]

    @property
    def goes_on(self) -> bool:
        """Whether something follows the last user message: what tools gave, or the beginning of an answer."""
        return self.asked_at is not None and self.asked_at < len(self.messages) - 1

    def of_roles(self, roles: Collection[Role]) -> tuple[Turn, ...]:
        """The turns of some roles."""
        return tuple(turn for turn in self.turns if turn.role in roles)


def read(body: bytes) -> Conversation:
    """The conversation of a chat completion's body. Raises InvalidInput for what is none.

    A message of an unknown form is passed over: the upstream is to judge it.
    """
    try:
        fields = _fields.decode(body)
        messages = tuple(_messages.decode(fields["messages"]))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        raise InvalidInput("the body is not that of a chat completion") from None
    said = [(at, turn) for at, message in enumerate(messages) if (turn := _turn(message)) is not None]
    asked_at = next((at for at, turn in reversed(said) if turn.role == "user"), None)
    return Conversation(
        turns=tuple(turn for _, turn in said if turn.text),
        question=next((turn.text for at, turn in said if at == asked_at), ""),
        asked_at=asked_at,
        user=_text(fields, "user"),
        fields=fields,
        messages=messages,
    )


def with_context(conversation: Conversation, context: str) -> bytes:
    """The body with a context in front of the last user message; all else byte for byte as it came."""
    if conversation.asked_at is None:
        return msgspec.json.encode(conversation.fields)
    messages = list(conversation.messages)
    message = _fields.decode(messages[conversation.asked_at])
    message["content"] = msgspec.Raw(_before(bytes(message["content"]), context))
    messages[conversation.asked_at] = msgspec.Raw(msgspec.json.encode(message))
    return msgspec.json.encode({**conversation.fields, "messages": messages})


def said(content: Any, role: Role) -> str:
    """The words of a message's content: its text, its parts of text, and the names of what else it holds.

    Nothing in it was recalled or only thought, and the log can hold it: without NUL, cut at MAX_CONTENT_BYTES.
    """
    text = "\n".join(_parts(content)).replace("\r\n", "\n")
    if role == "assistant":
        text = _THOUGHT.sub("", text, count=1)
    text = without_recalled(text).replace("\x00", "\ufffd")
    return _cut(text)


def _turn(message: msgspec.Raw) -> Turn | None:
    found = _decoded(message)
    if not isinstance(found, dict):
        return None
    role = _ROLES.get(str(found.get("role")))
    if role is None or "content" not in found:
        return None
    name = found.get("name") if role == "user" else None
    return Turn(role, said(found["content"] or found.get("refusal"), role), name if isinstance(name, str) else None)


def _parts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            yield _part(cast("dict[str, Any]", part))


def _part(part: dict[str, Any]) -> str:
    for field in ("text", "refusal"):
        if isinstance(part.get(field), str):
            return str(part[field])
    kind = str(part.get("type") or "part").removeprefix("input_").removesuffix("_url")
    held = part.get("file")
    name = held.get("filename") if isinstance(held, dict) else None
    return f"[{kind}: {name}]" if isinstance(name, str) else f"[{kind}]"


def _cut(text: str) -> str:
    if len(text) * 4 <= MAX_CONTENT_BYTES:
        return text
    return text.encode("utf-8")[:MAX_CONTENT_BYTES].decode("utf-8", "ignore")


def _before(content: bytes, context: str) -> bytes:
    """A message's content, JSON text or an array of parts, with a context in front."""
    if content.startswith(b'"'):
        return msgspec.json.encode(f"{context}\n\n")[:-1] + content[1:]
    part = msgspec.json.encode({"type": "text", "text": context})
    rest = content[1:].lstrip()
    return b"[" + part + (b"" if rest.startswith(b"]") else b",") + rest


def _text(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    value = _decoded(fields[name]) if name in fields else None
    return value if isinstance(value, str) and value else None


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
