"""The chat agent's way to a language model. Importing this loads `openai`: only a chat with a model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mnemolog.gateway.chat import Said
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.workers.engines.client import ChatMessage, ModelClient


def chat_model(settings: ModelSettings, space: str) -> Callable[[Sequence[Said]], str]:
    """A function that asks the model of the settings for a reply. It raises EngineError where there is none."""
    client = ModelClient(settings)

    def reply(messages: Sequence[Said]) -> str:
        asked = [ChatMessage(message.role, message.content) for message in messages]
        return client.ask(asked, space=space, what="reply").text

    return reply
