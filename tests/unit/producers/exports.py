"""Small exports in the shapes that are known from public documentation, and what is read of files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from mnemolog.producers.importer import ImportEvent
from mnemolog.producers.importers.export_file import ExportFile
from mnemolog.producers.importers.parts import Reader
from mnemolog.schema.events import MessagePublished

MARCH = 1_773_050_400


def node(key: str, parent: str | None, role: str = "user", text: Any = "", **changes: Any) -> dict[str, Any]:
    """A node of ChatGPT's tree with a message of text."""
    message = {
        "id": f"m-{key}",
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": MARCH + 0.25,
        "update_time": None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
    } | changes
    return {"id": key, "message": message, "parent": parent, "children": []}


def chatgpt(*nodes: dict[str, Any], current: str | None = None, **changes: Any) -> dict[str, Any]:
    """A conversation of ChatGPT; its root has no message."""
    root = {"id": "root", "message": None, "parent": None, "children": []}
    return {
        "title": "Moving",
        "create_time": MARCH - 1.5,
        "update_time": MARCH + 60.0,
        "mapping": {one["id"]: one for one in (root, *nodes)},
        "moderation_results": [],
        "current_node": current or nodes[-1]["id"],
        "conversation_id": "c1",
        "id": "c1",
    } | changes


def claude_message(uuid: str, sender: str, text: str, **changes: Any) -> dict[str, Any]:
    """A message of a Claude export."""
    return {
        "uuid": uuid,
        "text": text,
        "content": [{"type": "text", "text": text, "citations": []}],
        "sender": sender,
        "created_at": "2026-03-09T10:00:00.123456Z",
        "updated_at": "2026-03-09T10:00:00.123456Z",
        "attachments": [],
        "files": [],
    } | changes


def claude(*messages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A conversation of a Claude export."""
    return {
        "uuid": "k1",
        "name": "Moving",
        "summary": "",
        "created_at": "2026-03-09T09:59:00.000000Z",
        "updated_at": "2026-03-09T10:30:00.000000Z",
        "account": {"uuid": "a1"},
        "chat_messages": list(messages),
    } | changes


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def write_zip(path: Path, **members: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in members.items():
            text = document if isinstance(document, str) else json.dumps(document)
            archive.writestr(name.replace("__", "."), text)
    return path


def checked(path: Path, reader: Reader) -> ExportFile:
    file = ExportFile(path, reader)
    file.check()
    return file


def told(file: ExportFile) -> list[tuple[str, str | None, str]]:
    """Role, speaker and content of the messages of a checked file."""
    return [(said.role, said.speaker, said.content) for said in messages(file)]


def messages(file: ExportFile) -> list[MessagePublished]:
    return [event.payload for event in file.events() if isinstance(event.payload, MessagePublished)]


def ids(file: ExportFile) -> list[str]:
    return [event.event_id for event in events(file)]


def events(file: ExportFile) -> list[ImportEvent]:
    return list(file.events())
