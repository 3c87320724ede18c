"""Which kind of file something is, by what stands in it and never by its name alone."""

from __future__ import annotations

from pathlib import Path

from mnemolog.producers.importers.chatlog import looks_like_chat
from mnemolog.producers.importers.opening import Document, Format, documents, shape_of
from mnemolog.schema.errors import InvalidInput

FORMATS: tuple[Format, ...] = ("jsonl", "chatgpt", "claude", "mem0", "chatlog")
_LOOKED_AT_BYTES = 256 * 1024


def detect(path: Path) -> Format:
    """The format of a file. Raises InvalidInput, saying what was seen, where it cannot be told.

    JSON lines whose first line is bad are known by the name `*.jsonl`, so that the line is named and not the file.
    """
    document = documents(path)[0]
    head = _head(document)
    if not head.strip() or path.suffix.lower() in (".jsonl", ".ndjson"):
        return "jsonl"
    if head.lstrip()[:1] in (b"{", b"["):
        shape = shape_of(document)
        if shape is not None and shape.format is not None:
            return shape.format
    if looks_like_chat(_text(head).splitlines()):
        return "chatlog"
    raise InvalidInput(f"{path}: {_seen(head)}; say what it is with --format {' or '.join(FORMATS)}")


def _head(document: Document) -> bytes:
    with document.open() as stream:
        return stream.read(_LOOKED_AT_BYTES)


def _text(head: bytes) -> str:
    return head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")


def _seen(head: bytes) -> str:
    if head.lstrip()[:1] in (b"{", b"["):
        return (
            "it looks like JSON, but its objects have neither session, role and content (jsonl), nor mapping "
            "(ChatGPT), chat_messages (Claude) or memory (mem0)"
        )
    return "it is no JSON, and no line begins a message as chat logs do (“[2026-03-09 10:00] Ada: …”, “**User:** …”)"
