"""A chat bot in forty lines that remembers, although it keeps nothing itself: it talks through the proxy.

Start `mnemolog up` and `mnemolog proxy --upstream https://api.openai.com/v1` first, then

    OPENAI_BASE_URL=http://127.0.0.1:8421/v1 OPENAI_API_KEY=... python examples/chat_bot.py Ada
"""

from __future__ import annotations

import os
import sys
from uuid import uuid4

import openai
from openai.types.chat import ChatCompletionMessageParam

MODEL = os.environ.get("CHAT_MODEL", "gpt-5-mini")


def chat(speaker: str) -> None:
    """Answers line by line until the input ends. Each start is a new session of the same memory."""
    client = openai.OpenAI(default_headers={"Mnemolog-Session": f"chat-{uuid4()}", "Mnemolog-Speaker": speaker})
    conversation: list[ChatCompletionMessageParam] = []
    for line in sys.stdin:
        conversation.append({"role": "user", "content": line.strip()})
        reply = ""
        for chunk in client.chat.completions.create(model=MODEL, messages=conversation, stream=True):
            piece = (chunk.choices[0].delta.content if chunk.choices else None) or ""
            print(piece, end="", flush=True)
            reply += piece
        print()
        conversation.append({"role": "assistant", "content": reply})


if __name__ == "__main__":
    try:
        chat(sys.argv[1] if len(sys.argv) > 1 else "me")
    except openai.OpenAIError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
