"""What goes over the wire: chat completions, whole or as a stream, and embeddings, in OpenAI's form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mnemolog.gateway.model_server import embeddings
from mnemolog.gateway.model_server.faults import Answer
from mnemolog.gateway.model_server.request import Request

_CHARS_A_TOKEN = 4
_PIECE = re.compile(r"\S*\s*")


def tokens(chars: int) -> int:
    """Tokens as this server counts them: a quarter of the characters, rounded up."""
    return -(-chars // _CHARS_A_TOKEN)


def completion(asked: dict[str, Any], request: Request, answer: Answer) -> dict[str, Any]:
    """The document of a chat completion."""
    message = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}
    return {**_head(asked, request, "chat.completion"), "choices": [choice], "usage": _usage(request, answer)}


def stream(asked: dict[str, Any], request: Request, answer: Answer) -> bytes:
    """The same as server-sent events, word by word; with the usage where `stream_options` ask for it."""
    chunks = list(_chunks(asked, request, answer))
    events = [*map(msgspec.json.encode, chunks), b"[DONE]"]
    return b"".join(b"data: " + event + b"\n\n" for event in events)


def _chunks(asked: dict[str, Any], request: Request, answer: Answer) -> Iterator[dict[str, Any]]:
    head = _head(asked, request, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _PIECE.findall(answer.text) if piece]
    deltas += [{"refusal": answer.refusal}] if answer.refusal is not None else []
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}]}
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(request, answer)}


def _head(asked: dict[str, Any], request: Request, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{request.identity}", "object": kind, "created": 0, "model": asked.get("model", "")}


def _usage(request: Request, answer: Answer) -> dict[str, int]:
    prompt, told = tokens(request.prompt_chars), tokens(len(answer.text))
    return {"prompt_tokens": prompt, "completion_tokens": told, "total_tokens": prompt + told}


def vectors(asked: dict[str, Any], request: Request, dimension: int) -> dict[str, Any]:
    """The document of embeddings."""
    found = embeddings.embed(request.inputs, int(asked.get("dimensions") or dimension))
    prompt = tokens(request.prompt_chars)
    return {
        "object": "list",
        "model": asked.get("model", ""),
        "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(found)],
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    }
